/** Requests to the native API. Problems (RFC 9457) become one error type with their code. */

export class Problem extends Error {
  /** 0 when the server could not be reached. */
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string) {
    super(`${status} ${code}`);
    this.status = status;
    this.code = code;
  }

  /** Whether trying again later may help. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export interface RequestOptions {
  token?: string | undefined;
  body?: object;
  /** Makes a repeated POST safe. */
  key?: string;
}

export type Api = <Answer>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  options?: RequestOptions,
) => Promise<Answer>;

/** Asks the server this document came from. Rejects with `Problem` only. */
export const fetchApi: Api = async <Answer>(
  method: string,
  path: string,
  { token, key, body }: RequestOptions = {},
): Promise<Answer> => {
  const headers: Record<string, string> = {};
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (key !== undefined) headers['idempotency-key'] = key;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const answer = await ask<Answer>(path, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  if (answer.code !== null) throw new Problem(answer.status, answer.code);
  return answer.value;
};

/** An answer with its version. */
export interface TaggedAnswer<Value> {
  status: number;
  etag: string | null;
  /** Of use when there is no `code`, and not with 304. */
  value: Value;
  /** Why it was refused; `null` when it was not. */
  code: string | null;
}

/** Asks for what may be known already; 304 when it is. Rejects with `Problem` only. */
export type Tagged = <Value>(path: string, etag: string | null) => Promise<TaggedAnswer<Value>>;

export const fetchTagged: Tagged = (path, etag) =>
  // The browser's own cache would answer for the server.
  ask(path, { headers: etag === null ? {} : { 'if-none-match': etag }, cache: 'no-store' });

async function ask<Value>(path: string, init: RequestInit): Promise<TaggedAnswer<Value>> {
  const response = await fetch(path, { ...init, credentials: 'omit' }).catch(() => {
    throw new Problem(0, 'unreachable');
  });
  const { status } = response;
  const value: unknown = await response.json().catch(() => null);
  const code = response.ok || status === 304 ? null : codeOf(value);
  return { status, etag: response.headers.get('etag'), value: value as Value, code };
}

function codeOf(answer: unknown): string {
  const code =
    typeof answer === 'object' && answer !== null && 'code' in answer ? answer.code : null;
  return typeof code === 'string' ? code : 'unknown';
}
