/** A server of answers: what a route gives, and what was asked of it. */

import { Refusal } from '../../console/auth/refusal.ts';
import type { Outgoing, Transport } from '../../console/auth/transport.ts';

export interface Asked {
  route: string;
  headers: Record<string, string>;
  body: unknown;
}

/** Refuses with a status, as the server would. */
export function refuse(status: number, code: string, more: object = {}): never {
  throw new Refusal(status, { code, ...more }, null);
}

type Answer = (asked: Asked) => { etag?: string; value?: unknown } | Promise<{ value?: unknown }>;

export class FakeServer {
  readonly asked: Asked[] = [];
  readonly #routes = new Map<string, Answer>();

  /** From now on `"GET /v1/…"` is answered so. */
  on(route: string, answer: Answer): this {
    this.#routes.set(route, answer);
    return this;
  }

  /** The routes asked so far, in order. */
  get routes(): string[] {
    return this.asked.map(({ route }) => route);
  }

  readonly transport: Transport = async ({ method, path, headers, body }: Outgoing) => {
    const route = `${method} ${path}`;
    const asked = { route, headers, body: typeof body === 'string' ? JSON.parse(body) : body };
    this.asked.push(asked);
    const answer = this.#routes.get(route);
    if (answer === undefined) return refuse(404, 'not_found', { detail: route });
    const given: { etag?: string; value?: unknown } = await answer(asked);
    return { status: 200, etag: given.etag ?? null, value: given.value ?? null };
  };
}
