/** What the server said no with (RFC 9457), and what that means in words. */

import { Problem } from '../../client/http.ts';

/** A problem with what else its document says. */
export class Refusal extends Problem {
  /** In words for a developer. */
  readonly detail: string;
  /** The field of the request that is wrong, when the answer names one. */
  readonly field: string | null;
  /** Who changed it meanwhile, when the answer says so. */
  readonly by: string | null;
  readonly retryAfterS: number | null;

  constructor(status: number, document: unknown, retryAfter: string | null) {
    super(status, text(document, 'code') ?? (status === 0 ? 'unreachable' : 'unknown'));
    this.detail = text(document, 'detail') ?? text(document, 'title') ?? '';
    // Our problems quote the field first: "`name` is empty".
    this.field = text(document, 'field') ?? /^`([^`]+)`/.exec(this.detail)?.[1] ?? null;
    this.by = text(part(document, 'by'), 'name');
    const seconds = Number(retryAfter);
    this.retryAfterS = retryAfter !== null && Number.isFinite(seconds) ? seconds : null;
  }
}

function part(document: unknown, name: string): unknown {
  if (typeof document !== 'object' || document === null) return undefined;
  return (document as Record<string, unknown>)[name];
}

function text(document: unknown, name: string): string | null {
  const value = part(document, name);
  return typeof value === 'string' ? value : null;
}

/** What the field is wrong about, without its name: "is empty" becomes "Is empty". */
export function fieldTrouble(refusal: Refusal): string {
  const why = refusal.detail.replace(/^`[^`]+`\s*/, '');
  return why === '' ? 'This is not valid.' : `${why[0]?.toUpperCase()}${why.slice(1)}.`;
}

/** Any refusal in a sentence for the person who asked. */
export function inWords(error: unknown): string {
  if (!(error instanceof Problem)) return 'Something broke in this page. Please reload it.';
  switch (error.code) {
    case 'unreachable':
      return 'The server did not answer. Nothing was changed; please try again.';
    case 'unauthenticated':
      return 'You were signed out. Sign in again and repeat this.';
    case 'forbidden':
      return 'Your role does not allow this.';
    case 'not_found':
      return 'It is not there any more.';
    case 'already_exists':
      return 'It exists already.';
    case 'last_owner':
      return 'There must be at least one owner who can sign in.';
    case 'too_large':
      return 'It is too large.';
    case 'unsupported_media_type':
      return 'This kind of file is not taken.';
    case 'rate_limited':
    case 'too_many_attempts':
      return `Too many attempts. Try again ${waitText(error)}.`;
    case 'busy':
    case 'draining':
    case 'storage_full':
      return 'The server is too busy for this now. Please try again in a moment.';
    default:
      if (error instanceof Refusal && error.code === 'invalid') {
        const named = error.field === null ? '' : `${error.field.replaceAll('_', ' ')}: `;
        return `${named}${fieldTrouble(error)}`;
      }
      return `The server refused this (${error.code}).`;
  }
}

function waitText(error: Problem): string {
  const seconds = error instanceof Refusal ? error.retryAfterS : null;
  if (seconds === null) return 'later';
  if (seconds < 90) return `in ${Math.max(1, Math.ceil(seconds))} seconds`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}
