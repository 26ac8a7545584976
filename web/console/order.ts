/**
 * Keeps conversations sorted. Of ten thousand a few change between two sorts: they alone are taken
 * out and put back where they belong now. Without a DOM.
 */

import type { ReadonlySignal } from '@preact/signals-core';
import type { Card } from '../client/frames.ts';

type Compare = (a: Card, b: Card) => number;

interface Place {
  id: string;
  held: ReadonlySignal<Card | null>;
  /** As it was when it got its place. */
  card: Card;
}

export class Order {
  readonly #of: (id: string) => ReadonlySignal<Card | null>;
  #members: ReadonlySet<string> = new Set();
  #compare: Compare | null = null;
  #places: readonly Place[] = [];
  #ids: readonly string[] = [];

  constructor(of: (id: string) => ReadonlySignal<Card | null>) {
    this.#of = of;
  }

  /**
   * The members in order, those that have no card left out. The same array as before when nothing
   * has changed; whoever changes the members gives another set.
   */
  sorted(members: ReadonlySet<string>, compare: Compare): readonly string[] {
    const same = members === this.#members && compare === this.#compare;
    const before = this.#places;
    this.#places = same ? this.#moved(compare) : this.#anew(members, compare);
    this.#members = members;
    this.#compare = compare;
    if (this.#places !== before) this.#ids = this.#places.map(({ id }) => id);
    return this.#ids;
  }

  #anew(members: ReadonlySet<string>, compare: Compare): readonly Place[] {
    const places: Place[] = [];
    // From the order of before: what is almost sorted is sorted in one pass.
    for (const { id, held } of this.#places) if (members.has(id)) put(places, id, held);
    const known = new Set(this.#ids);
    for (const id of members) if (!known.has(id)) put(places, id, this.#of(id));
    return places.sort((a, b) => compare(a.card, b.card));
  }

  #moved(compare: Compare): readonly Place[] {
    const kept: Place[] = [];
    const changed: Place[] = [];
    for (const place of this.#places) {
      if (place.held.peek() === place.card) kept.push(place);
      else put(changed, place.id, place.held);
    }
    // What had no card when the members were first looked at may have one now.
    if (this.#places.length < this.#members.size) return this.#anew(this.#members, compare);
    if (kept.length === this.#places.length) return this.#places;
    changed.sort((a, b) => compare(a.card, b.card));
    return merged(kept, changed, compare);
  }
}

function put(places: Place[], id: string, held: ReadonlySignal<Card | null>): void {
  const card = held.peek();
  if (card !== null) places.push({ id, held, card });
}

function merged(
  kept: readonly Place[],
  changed: readonly Place[],
  compare: Compare,
): readonly Place[] {
  const all: Place[] = [];
  let next = 0;
  for (const place of kept) {
    for (let one = changed[next]; one !== undefined; one = changed[next]) {
      if (compare(one.card, place.card) > 0) break;
      all.push(one);
      next += 1;
    }
    all.push(place);
  }
  all.push(...changed.slice(next));
  return all;
}
