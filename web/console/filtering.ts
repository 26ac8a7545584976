/**
 * A search narrowed to one of the lists, and those that a person keeps under a name: theirs in each
 * of their browsers. Without a DOM.
 */

import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import type { Card } from '../client/frames.ts';
import { FILTERS, type FilterName, fits } from './inbox.ts';
import type { Search } from './search.ts';

/** What a person looks for again and again. */
export interface SavedFilter {
  name: string;
  /** Within which list. */
  list: FilterName;
  text: string;
}

/** As many as are seen at a glance, below the lists. */
export const SAVED_MAX = 12;
export const NAME_MAX = 40;
/** As long as the server looks for. */
const TEXT_MAX = 200;
/** As many as the server finds at most, of all lists: `FOUND_MAX` there. */
export const FOUND_MAX = 50;

export interface FilteringOptions {
  search: Search;
  cardOf(id: string): ReadonlySignal<Card | null>;
  /** Whose conversations are mine. */
  me: string;
  saved: Signal<readonly SavedFilter[]>;
}

export class Filtering {
  /** Whether anything is looked for. */
  readonly searches: ReadonlySignal<boolean>;
  /** To which list a search is narrowed; `all` is no narrowing. */
  readonly list: ReadonlySignal<FilterName>;
  /** What was found there; `null` while nothing is looked for. */
  readonly found: ReadonlySignal<readonly string[] | null>;
  /** What is to be said where more may fit than the server finds; `null` for nothing. */
  readonly notice: ReadonlySignal<string | null>;
  readonly saved: ReadonlySignal<readonly SavedFilter[]>;
  /** The saved one that is shown; `null` for none. */
  readonly now: ReadonlySignal<SavedFilter | null>;

  readonly #options: FilteringOptions;
  readonly #list = signal<FilterName>('all');

  constructor(options: FilteringOptions) {
    this.#options = options;
    const { search, cardOf, me, saved } = options;
    this.searches = computed(() => search.text.value.trim() !== '');
    this.list = this.#list;
    this.saved = saved;
    this.found = computed(() => {
      const list = this.#list.value;
      const all = search.found.value;
      if (all === null || list === 'all') return all;
      return all.filter((id) => {
        const card = cardOf(id).value;
        return card !== null && fits(list, card, me);
      });
    });
    this.notice = computed(() => {
      if ((search.found.value?.length ?? 0) < FOUND_MAX || search.state.value === 'failed') {
        return null;
      }
      // The narrowing is ours: what else is in that list was never looked at.
      const shown =
        this.#list.value === 'all'
          ? `These are the newest ${FOUND_MAX}.`
          : `Only the newest ${FOUND_MAX} of all lists were looked through.`;
      return `${shown} There may be more: add a word.`;
    });
    this.now = computed(() => {
      const text = search.text.value.trim();
      const list = this.#list.value;
      return saved.value.find((one) => one.text === text && one.list === list) ?? null;
    });
  }

  /** Looks for words, in the list that was chosen; without words that choice ends. */
  look(text: string): void {
    if (text.trim() === '') this.#list.value = 'all';
    this.#options.search.look(text);
  }

  narrow(list: FilterName): void {
    this.#list.value = list;
  }

  /** Looks for words in that list. */
  find(text: string, list: FilterName): void {
    this.#list.value = list;
    this.#options.search.look(text);
  }

  /** Keeps what is looked for now, in the place of another of that name. */
  keep(name: string): void {
    const { saved, search } = this.#options;
    const kept = { name: name.trim(), list: this.#list.peek(), text: search.text.peek().trim() };
    const others = saved.peek().filter((one) => one.name !== kept.name);
    saved.value = [...others, kept];
  }

  /** What speaks against keeping it under that name; `null` for nothing. */
  refusal(name: string): string | null {
    const saved = this.#options.saved.peek();
    const known = saved.some((one) => one.name === name.trim());
    if (name.trim() === '') return 'Give it a name.';
    if (!known && saved.length >= SAVED_MAX) return `There are ${SAVED_MAX} already.`;
    return null;
  }

  remove(name: string): void {
    const { saved } = this.#options;
    saved.value = saved.peek().filter((one) => one.name !== name);
  }
}

/** What of something that was kept somewhere are saved filters. */
export function savedIn(kept: unknown): readonly SavedFilter[] {
  if (!Array.isArray(kept)) return [];
  const names = new Set<string>();
  return kept.filter(isSaved).flatMap(({ name, list, text }) => {
    if (names.has(name) || names.size >= SAVED_MAX) return [];
    names.add(name);
    return [{ name, list, text }];
  });
}

function isSaved(kept: unknown): kept is SavedFilter {
  if (typeof kept !== 'object' || kept === null) return false;
  const { name, list, text } = kept as Partial<SavedFilter>;
  return (
    isText(name, NAME_MAX) && isText(text, TEXT_MAX) && FILTERS.some((known) => known === list)
  );
}

function isText(kept: unknown, max: number): boolean {
  return typeof kept === 'string' && kept.trim() !== '' && kept.length <= max;
}
