/** The line between the pages of a profile and the server: it can be cut, and refuse. */

import type { WebSocketRoute } from 'playwright-core';
import type { Profile } from './people.ts';

/** What a page sends, as far as a line looks at it. */
export interface Sent {
  type: string;
  ref?: string;
  action?: string;
  conversation?: string;
  n?: number;
  body?: { text?: string };
}

export class Line {
  /** What is answered in place of the server; `null` passes it on. */
  refuse: (sent: Sent) => object | null = () => null;
  readonly #sockets: WebSocketRoute[] = [];
  #isCut = false;

  static async of(profile: Profile): Promise<Line> {
    const line = new Line();
    await profile.context.routeWebSocket('**/v1/stream', (socket) => line.#take(socket));
    return line;
  }

  /** From now on nobody gets through; who was connected no longer is. */
  async cut(): Promise<void> {
    this.#isCut = true;
    await this.#drop();
  }

  /** Whoever tries again gets through. */
  async mend(): Promise<void> {
    this.#isCut = false;
    await this.#drop();
  }

  #take(socket: WebSocketRoute): void {
    this.#sockets.push(socket);
    // Nobody answers: to the page it is a line that is slow to connect.
    if (this.#isCut) return;
    const upstream = socket.connectToServer();
    socket.onMessage((message) => {
      const answer = this.refuse(JSON.parse(String(message)) as Sent);
      if (answer === null) upstream.send(message);
      else socket.send(JSON.stringify(answer));
    });
  }

  async #drop(): Promise<void> {
    for (const socket of this.#sockets.splice(0)) {
      await socket.close({ code: 1001 }).catch(() => {});
    }
  }
}
