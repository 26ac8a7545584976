/** Requests of the console: as whoever is signed in, by cookie or by token. */

import { Problem } from '../client/http.ts';

/** A problem with the words the server has for it. */
export class Refusal extends Problem {
  /** What is wrong, for people; empty when the server did not say. */
  readonly detail: string;
  /** The field of the request that is wrong, when the answer names one. */
  readonly field: string | null;
  /** Who changed it meanwhile, when the answer says so. */
  readonly by: string | null;
  /** And when. */
  readonly at: string | null;
  readonly retryAfterS: number | null;
  /** Under which the server's log has it. */
  readonly id: string | null;

  /** `said` is the answer: a problem document, or whatever else came. */
  constructor(status: number, said: unknown, retryAfterS: number | null) {
    super(status, textIn(said, 'code') ?? (status === 0 ? 'unreachable' : 'unknown'));
    this.detail = textIn(said, 'detail') ?? textIn(said, 'title') ?? '';
    // Our problems quote the field first: "`name` is empty".
    this.field = textIn(said, 'field') ?? /^`([^`]+)`/.exec(this.detail)?.[1] ?? null;
    this.by = textIn(partIn(said, 'by'), 'name');
    this.at = textIn(said, 'at');
    this.retryAfterS = retryAfterS;
    this.id = textIn(said, 'request_id');
  }
}

/** The words with what a person can quote to whoever runs the server, when there is something. */
export function quotable(words: string, error: unknown): string {
  return error instanceof Refusal && error.id !== null ? `${words} (Request ${error.id})` : words;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Asking {
  /** Sent as JSON, but for a `Blob`, which is sent as it is. */
  body?: object;
  /** Only if the thing is still as it was under this `ETag`. */
  ifMatch?: string;
  /** Makes a repeated POST safe. */
  key?: string;
  signal?: AbortSignal;
}

export interface Answer<Body> {
  body: Body;
  etag: string | null;
}

/** What proves who asks. */
export interface Proof {
  token?: string | undefined;
  csrf?: string | undefined;
}

/** Rejects with `Refusal` only; status 0 is a server that could not be reached. */
export async function request<Body>(
  method: Method,
  path: string,
  { body, ifMatch, key, signal }: Asking,
  { token, csrf }: Proof,
): Promise<Answer<Body>> {
  const headers = new Headers({ accept: 'application/json' });
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  if (csrf !== undefined && method !== 'GET') headers.set('x-switchboard-csrf', csrf);
  if (key !== undefined) headers.set('idempotency-key', key);
  if (ifMatch !== undefined) headers.set('if-match', ifMatch);
  const credentials = token === undefined ? 'same-origin' : 'omit';
  const init: RequestInit = { method, headers, credentials, signal: signal ?? null };
  if (body instanceof Blob) {
    init.body = body;
  } else if (body !== undefined) {
    headers.set('content-type', 'application/json');
    init.body = JSON.stringify(body);
  }
  const response = await fetch(path, init).catch(() => {
    throw new Refusal(0, null, null);
  });
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const wait = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
    throw new Refusal(response.status, answer, Number.isNaN(wait) ? null : wait);
  }
  return { body: answer as Body, etag: response.headers.get('etag') };
}

function partIn(answer: unknown, name: string): unknown {
  return typeof answer === 'object' && answer !== null ? Reflect.get(answer, name) : undefined;
}

function textIn(answer: unknown, name: string): string | null {
  const value = partIn(answer, name);
  return typeof value === 'string' ? value : null;
}
