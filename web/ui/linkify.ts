/** Finds web addresses in plain text. Nothing but http and https becomes a link. */

export type Part = { text: string; href: string | null };

const ADDRESS = /https?:\/\/[^\s<>"']+/gi;
/** Signs that end a sentence rather than an address. */
const TRAILING = /[.,;:!?)\]}]+$/;

export function linkify(text: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const found = match[0].replace(TRAILING, '');
    const href = hrefOf(found);
    if (href === null) continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index), href: null });
    parts.push({ text: found, href });
    from = match.index + found.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), href: null });
  return parts;
}

function hrefOf(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}
