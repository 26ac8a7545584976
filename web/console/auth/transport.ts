/** How the console asks the server: one request, and everything its answer may say. */

import { Problem } from '../../client/http.ts';
import { Refusal } from './refusal.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Outgoing {
  method: Method;
  path: string;
  headers: Record<string, string>;
  body: string | Blob | null;
}

export interface Reply<Value> {
  status: number;
  /** The version for `If-Match`. */
  etag: string | null;
  value: Value;
}

/** Rejects with `Refusal` only. */
export type Transport = (outgoing: Outgoing) => Promise<Reply<unknown>>;

/** Asks the server this document came from, with its cookie. */
export const fetchTransport: Transport = async ({ method, path, headers, body }) => {
  const init: RequestInit = { method, headers, body, credentials: 'same-origin' };
  const response = await fetch(path, init).catch(() => {
    throw new Refusal(0, null, null);
  });
  const value: unknown = await response.json().catch(() => null);
  if (!response.ok) throw new Refusal(response.status, value, response.headers.get('retry-after'));
  return { status: response.status, etag: response.headers.get('etag'), value };
};

/** Whether the error says that another wrote meanwhile. */
export function isConflict(error: unknown): error is Problem {
  return error instanceof Problem && error.status === 412;
}
