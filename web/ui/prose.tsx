/** Text as written, with its addresses as links. What it stands in says its direction. */

import type { JSX } from 'preact';
import { linkify } from './linkify.ts';

export function Prose({ text }: { text: string }): JSX.Element {
  return (
    <span class="prose">
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
