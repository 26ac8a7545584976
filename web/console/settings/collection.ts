/** A list of things of the server: loaded whole, searched here, changed before the server agrees. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import { Refusal } from '../api.ts';
import { inWords } from '../auth/words.ts';
import type { Session } from '../session.ts';
import type { Loading } from './editing.ts';

/** Pages asked for at most: 5,000 things are more than a person looks through. */
const PAGES_MAX = 50;
const PAGE = 100;

interface Page<Item> {
  items: Item[];
  next?: string | null;
}

export class Collection<Item extends { id: string }> {
  readonly state: Signal<Loading> = signal('loading');
  readonly items: Signal<readonly Item[]> = signal([]);
  readonly search = signal('');
  readonly found: ReadonlySignal<readonly Item[]>;
  readonly trouble: Signal<string | null> = signal(null);
  readonly refusal: Signal<string | null> = signal(null);
  readonly #fetch: () => Promise<Item[]>;

  constructor(fetch: () => Promise<Item[]>, words: (item: Item) => string) {
    this.#fetch = fetch;
    this.found = computed(() => {
      const wanted = folded(this.search.value).split(/\s+/).filter(Boolean);
      if (wanted.length === 0) return this.items.value;
      return this.items.value.filter((item) => {
        const text = folded(words(item));
        return wanted.every((word) => text.includes(word));
      });
    });
  }

  async load(): Promise<void> {
    try {
      const items = await this.#fetch();
      batch(() => {
        this.items.value = items;
        this.state.value = 'ready';
        this.trouble.value = null;
      });
    } catch (error) {
      batch(() => {
        this.state.value = 'failed';
        this.refusal.value = error instanceof Refusal ? error.code : 'unknown';
        this.trouble.value = inWords(error);
      });
    }
  }

  /** Puts a thing in, or in the place of the one with its id. */
  put(item: Item): void {
    const items = this.items.peek();
    const known = items.some(({ id }) => id === item.id);
    this.items.value = known
      ? items.map((other) => (other.id === item.id ? item : other))
      : [...items, item];
  }

  drop(id: string): void {
    this.items.value = this.items.peek().filter((item) => item.id !== id);
  }

  /**
   * Shows the change at once and asks the server. When it refuses, the thing is as it was, and the
   * words of the refusal are the answer; `null` when all went well.
   */
  async change(
    id: string,
    change: Partial<Item>,
    ask: (before: Item) => Promise<Item>,
  ): Promise<string | null> {
    const before = this.items.peek().find((item) => item.id === id);
    if (before === undefined) return null;
    this.put({ ...before, ...change });
    try {
      this.put(await ask(before));
      return null;
    } catch (error) {
      this.put(before);
      return inWords(error);
    }
  }

  /** Takes the thing out at once and asks the server; back it comes, in its place, when refused. */
  async remove(id: string, ask: (before: Item) => Promise<unknown>): Promise<string | null> {
    const all = this.items.peek();
    const before = all.find((item) => item.id === id);
    if (before === undefined) return null;
    this.drop(id);
    try {
      await ask(before);
      return null;
    } catch (error) {
      const rest = new Map(this.items.peek().map((item) => [item.id, item]));
      rest.set(id, before);
      const order = [...all.map((item) => item.id), ...rest.keys()];
      this.items.value = [...new Set(order)].flatMap((key) => rest.get(key) ?? []);
      return inWords(error);
    }
  }
}

/** All pages of a list. */
export async function everyPage<Item>(session: Session, path: string): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(cursor && { cursor }) });
    const { body } = await session.ask<Page<Item>>('GET', `${path}?${query}`);
    items.push(...body.items);
    cursor = body.next ?? null;
    if (cursor === null) break;
  }
  return items;
}

/** For comparing: without case and accents. */
export function folded(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase('en');
}
