/** Where in a text is what somebody looked for. */

import { folded } from './fuzzy.ts';

/** A piece of a text, and whether it was looked for. */
export type Piece = readonly [text: string, wanted: boolean];

/** The words of a search, as they are compared. A number may be written with its `#`. */
export function wordsOf(search: string): string[] {
  return search
    .split(/[\s\p{Cc}]+/u)
    .map((word) => folded(word.replace(/^#+/, '')))
    .filter((word) => word !== '');
}

/** Cuts a text where words are found in it; together the pieces are the text. */
export function pieces(text: string, words: readonly string[]): Piece[] {
  if (words.length === 0) return [[text, false]];
  let form = '';
  /** Where in the text each sign of its folded form begins, and where the text ends. */
  const starts: number[] = [];
  let at = 0;
  for (const sign of text) {
    const part = folded(sign);
    form += part;
    for (let n = part.length; n > 0; n -= 1) starts.push(at);
    at += sign.length;
  }
  starts.push(at);
  const wanted = new Set<number>();
  for (const word of words) {
    for (let from = form.indexOf(word); from >= 0; from = form.indexOf(word, from + 1)) {
      const last = starts[from + word.length - 1] ?? at;
      // Accents that stand by themselves go with their letter, and of two signs of one letter both.
      const end = starts.find((start) => start > last) ?? at;
      for (let idx = starts[from] ?? at; idx < end; idx += 1) wanted.add(idx);
    }
  }
  const found: [string, boolean][] = [];
  for (let idx = 0; idx < text.length; idx += 1) {
    const last = found.at(-1);
    const sign = text.charAt(idx);
    if (last?.[1] === wanted.has(idx)) last[0] += sign;
    else found.push([sign, wanted.has(idx)]);
  }
  return found;
}
