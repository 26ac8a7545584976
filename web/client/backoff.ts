/** Waits between attempts to connect, and what a closed socket means. */

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/**
 * How long to wait before attempt number `attempt` (from 0). Full jitter: thousands of clients that
 * lost one server must not come back together.
 */
export function backoffMs(attempt: number, random: () => number): number {
  return Math.floor(random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16)));
}

/** What to do after a socket closed: go on where it was, begin with empty caches, or give up. */
export type AfterClose = 'resume' | 'afresh' | 'stop';

/** Reads a close code. Codes outside our ranges are accidents of the network: resume. */
export function afterClose(code: number): AfterClose {
  if (code >= 4500 && code <= 4999) return 'stop';
  if (code >= 4100 && code <= 4199) return 'afresh';
  return 'resume';
}
