/** Stands before the real server: pages and requests are its, the stream is played by the test. */

import { once } from 'node:events';
import { createServer, type Server as HttpServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export class Front {
  readonly address: string;
  readonly #http: HttpServer;
  readonly #sockets: WebSocketServer;

  /** `play` gets each socket that a page opens for its stream. */
  static async start(server: string, play: (socket: WebSocket) => void): Promise<Front> {
    const { host, origin } = new URL(server);
    const http = createServer((asked, answer) => {
      // For the server it is one of its own pages that asks.
      const headers = { ...asked.headers, host };
      if (headers.origin !== undefined) headers.origin = origin;
      const passed = request(
        new URL(asked.url ?? '/', server),
        { method: asked.method, headers },
        (given) => {
          answer.writeHead(given.statusCode ?? 502, given.headers);
          given.pipe(answer);
        },
      );
      passed.on('error', () => answer.destroy());
      asked.pipe(passed);
    });
    const sockets = new WebSocketServer({ server: http, path: '/v1/stream' });
    sockets.on('connection', play);
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return new Front(http, sockets);
  }

  private constructor(http: HttpServer, sockets: WebSocketServer) {
    this.#http = http;
    this.#sockets = sockets;
    this.address = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#http.closeAllConnections();
    const closed = once(this.#http, 'close');
    this.#http.close();
    await closed;
  }
}
