/** A server of answers: what a route gives, and what was asked of it. */

import { type Answer, type Asking, type Method, type Proof, Refusal } from '../../console/api.ts';

export interface Asked {
  route: string;
  body: unknown;
  ifMatch: string | undefined;
  proof: Proof;
}

interface Given {
  body?: unknown;
  etag?: string;
}

/** Refuses with a status, as the server would. */
export function refuse(status: number, code: string, more: object = {}): never {
  throw new Refusal(status, status === 0 ? null : { code, ...more }, null);
}

export class FakeServer {
  readonly asked: Asked[] = [];
  readonly #routes = new Map<string, (asked: Asked) => Given | Promise<Given>>();

  /** From now on `"GET /v1/…"` is answered so. */
  on(route: string, answer: (asked: Asked) => Given | Promise<Given>): this {
    this.#routes.set(route, answer);
    return this;
  }

  /** The routes asked so far, in order. */
  get routes(): string[] {
    return this.asked.map(({ route }) => route);
  }

  readonly request = async <Body>(
    method: Method,
    path: string,
    { body, ifMatch }: Asking,
    proof: Proof,
  ): Promise<Answer<Body>> => {
    const asked = { route: `${method} ${path}`, body, ifMatch, proof };
    this.asked.push(asked);
    const answer = this.#routes.get(asked.route);
    if (answer === undefined) return refuse(404, 'not_found', { detail: asked.route });
    const given = await answer(asked);
    return { body: (given.body ?? null) as Body, etag: given.etag ?? null };
  };
}
