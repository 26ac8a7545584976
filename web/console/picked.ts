/**
 * Conversations picked from a list, to do the same with all of them. Only what the list shows can
 * be picked: nothing happens to a conversation that nobody sees. Without a DOM.
 */

import { computed, type ReadonlySignal, signal } from '@preact/signals-core';

/** More at once is a mistake more often than not, and much to ask of the server. */
export const PICKED_MAX = 100;

const NONE: readonly string[] = [];

export class Picked {
  /** In the order of the list. */
  readonly ids: ReadonlySignal<readonly string[]>;
  readonly #shown: ReadonlySignal<readonly string[]>;
  readonly #chosen = signal<ReadonlySet<string>>(new Set());
  /** The one that was picked last: a range begins there. */
  #anchor: string | null = null;

  constructor(shown: ReadonlySignal<readonly string[]>) {
    this.#shown = shown;
    this.ids = computed(() => {
      const chosen = this.#chosen.value;
      return chosen.size === 0 ? NONE : shown.value.filter((id) => chosen.has(id));
    });
  }

  /** Whether a row shows as picked. */
  has(id: string): boolean {
    return this.#chosen.value.has(id);
  }

  /** Picks one, or puts it back. Says whether there was room for it. */
  toggle(id: string): boolean {
    const chosen = new Set(this.ids.peek());
    if (chosen.delete(id)) {
      this.#chosen.value = chosen;
      return true;
    }
    return this.#add([id]);
  }

  /** Picks all from the one picked last up to this one. Says whether there was room for them. */
  to(id: string): boolean {
    const shown = this.#shown.peek();
    const from = this.#anchor === null ? -1 : shown.indexOf(this.#anchor);
    const end = shown.indexOf(id);
    if (end < 0) return true;
    const first = from < 0 ? end : Math.min(from, end);
    const range = shown.slice(first, Math.max(from, end) + 1);
    // Should not all of them fit, those next to where it began are the ones that were meant.
    return this.#add(from > end ? range.reverse() : range);
  }

  /** Only these stay picked. */
  keep(ids: readonly string[]): void {
    this.#chosen.value = new Set(ids);
    if (ids.length === 0) this.#anchor = null;
  }

  clear(): void {
    if (this.#chosen.peek().size > 0) this.keep([]);
  }

  #add(ids: readonly string[]): boolean {
    const chosen = new Set(this.ids.peek());
    for (const id of ids) {
      if (chosen.size >= PICKED_MAX) break;
      chosen.add(id);
      this.#anchor = id;
    }
    this.#chosen.value = chosen;
    return ids.every((id) => chosen.has(id));
  }
}
