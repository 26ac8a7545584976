/** What the server said no with, in words for people. */

import { Problem } from '../../client/http.ts';
import { quotable, Refusal } from '../api.ts';

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
      return 'There is one with this name already. Choose another.';
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
      return quotable('The server is too busy for this now. Please try again in a moment.', error);
    default:
      if (error instanceof Refusal && error.code === 'invalid') {
        const named = error.field === null ? '' : `${error.field.replaceAll('_', ' ')}: `;
        return `${named}${fieldTrouble(error)}`;
      }
      return quotable(`The server refused this (${error.code}).`, error);
  }
}

function waitText(error: Problem): string {
  const seconds = error instanceof Refusal ? error.retryAfterS : null;
  if (seconds === null) return 'later';
  if (seconds < 90) return `in ${Math.max(1, Math.ceil(seconds))} seconds`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}

/** Whether the error says that another wrote meanwhile. */
export function isConflict(error: unknown): boolean {
  return error instanceof Problem && error.status === 412;
}
