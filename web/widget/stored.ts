/** What one page keeps for the next besides messages: half-written words, answers, settings of one's own. */

import { signal } from '@preact/signals-core';
import type { Cancel, Clock, KeyStore } from '../client/ports.ts';
import { READ } from './keys.ts';
import { parse } from './visitor.ts';

/** What the visitor said before the chat. */
export interface Answers {
  /** By the names of the fields; absent while the form is not sent. */
  fields?: Record<string, string>;
  department?: string;
  /** Where to write to, left while waiting. */
  email?: string;
}

/** The first item that is seen, how far below the upper edge, and the last of the others seen. */
export type Place = readonly [key: string, below: number, seen: string];

const ANSWERS = 'answers';
const UNSENT = 'unsent';
const SOUND = 'sound';
const PLACE = 'place';
/** Changes this close to each other are kept once. */
const SAVE_MS = 300;

export class Stored {
  readonly answers = signal<Answers>({});
  /** What is not sent yet. */
  readonly draft = signal('');
  readonly sound = signal(false);
  /** Where an earlier page was left in the transcript; `null` for its end. */
  place: Place | null = null;

  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #saving = new Map<string, Cancel>();

  constructor(store: KeyStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Reads what an earlier page left. */
  async restore(): Promise<void> {
    // Each takes a way to the host's page and back: so they go together.
    const kept = await Promise.all(
      [ANSWERS, UNSENT, SOUND, PLACE].map((key) => this.#store.get(key)),
    );
    const [answers = null, draft, sound, place = null] = kept;
    this.answers.value = parse<Answers>(answers) ?? {};
    this.draft.value = draft ?? '';
    this.sound.value = sound !== null;
    this.place = parse<Place>(place);
  }

  /** The visitor changes what is not sent yet. */
  write(text: string): void {
    this.draft.value = text;
    this.#keep(UNSENT, text || null, SAVE_MS);
  }

  /** The visitor reads at another place, where the next page will go on; `null` is the end. */
  stay(place: Place | null): void {
    if (place === null && this.place === null) return;
    this.place = place;
    this.#keep(PLACE, place && JSON.stringify(place), SAVE_MS);
  }

  answer(more: Answers): void {
    this.answers.value = { ...this.answers.peek(), ...more };
    this.#keep(ANSWERS, JSON.stringify(this.answers.peek()));
  }

  /** The visitor has read up to an event. Other tabs hear of it at once: they may be about to sound. */
  read(end: string | null): void {
    this.#keep(READ, end);
  }

  hear(on: boolean): void {
    this.sound.value = on;
    this.#keep(SOUND, on ? '1' : null);
  }

  /** `null` removes. */
  #keep(key: string, text: string | null, after_ms = 0): void {
    this.#saving.get(key)?.();
    const save = () => void (text === null ? this.#store.remove(key) : this.#store.set(key, text));
    this.#saving.set(key, this.#clock.after(after_ms, save));
  }
}
