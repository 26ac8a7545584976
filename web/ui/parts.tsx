/** Small pieces that several parts of the console show. */

import type { ComponentChildren, JSX } from 'preact';
import { linkify } from './linkify.ts';
import { pieces } from './marked.ts';

/** Text as written, with its addresses as links. */
export function Prose({ text }: { text: string }): JSX.Element {
  return (
    <span class="prose" dir="auto">
      {linkify(text).map((part, idx) =>
        part.href === null ? (
          part.text
        ) : (
          <a key={idx} href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        ),
      )}
    </span>
  );
}

/** Text with what somebody looks for marked in it. A function: lists have hundreds of texts. */
export function marked(text: string, words: readonly string[]): ComponentChildren {
  return pieces(text, words).map(([piece, wanted], idx) =>
    wanted ? <mark key={idx}>{piece}</mark> : piece,
  );
}

interface AvatarProps {
  name: string;
  /** A picture of this server; without one the letters of the name stand in. */
  src?: string | null | undefined;
  large?: boolean;
}

/** A picture, or the letters of a name on a color that is always the same for that name. */
export function Avatar({ name, src, large }: AvatarProps): JSX.Element {
  const size = large ? ' large' : '';
  if (src) return <img class={`avatar${size}`} src={src} alt="" draggable={false} />;
  const words = name.trim().split(/\s+/);
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? '');
  let hash = 0;
  for (const sign of name) hash = (hash * 31 + (sign.codePointAt(0) ?? 0)) % 6;
  return (
    <span class={`avatar tone-${hash}${size}`} aria-hidden="true">
      {letters.join('').toUpperCase() || '?'}
    </span>
  );
}

export function TypingDots(): JSX.Element {
  return (
    <span class="dots" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  );
}
