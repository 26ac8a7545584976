/** The cards of conversations. */

import { type Signal, signal } from '@preact/signals-core';
import type { Card } from './frames.ts';

/** Every card known, once, whichever list or conversation it came by. */
export class Cards {
  readonly #cards = new Map<string, Signal<Card | null>>();

  of(id: string): Signal<Card | null> {
    let card = this.#cards.get(id);
    if (card === undefined) {
      card = signal<Card | null>(null);
      this.#cards.set(id, card);
    }
    return card;
  }

  /** Takes a card unless a newer one of the same history is held. */
  put(card: Card): void {
    const held = this.of(card.id);
    const before = held.peek();
    if (before !== null && before.log === card.log && before.head > card.head) return;
    held.value = card;
  }
}
