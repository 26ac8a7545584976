/** Keys as they stand on a keyboard. */

import type { JSX } from 'preact';

const MAC = typeof navigator !== 'undefined' && /Mac|iP(hone|ad)/.test(navigator.userAgent);

const NAMES: Record<string, string> = {
  mod: MAC ? '⌘' : 'Ctrl',
  alt: MAC ? '⌥' : 'Alt',
  shift: '⇧',
  enter: '↵',
  escape: 'Esc',
  arrowup: '↑',
  arrowdown: '↓',
  arrowleft: '←',
  arrowright: '→',
  pageup: 'PgUp',
  pagedown: 'PgDn',
  home: 'Home',
  end: 'End',
  insert: 'Ins',
  space: 'Space',
};

/** `mod+k` or `g i`, a key cap for each. */
export function Keys({ keys }: { keys: string }): JSX.Element {
  const steps = keys.split(' ');
  return (
    <span class="keys">
      {steps.map((step, idx) => (
        <span key={idx} class="keys-step">
          {partsOf(step).map((key) => (
            <kbd key={key}>{NAMES[key] ?? key.toUpperCase()}</kbd>
          ))}
        </span>
      ))}
    </span>
  );
}

const WORDS: Record<string, string> = {
  mod: MAC ? 'Command' : 'Ctrl',
  alt: MAC ? 'Option' : 'Alt',
  arrowup: 'Arrow up',
  arrowdown: 'Arrow down',
  arrowleft: 'Arrow left',
  arrowright: 'Arrow right',
  pageup: 'Page up',
  pagedown: 'Page down',
};

/** The same in words: `Ctrl+K` or `G then I`. */
export function keysInWords(keys: string): string {
  const word = (key: string) => WORDS[key] ?? `${key[0]?.toUpperCase()}${key.slice(1)}`;
  return keys
    .split(' ')
    .map((step) => partsOf(step).map(word).join('+'))
    .join(' then ');
}

/** A name with its keys, for a tooltip. */
export function withKeys(text: string, keys: string | undefined): string {
  return keys === undefined ? text : `${text} (${keysInWords(keys)})`;
}

/** `mod+k` in two; the sign `+` is a key as well. */
function partsOf(step: string): readonly string[] {
  return step.match(/[^+]+|\+$/g) ?? [];
}
