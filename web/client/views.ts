/** Live lists: the server says what is in them, this side sorts what it was told. */

import { computed, type ReadonlySignal, signal } from '@preact/signals-core';
import type { Cards } from './cards.ts';
import type { Card, ClientFrame, ViewFrame, ViewQuery, ViewSort } from './frames.ts';

export interface ViewOptions {
  query: ViewQuery;
  sort: ViewSort;
  limit: number;
  cards: Cards;
  newId(): string;
  transmit(frame: ClientFrame): boolean;
}

export class View {
  /** The cards of the list, sorted. */
  readonly rows: ReadonlySignal<readonly Card[]>;
  /** How many there are, which may be more than the list holds. */
  readonly total: ReadonlySignal<number>;
  readonly loaded: ReadonlySignal<boolean>;
  /** Grows with each frame: for readers who sort when they find the time. */
  readonly news: ReadonlySignal<number>;

  readonly #options: ViewOptions;
  readonly #ids = signal<ReadonlySet<string>>(new Set());
  readonly #total = signal(0);
  readonly #loaded = signal(false);
  readonly #news = signal(0);
  #ref: string | null = null;
  #version = 0;

  constructor(options: ViewOptions) {
    this.#options = options;
    this.total = this.#total;
    this.loaded = this.#loaded;
    this.news = this.#news;
    this.rows = computed(() => {
      const cards: Card[] = [];
      for (const id of this.#ids.value) {
        const card = options.cards.of(id).value;
        if (card !== null) cards.push(card);
      }
      return cards.sort(ORDERS[options.sort]);
    });
  }

  /** The conversations in it, in no order; another set as soon as others are in it. */
  get ids(): ReadonlySet<string> {
    return this.#ids.peek();
  }

  get ref(): string | null {
    return this.#ref;
  }

  /** Asks for the list, on a new connection or after a gap; what is held stays until answered. */
  watch(): void {
    this.#ref = this.#options.newId();
    this.#version = 0;
    const { query, sort, limit } = this.#options;
    this.#options.transmit({ type: 'watch', ref: this.#ref, view: query, sort, limit });
  }

  unwatch(): void {
    if (this.#ref !== null) this.#options.transmit({ type: 'unwatch', ref: this.#ref });
    this.#ref = null;
  }

  take(frame: ViewFrame): void {
    if (frame.snapshot != null) {
      for (const card of frame.snapshot) this.#options.cards.put(card);
      this.#ids.value = new Set(frame.snapshot.map((card) => card.id));
      this.#loaded.value = true;
    } else if (!this.#loaded.peek() || frame.version !== this.#version + 1) {
      this.unwatch();
      this.watch();
      return;
    } else {
      this.#change(frame.changes ?? []);
    }
    this.#version = frame.version;
    this.#total.value = frame.total;
    this.#news.value = this.#news.peek() + 1;
  }

  #change(changes: readonly ({ put: Card } | { drop: string })[]): void {
    const before = this.#ids.peek();
    let ids: Set<string> | null = null;
    for (const change of changes) {
      if ('put' in change) this.#options.cards.put(change.put);
      const id = 'put' in change ? change.put.id : change.drop;
      if ((ids ?? before).has(id) === 'put' in change) continue;
      // Most changes are of what is in it already, and there may be thousands.
      ids ??= new Set(before);
      if ('put' in change) ids.add(id);
      else ids.delete(id);
    }
    if (ids !== null) this.#ids.value = ids;
  }
}

/** How lists are sorted. */
export const ORDERS: Record<ViewSort, (a: Card, b: Card) => number> = {
  waiting: byWait,
  recent: byRecency,
};

/** Longest waiting first, then what is not in line. */
function byWait(a: Card, b: Card): number {
  return (
    Number(a.waiting_since == null) - Number(b.waiting_since == null) ||
    compare(a.waiting_since ?? a.created_at, b.waiting_since ?? b.created_at) ||
    a.number - b.number
  );
}

/** Latest word first. */
function byRecency(a: Card, b: Card): number {
  return compare(b.last_at, a.last_at) || b.number - a.number;
}

/** RFC 3339 in UTC with milliseconds sorts as text. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
