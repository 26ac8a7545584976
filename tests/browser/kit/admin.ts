/** Changes a demo's settings without a browser, for tests that are about what comes of them. */

import type { Server } from './server.ts';

interface Answer {
  status: number;
  etag: string | null;
  body: Record<string, unknown>;
}

/** Longer than lists ever lag. */
const LAG_MS = 10_000;

export class Admin {
  readonly #server: Server;
  readonly #token: string;
  #plain: Record<string, unknown> | null = null;

  static async signIn(server: Server): Promise<Admin> {
    const response = await fetch(`${server.address}/v1/demo/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ as: 'ada' }),
    });
    const { token } = (await response.json()) as { token: string };
    return new Admin(server, token);
  }

  private constructor(server: Server, token: string) {
    this.#server = server;
    this.#token = token;
  }

  /** The demo's widget as it came, with these changes. */
  async widget(change: object): Promise<void> {
    const { etag, body } = await this.call('GET', '/v1/widgets/demo/settings');
    this.#plain ??= body.settings as Record<string, unknown>;
    const settings = { ...this.#plain, departments: [], ...change };
    const headers = { 'if-match': etag ?? '*' };
    const answer = await this.call('PUT', '/v1/widgets/demo/settings', settings, headers);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  }

  /** The conversation whose last line is `text`, as agents see it; lists lag a little. */
  async card(text: string): Promise<Record<string, unknown>> {
    for (const end = Date.now() + LAG_MS; Date.now() < end; ) {
      const { body } = await this.call('GET', '/v1/conversations?limit=50');
      const cards = body.items as { last?: { text?: string } }[];
      const found = cards.find(({ last }) => last?.text === text);
      if (found !== undefined) return found as Record<string, unknown>;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`no conversation ends with ${text}`);
  }

  async call(method: string, path: string, body?: object, headers: object = {}): Promise<Answer> {
    const response = await fetch(this.#server.address + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        'content-type': 'application/json',
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    return { status: response.status, body: answer, etag: response.headers.get('etag') };
  }
}
