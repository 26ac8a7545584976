/**
 * The lists of conversations: which one is shown, how many are in each, and in which order. The
 * order follows the server four times a second at most, and not at all while somebody is in the
 * list: nothing moves away under a pointer. Without a DOM.
 */

import {
  batch,
  effect,
  type ReadonlySignal,
  type Signal,
  signal,
  untracked,
} from '@preact/signals-core';
import type { AgentClient } from '../client/agent.ts';
import type { Card, ViewQuery, ViewSort } from '../client/frames.ts';
import type { Cancel, Clock } from '../client/ports.ts';
import { ORDERS, type View } from '../client/views.ts';
import { Order } from './order.ts';

export const FILTERS = ['all', 'unassigned', 'active', 'mine', 'closed'] as const;
export type FilterName = (typeof FILTERS)[number];

const QUERIES: Record<FilterName, { query: ViewQuery; sort: ViewSort }> = {
  all: { query: {}, sort: 'recent' },
  unassigned: { query: { status: 'waiting' }, sort: 'waiting' },
  active: { query: { status: 'active' }, sort: 'recent' },
  mine: { query: { status: 'open', agent: 'me' }, sort: 'recent' },
  closed: { query: { status: 'closed' }, sort: 'recent' },
};

/** Cards kept live per list; what is older is fetched when somebody scrolls there. */
const LIVE_MAX = 200;
const PAGE = 100;
/** Between two sorts. */
export const SORT_MS = 250;
/**
 * A list just shown still takes in what its first snapshot was too early for, also while the focus
 * is in it: that goes along with its row. A pointer would be on another one.
 */
export const SETTLE_MS = 1_000;

/** A page of older conversations, as `GET /v1/conversations` answers. */
export interface OlderPage {
  items: Card[];
  next?: string | null;
}

export interface InboxOptions {
  client: AgentClient;
  clock: Clock;
  /** Whose conversations are mine. */
  me: string;
  /** Rejects when it cannot be had now. */
  older(query: URLSearchParams): Promise<OlderPage>;
}

interface Tail {
  ids: Set<string>;
  /** Where the next page begins; `null` when there is none; `undefined` before the first. */
  next: string | null | undefined;
  loading: boolean;
}

export class Inbox {
  readonly filter: ReadonlySignal<FilterName>;
  /** The conversations shown, in order. */
  readonly order: ReadonlySignal<readonly string[]>;
  /** How many came in that the frozen order does not show yet. */
  readonly fresh: ReadonlySignal<number>;
  readonly loaded: ReadonlySignal<boolean>;
  /** Whether older ones are on their way. */
  readonly fetching: ReadonlySignal<boolean>;

  readonly #options: InboxOptions;
  readonly #filter: Signal<FilterName> = signal('unassigned');
  readonly #order = signal<readonly string[]>([]);
  readonly #fresh = signal(0);
  readonly #loaded = signal(false);
  readonly #fetching = signal(false);
  readonly #holders = new Set<'pointer' | 'focus'>();
  readonly #views: Record<FilterName, Signal<View>>;
  readonly #full = new Set<FilterName>();
  readonly #tails = new Map<FilterName, Tail>();
  readonly #ends: Cancel[];
  readonly #sorter: Order;
  /** What the list shows while its order stays. */
  #frozen: { of: readonly string[]; ids: ReadonlySet<string> } = { of: [], ids: new Set() };
  #due: Cancel | null = null;
  #sortedAt = 0;
  #shownAt = Number.NEGATIVE_INFINITY;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#sorter = new Order((id) => options.client.cards.of(id));
    this.filter = this.#filter;
    this.order = this.#order;
    this.fresh = this.#fresh;
    this.loaded = this.#loaded;
    this.fetching = this.#fetching;
    const watch = (name: FilterName) => signal(this.#watch(name, 0));
    this.#views = {
      all: watch('all'),
      unassigned: watch('unassigned'),
      active: watch('active'),
      mine: watch('mine'),
      closed: watch('closed'),
    };
    // What rings and counts is always held whole.
    for (const name of ['unassigned', 'mine'] as const) this.#widen(name);
    this.#ends = [
      effect(() => {
        const view = this.#views[this.#filter.value].value;
        view.news.value;
        if (view.loaded.value && !this.#loaded.peek()) this.#shownAt = options.clock.now();
        this.#loaded.value = view.loaded.value;
        untracked(() => this.#soon());
      }),
    ];
  }

  close(): void {
    for (const end of this.#ends) end();
    this.#due?.();
  }

  /** Its rows are live but for those that were scrolled to. */
  view(name: FilterName): View {
    return this.#views[name].value;
  }

  count(name: FilterName): number {
    return this.#views[name].value.total.value;
  }

  choose(name: FilterName): void {
    if (name === this.#filter.peek()) return;
    batch(() => {
      this.#widen(name);
      this.#filter.value = name;
    });
    this.#shownAt = this.#options.clock.now();
    this.show();
  }

  /** While a pointer or the focus is in the list, its order stays. */
  hold(by: 'pointer' | 'focus', on: boolean): void {
    if (on) this.#holders.add(by);
    else this.#holders.delete(by);
    if (this.#holders.size === 0) this.#soon();
  }

  /** Shows the list as it is now. */
  show(): void {
    this.#due?.();
    this.#due = null;
    this.#sortedAt = this.#options.clock.now();
    batch(() => {
      this.#fresh.value = 0;
      this.#set(this.#sorted());
    });
  }

  /** Fetches what is older than the list holds. */
  async more(): Promise<void> {
    const name = this.#filter.peek();
    const { query, sort } = QUERIES[name];
    const view = this.#views[name].peek();
    const tail = this.#tails.get(name) ?? { ids: new Set(), next: undefined, loading: false };
    this.#tails.set(name, tail);
    if (tail.loading || tail.next === null || view.ids.size >= view.total.peek()) return;
    tail.loading = true;
    this.#fetching.value = true;
    const asked = new URLSearchParams({ limit: String(PAGE) });
    if (sort === 'waiting') asked.set('sort', sort);
    if (query.status !== undefined) asked.set('status', query.status);
    if (query.agent !== undefined) asked.set('agent', query.agent);
    try {
      // The first pages hold what is kept live.
      for (let news = 0; news === 0 && tail.next !== null; ) {
        if (tail.next !== undefined) asked.set('cursor', tail.next);
        const page = await this.#options.older(asked);
        for (const card of page.items) {
          this.#options.client.learn(card);
          if (!view.ids.has(card.id) && !tail.ids.has(card.id)) news += 1;
          tail.ids.add(card.id);
        }
        tail.next = page.next ?? null;
      }
      this.#set(this.#sorted());
    } catch {
      // The next scroll asks again.
    } finally {
      tail.loading = false;
      this.#fetching.value = false;
    }
  }

  /** The one before or after in the list; the first when there is none to go from. */
  neighbor(id: string | null, step: 1 | -1): string | null {
    const order = this.#order.peek();
    const at = id === null ? -1 : order.indexOf(id);
    if (at < 0) return order[0] ?? null;
    return order[at + step] ?? null;
  }

  /** The one before or after that is not among some. */
  neighborBut(except: ReadonlySet<string>, id: string, step: 1 | -1): string | null {
    const order = this.#order.peek();
    for (let at = order.indexOf(id) + step; order[at] !== undefined; at += step) {
      const other = order[at];
      if (other !== undefined && !except.has(other)) return other;
    }
    return null;
  }

  /** The first that is not among some, also of what is not shown yet. */
  firstBut(except: ReadonlySet<string>): string | null {
    return this.#sorted().find((id) => !except.has(id)) ?? null;
  }

  #watch(name: FilterName, limit: number): View {
    const { query, sort } = QUERIES[name];
    return this.#options.client.watch(query, sort, limit);
  }

  #widen(name: FilterName): void {
    if (this.#full.has(name)) return;
    this.#full.add(name);
    const counting = this.#views[name].peek();
    this.#views[name].value = this.#watch(name, LIVE_MAX);
    this.#options.client.unwatch(counting);
  }

  #soon(): void {
    if (this.#due !== null) return;
    const { clock } = this.#options;
    const wait = Math.max(0, this.#sortedAt + SORT_MS - clock.now());
    this.#due = clock.after(wait, () => {
      this.#due = null;
      this.#sort();
    });
  }

  #sort(): void {
    this.#sortedAt = this.#options.clock.now();
    const sorted = this.#sorted();
    const shown = this.#order.peek();
    const settled = this.#sortedAt - this.#shownAt >= SETTLE_MS;
    const held = this.#holders.has('pointer') || (this.#holders.has('focus') && settled);
    if (held && shown.length > 0) {
      if (this.#frozen.of !== shown) this.#frozen = { of: shown, ids: new Set(shown) };
      const before = this.#frozen.ids;
      this.#fresh.value = sorted.reduce((sum, id) => sum + (before.has(id) ? 0 : 1), 0);
    } else {
      batch(() => {
        this.#fresh.value = 0;
        this.#set(sorted);
      });
    }
  }

  #set(sorted: readonly string[]): void {
    const shown = this.#order.peek();
    const same = shown.length === sorted.length && shown.every((id, idx) => id === sorted[idx]);
    if (!same) this.#order.value = sorted;
  }

  #sorted(): readonly string[] {
    const name = this.#filter.peek();
    const live = this.#views[name].peek().ids;
    const tail = this.#tails.get(name)?.ids;
    const compare = ORDERS[QUERIES[name].sort];
    if (tail === undefined || tail.size === 0) return this.#sorter.sorted(live, compare);
    const ids = new Set(live);
    for (const id of tail) {
      const card = this.#options.client.cards.of(id).peek();
      if (card !== null && fits(name, card, this.#options.me)) ids.add(id);
    }
    return this.#sorter.sorted(ids, compare);
  }
}

/** Whether a conversation belongs to a list, as far as its card says. */
export function fits(name: FilterName, card: Card, me: string): boolean {
  switch (name) {
    case 'all':
      return true;
    case 'unassigned':
      return card.status === 'waiting';
    case 'active':
      return card.status === 'active';
    case 'mine':
      return card.agent?.id === me && card.status !== 'closed';
    case 'closed':
      return card.status === 'closed';
  }
}
