/**
 * Conversations that a person marked as unread, to come back to. A mark is theirs alone and kept in
 * this browser: what they have read stays read, for the visitor and for everybody else. Without a
 * DOM.
 */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import type { KeyStore } from '../client/ports.ts';

export const MARKS_KEY = 'marks';
/** Whoever marks more than this loses the oldest. */
const MARKS_MAX = 500;

export class Marks {
  readonly ids: ReadonlySignal<ReadonlySet<string>>;
  readonly #ids = signal<ReadonlySet<string>>(new Set());
  readonly #store: KeyStore;

  constructor(store: KeyStore) {
    this.#store = store;
    this.ids = this.#ids;
  }

  /** Reads what was kept, at the start and when another tab has changed it. */
  async restore(): Promise<void> {
    this.#ids.value = new Set(parse(await this.#store.get(MARKS_KEY)));
  }

  set(id: string, on: boolean): void {
    if (on === this.#ids.peek().has(id)) return;
    const others = [...this.#ids.peek()].filter((other) => other !== id);
    const kept = on ? [...others, id].slice(-MARKS_MAX) : others;
    this.#ids.value = new Set(kept);
    void this.#store.set(MARKS_KEY, JSON.stringify(kept));
  }
}

function parse(text: string | null): string[] {
  try {
    const kept: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(kept) ? kept.filter((id) => typeof id === 'string') : [];
  } catch {
    return [];
  }
}
