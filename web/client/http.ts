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
  options: RequestOptions = {},
): Promise<Answer> => {
  const headers = new Headers({ accept: 'application/json' });
  if (options.token !== undefined) headers.set('authorization', `Bearer ${options.token}`);
  if (options.key !== undefined) headers.set('idempotency-key', options.key);
  const init: RequestInit = { method, headers, credentials: 'omit' };
  if (options.body !== undefined) {
    headers.set('content-type', 'application/json');
    init.body = JSON.stringify(options.body);
  }
  const response = await fetch(path, init).catch(() => {
    throw new Problem(0, 'unreachable');
  });
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw new Problem(response.status, codeOf(answer));
  return answer as Answer;
};

function codeOf(answer: unknown): string {
  const code =
    typeof answer === 'object' && answer !== null && 'code' in answer ? answer.code : null;
  return typeof code === 'string' ? code : 'unknown';
}
