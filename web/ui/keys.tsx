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
};

/** `mod+k` or `g i`, a key cap for each. */
export function Keys({ keys }: { keys: string }): JSX.Element {
  const steps = keys.split(' ');
  return (
    <span class="keys">
      {steps.map((step, idx) => (
        <span key={idx} class="keys-step">
          {step.split('+').map((key) => (
            <kbd key={key}>{NAMES[key] ?? key.toUpperCase()}</kbd>
          ))}
        </span>
      ))}
    </span>
  );
}
