/** Emoji by shortcode: `:tad` becomes a choice of those that it may be the beginning of. Pure. */

export interface Emoji {
  code: string;
  sign: string;
}

/** A shortcode that is being written. */
export interface Begun {
  /** Where its colon stands. */
  from: number;
  code: string;
}

const SHOWN_MAX = 6;

/**
 * The shortcode before the caret; `null` when there is none. It stands at the beginning of a word
 * and begins with a letter or a sign: `10:30`, `http://` and `:)` are none.
 */
export function begunAt(text: string, caret: number): Begun | null {
  const match = /(?<![^\s(["'“«]):([a-z+-][a-z0-9_+-]{1,31})$/i.exec(text.slice(0, caret));
  if (match?.[1] === undefined || /^[\w+-]/.test(text.slice(caret))) return null;
  return { from: match.index, code: match[1].toLowerCase() };
}

/** Those that may be meant, best first. */
export function found(list: readonly Emoji[], code: string): Emoji[] {
  const ranked = list.flatMap((emoji, idx) => {
    const rank = rankOf(emoji.code, code);
    return rank === null ? [] : [{ emoji, rank, idx }];
  });
  ranked.sort((a, b) => a.rank - b.rank || a.idx - b.idx);
  const signs = new Set<string>();
  // One sign has several codes at times.
  const once = ranked.filter(({ emoji: { sign } }) => !signs.has(sign) && signs.add(sign));
  return once.slice(0, SHOWN_MAX).map(({ emoji }) => emoji);
}

function rankOf(code: string, begun: string): number | null {
  if (code === begun) return 0;
  if (code.startsWith(begun)) return 1;
  if (code.includes(`_${begun}`)) return 2;
  return null;
}

/** The text with the sign in place of the shortcode, and where the caret is then. */
export function replaced(
  text: string,
  { from, code }: Begun,
  { sign }: Emoji,
): { text: string; caret: number } {
  const rest = text.slice(from + 1 + code.length);
  const put = /^\s/.test(rest) ? sign : `${sign} `;
  return { text: text.slice(0, from) + put + rest, caret: from + put.length };
}

export function listIn(lines: string): Emoji[] {
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const [code = '', sign = ''] = line.split(' ');
      return { code, sign };
    });
}
