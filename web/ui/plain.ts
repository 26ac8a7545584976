/** Text of others in places that take only text. */

/** What steers a line instead of being read in it: controls, and marks and overrides of direction. */
const STEERING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/gu;

/** One line for places that take only text: no foreign sign in it moves what stands beside it. */
export function plain(text: string): string {
  return text.replaceAll(STEERING, ' ').trim();
}
