/** The search box over all conversations. The server finds; this asks seldom enough. No DOM. */

import { computed, type ReadonlySignal, signal } from '@preact/signals-core';
import type { AgentClient } from '../client/agent.ts';
import type { Card } from '../client/frames.ts';
import type { Cancel, Clock } from '../client/ports.ts';
import { wordsOf } from '../ui/marked.ts';

export interface SearchOptions {
  client: AgentClient;
  clock: Clock;
  find(text: string): Promise<{ items: Card[] }>;
}

/** A pause in typing that is worth a question. */
const PAUSE_MS = 120;

export class Search {
  readonly text: ReadonlySignal<string>;
  /** What is looked for, as it is compared. */
  readonly words: ReadonlySignal<readonly string[]>;
  /** What was found last, best first; `null` while nothing is looked for. */
  readonly found: ReadonlySignal<readonly string[] | null>;
  readonly state: ReadonlySignal<'ready' | 'asking' | 'failed'>;
  /** Why it failed last. */
  readonly error: ReadonlySignal<unknown>;

  readonly #options: SearchOptions;
  readonly #text = signal('');
  readonly #found = signal<readonly string[] | null>(null);
  readonly #state = signal<'ready' | 'asking' | 'failed'>('ready');
  readonly #error = signal<unknown>(null);
  #pause: Cancel | null = null;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.text = this.#text;
    this.words = computed(() => wordsOf(this.#text.value));
    this.found = this.#found;
    this.state = this.#state;
    this.error = this.#error;
  }

  look(text: string): void {
    this.#text.value = text;
    this.#pause?.();
    this.#pause = null;
    if (text.trim() === '') {
      this.#found.value = null;
      this.#state.value = 'ready';
      return;
    }
    this.#state.value = 'asking';
    this.#pause = this.#options.clock.after(PAUSE_MS, () => void this.again());
  }

  async again(): Promise<void> {
    const asked = this.#text.peek();
    this.#state.value = 'asking';
    try {
      const { items } = await this.#options.find(asked.trim());
      // What was typed meanwhile is asked for by itself.
      if (asked !== this.#text.peek()) return;
      for (const card of items) this.#options.client.learn(card);
      this.#found.value = items.map((card) => card.id);
      this.#state.value = 'ready';
    } catch (error) {
      if (asked !== this.#text.peek()) return;
      this.#error.value = error;
      this.#state.value = 'failed';
    }
  }
}
