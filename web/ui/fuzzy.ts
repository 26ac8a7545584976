/** Finds what a few letters stand for. Case and accents do not count. */

/** Letters that are no other letter with an accent to Unicode, but to who looks for something. */
const PLAIN: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
  đ: 'd',
  ð: 'd',
  ħ: 'h',
  ı: 'i',
  ł: 'l',
  ø: 'o',
  ŧ: 't',
  ς: 'σ',
  ٱ: 'ا',
  ى: 'ي',
  ة: 'ه',
  // It only stretches a line.
  ـ: '',
};
const NOT_PLAIN = new RegExp(`[${Object.keys(PLAIN).join('')}]`, 'g');

/** Text in the form that is compared, as the server does it for what it finds. */
export function folded(text: string): string {
  const bare = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  return bare.replace(NOT_PLAIN, (letter) => PLAIN[letter] ?? '');
}

/**
 * How well the letters of `query` are found in `text`, in order; higher is better, `null` is not at
 * all. Both are folded. Letters that begin a word or follow each other count more.
 */
export function score(query: string, text: string): number | null {
  if (query === '') return 0;
  const whole = text.indexOf(query);
  if (whole >= 0) {
    const starts = whole === 0 || isBreak(text, whole - 1);
    return 1_000 - Math.min(whole, 100) - text.length / 1_000 + (starts ? 500 : 0);
  }
  let points = 0;
  let at = -1;
  for (const letter of query) {
    if (letter === ' ') continue;
    const next = text.indexOf(letter, at + 1);
    if (next < 0) return null;
    if (next === at + 1) points += 8;
    if (next === 0 || isBreak(text, next - 1)) points += 10;
    points -= Math.min(next - at - 1, 6);
    at = next;
  }
  return points - text.length / 1_000;
}

/** The best of `items`, best first; all of them in their own order for an empty query. */
export function rank<Item>(
  query: string,
  items: readonly Item[],
  textOf: (item: Item) => string,
  max: number,
): Item[] {
  const wanted = folded(query.trim());
  if (wanted === '') return items.slice(0, max);
  const found: { item: Item; points: number; idx: number }[] = [];
  items.forEach((item, idx) => {
    const points = score(wanted, textOf(item));
    if (points !== null) found.push({ item, points, idx });
  });
  found.sort((a, b) => b.points - a.points || a.idx - b.idx);
  return found.slice(0, max).map(({ item }) => item);
}

function isBreak(text: string, at: number): boolean {
  return /[\s\-_.@/#]/.test(text[at] ?? '');
}
