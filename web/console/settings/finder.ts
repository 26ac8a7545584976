/** Looks for settings of a page by their words. Without a DOM. */

import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import type { Cancel } from '../../client/ports.ts';
import { folded } from '../../ui/fuzzy.ts';

/** One setting: what is said of it, with what is said over its panel. */
interface Setting {
  words: string;
  /** The panel it is in; `null` outside of all. */
  panel: string | null;
}

/** What of its settings a page shows while nothing is looked for. */
export type Shown = 'all' | 'a part';

export class Finder {
  readonly shown: Shown;
  readonly text: Signal<string> = signal('');
  /** How many there are; a panel without settings of its own counts as one. */
  readonly total: ReadonlySignal<number>;
  /** How many of them fit. */
  readonly found: ReadonlySignal<number>;
  readonly #wanted: ReadonlySignal<readonly string[]>;
  readonly #settings: Signal<readonly Setting[]> = signal([]);
  readonly #panels: Signal<ReadonlyMap<string, string>> = signal(new Map());

  constructor(shown: Shown = 'all') {
    this.shown = shown;
    this.#wanted = computed(() => folded(this.text.value).split(/\s+/).filter(Boolean));
    const all = computed(() => {
      const within = new Set(this.#settings.value.map(({ panel }) => panel));
      const alone = [...this.#panels.value].filter(([id]) => !within.has(id));
      return [
        ...this.#settings.value.map(({ words }) => words),
        ...alone.map(([, words]) => words),
      ];
    });
    this.total = computed(() => all.value.length);
    this.found = computed(() => all.value.filter((words) => this.fits(words)).length);
  }

  /** Whether anything is looked for. */
  get looks(): boolean {
    return this.#wanted.value.length > 0;
  }

  /** Whether every word that is looked for is in these; all fits who looks for nothing. */
  fits(words: string): boolean {
    const text = folded(words);
    return this.#wanted.value.every((word) => text.includes(word));
  }

  /** Whether a panel is shown: for its own words or for a setting in it. */
  shows(panel: string, words: string): boolean {
    const inIt = this.#settings.value.filter((setting) => setting.panel === panel);
    return this.fits(words) || inIt.some((setting) => this.fits(setting.words));
  }

  add(setting: Setting): Cancel {
    this.#settings.value = [...this.#settings.peek(), setting];
    return () => {
      this.#settings.value = this.#settings.peek().filter((other) => other !== setting);
    };
  }

  addPanel(id: string, words: string): Cancel {
    this.#panels.value = new Map(this.#panels.peek()).set(id, words);
    return () => {
      const rest = new Map(this.#panels.peek());
      rest.delete(id);
      this.#panels.value = rest;
    };
  }
}
