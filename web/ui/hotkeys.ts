/**
 * Keys that do things: single keys (`j`), with modifiers (`mod+k`), and sequences (`g i`).
 *
 * Single keys can be switched off (WCAG 2.1.4) and are never taken from somebody who writes;
 * those with Ctrl, Command or Alt work everywhere.
 */

import type { Cancel, Clock } from '../client/ports.ts';

export interface Binding {
  /** Lower case; `mod` is Command on a Mac and Ctrl elsewhere. */
  keys: string;
  run(): void;
  /** Whether it applies now; a key that does not apply is left to others. */
  when?(): boolean;
}

/** What is read of a keyboard event. */
export type Pressed = Pick<
  KeyboardEvent,
  'key' | 'code' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'isComposing' | 'repeat'
>;

/** The second key of a sequence is awaited this long. */
const SEQUENCE_MS = 1_200;

export class Hotkeys {
  /** Whether keys without Ctrl, Command or Alt do anything. */
  singles = true;
  readonly #clock: Clock;
  readonly #bindings: () => readonly Binding[];
  #begun: string | null = null;
  #end: Cancel | null = null;

  constructor(clock: Clock, bindings: () => readonly Binding[]) {
    this.#clock = clock;
    this.#bindings = bindings;
  }

  /** Takes a key, pressed while writing or not; says whether it meant something. */
  press(event: Pressed, writing: boolean): boolean {
    if (event.isComposing) return false;
    const pressed = named(event);
    if (pressed === null) return false;
    const chorded = event.ctrlKey || event.metaKey || event.altKey;
    if (!chorded && (writing || !this.singles)) return false;
    const before = this.#begun;
    this.#forget();
    const applies = (binding: Binding) => binding.when?.() ?? true;
    const find = (keys: string) =>
      this.#bindings().find((binding) => binding.keys === keys && applies(binding));
    const found = (before === null ? undefined : find(`${before} ${pressed}`)) ?? find(pressed);
    if (found !== undefined) {
      found.run();
      return true;
    }
    const begins = this.#bindings().some((binding) => binding.keys.startsWith(`${pressed} `));
    if (!begins || event.repeat) return false;
    this.#begun = pressed;
    this.#end = this.#clock.after(SEQUENCE_MS, () => this.#forget());
    return true;
  }

  #forget(): void {
    this.#end?.();
    this.#end = null;
    this.#begun = null;
  }
}

/** The key as bindings name it; `null` for a modifier alone. */
export function named(event: Pressed): string | null {
  if (['Control', 'Shift', 'Alt', 'Meta', 'AltGraph', 'Dead'].includes(event.key)) return null;
  const letter = letterOf(event);
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push('mod');
  if (event.altKey) parts.push('alt');
  // Signs such as `?` are what they are, whichever keys a layout needs for them.
  if (event.shiftKey && (letter.length > 1 || /[a-z0-9]/.test(letter))) parts.push('shift');
  return [...parts, letter].join('+');
}

/** Latin letters and digits by their place when the layout has others there, or Alt changes them. */
function letterOf({ key, code, altKey, shiftKey }: Pressed): string {
  const placed = /^(?:Key([A-Z])|Digit(\d))$/.exec(code);
  const latin = placed?.[1] ?? (altKey || shiftKey ? placed?.[2] : undefined);
  const foreign = key.length === 1 && key.charCodeAt(0) > 127;
  if (latin !== undefined && (foreign || altKey)) return latin.toLowerCase();
  return key === ' ' ? 'space' : key.toLowerCase();
}
