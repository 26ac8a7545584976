/** Somebody's web site: plain pages on a port of their own. */

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export class Site {
  readonly address: string;
  readonly #server: Server;

  /** `page` makes the body of the page at a path. */
  static async open(page: (path: string) => string): Promise<Site> {
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A site</title>' +
          '<meta name="viewport" content="width=device-width, initial-scale=1">' +
          `<link rel="icon" href="data:,"></head><body>${page(request.url ?? '/')}</body></html>`,
      );
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Site(server);
  }

  private constructor(server: Server) {
    this.#server = server;
    this.address = `http://localhost:${(server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), 'close');
  }
}
