/** The picture of somebody, or the first letters of the name. */

import type { JSX } from 'preact';

export function Face({ name, picture }: { name: string; picture?: string | null | undefined }) {
  if (picture) return <img class="face" src={picture} alt="" />;
  return <Letters name={name} />;
}

function Letters({ name }: { name: string }): JSX.Element {
  const words = name.trim().split(/\s+/).slice(0, 2);
  return (
    <span class="face" aria-hidden="true">
      {words
        .map((word) => [...word][0])
        .join('')
        .toUpperCase()}
    </span>
  );
}
