/** A visitor without a page: the same server, by requests. */

import { randomUUID } from 'node:crypto';

interface Begin {
  text: string;
  name?: string;
  email?: string;
  context?: Record<string, string>;
  fields?: Record<string, string>;
  /** What whoever answers must be able to do. */
  skills?: string[];
}

export class Guest {
  readonly conversation: string;
  readonly #server: string;
  readonly #token: string;

  /** Begins a conversation. */
  static async begin(server: string, { text, name, email, ...more }: Begin): Promise<Guest> {
    const contact = { ...(name ? { name } : {}), ...(email ? { email } : {}) };
    const response = await fetch(`${server}/v1/conversations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ widget: 'demo', contact, message: { text }, ...more }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
    return new Guest(server, answer.id, answer.visitor.secret);
  }

  private constructor(server: string, conversation: string, token: string) {
    this.#server = server;
    this.conversation = conversation;
    this.#token = token;
  }

  /** Begins another one, as the same visitor. */
  async again(text: string): Promise<Guest> {
    const answer = await ask(this.#server, this.#token, 'POST', '/v1/conversations', {
      widget: 'demo',
      message: { text },
    });
    return new Guest(this.#server, answer.id, this.#token);
  }

  async say(text: string): Promise<void> {
    await this.#ask('POST', 'messages', { text });
  }

  /** What the visitor sees of the conversation: the texts of all messages. */
  async texts(): Promise<string[]> {
    const page = await this.#ask('GET', 'messages?after=0&limit=200');
    return page.items.flatMap((event: { kind: string; body: { text?: string } }) =>
      event.kind === 'message' ? [event.body.text ?? ''] : [],
    );
  }

  #ask(method: string, path: string, body?: object) {
    const whole = `/v1/conversations/${this.conversation}/${path}`;
    return ask(this.#server, this.#token, method, whole, body);
  }
}

async function ask(server: string, token: string, method: string, path: string, body?: object) {
  const response = await fetch(server + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
  return answer;
}
