/**
 * Keeps what a person likes with their profile on the server, so that it is the same in each browser
 * they sign in to. What is changed here counts here at once, waits in this browser's storage until
 * the server has it, and wins over what was said elsewhere before; each thing goes by its name, so
 * that two browsers which change two things lose neither. Without a DOM.
 */

import { batch, effect, type ReadonlySignal } from '@preact/signals-core';
import type { Link } from '../client/connection.ts';
import type { Cancel, Clock, KeyStore } from '../client/ports.ts';
import { isHopeless, Keeping } from './keeping.ts';
import { isRereading, isUsual, PERSONAL, type Personal, type Prefs, put } from './prefs.ts';
import type { Session } from './session.ts';

export interface ProfileOptions {
  prefs: Prefs;
  /** Whose. */
  person: string;
  /** Of this person in this browser. */
  store: KeyStore;
  clock: Clock;
  ask: Session['ask'];
  link: ReadonlySignal<Link>;
  /** The newest version that a socket told of. */
  told: ReadonlySignal<number>;
  /** The server will never take what was changed here. */
  onRefused(): void;
}

interface Stored {
  version: number;
  values: Record<string, unknown>;
}

const PATH = '/v1/agents/me/preferences';
/** What is changed within this time goes together: a slider is many changes. */
const PAUSE_MS = 800;
const UNSAVED = 'unsaved:';

export class Profile {
  readonly #options: ProfileOptions;
  /** In JSON, as it was found here or read; what differs from it was changed here. */
  readonly #known = new Map<Personal, string>();
  readonly #unsaved = new Set<Personal>();
  readonly #ends: Cancel[] = [];
  readonly #keeping: Keeping;
  /** What this browser kept before there were profiles is taken along once. */
  #takesAlong: boolean;

  /** Shows what this person changed here and the server does not have; the rest comes with it. */
  static async open(options: ProfileOptions): Promise<Profile> {
    const { store } = options;
    const left = new Map<Personal, string>();
    const keys = await store.keys(UNSAVED);
    for (const name of PERSONAL.filter((one) => keys.includes(UNSAVED + one))) {
      left.set(name, (await store.get(UNSAVED + name)) ?? '');
    }
    return new Profile(options, left);
  }

  private constructor(options: ProfileOptions, left: ReadonlyMap<Personal, string>) {
    this.#options = options;
    const { prefs, person, clock, link, told } = options;
    this.#takesAlong = prefs.of.peek() === '';
    batch(() => {
      if (!this.#takesAlong && prefs.of.peek() !== person) {
        // What somebody else likes is not shown to this one, not even until the server answers.
        for (const name of PERSONAL) put(prefs, name, undefined);
        prefs.of.value = person;
      }
      for (const [name, text] of left) {
        put(prefs, name, parsed(text));
        this.#unsaved.add(name);
      }
    });
    for (const name of PERSONAL) {
      this.#known.set(name, this.#text(name));
      this.#ends.push(effect(() => this.#look(name, JSON.stringify(prefs[name].value))));
    }
    this.#keeping = new Keeping({
      clock,
      link,
      told,
      read: () => this.#read(),
      save: (known) => this.#save(known),
      unsaved: () => this.#unsaved.size > 0,
    });
  }

  /** What is not saved by then waits for the next time that the person is here. */
  close(): void {
    this.#keeping.close();
    for (const end of this.#ends) end();
  }

  #look(name: Personal, text: string): void {
    if (text === this.#known.get(name)) return;
    this.#known.set(name, text);
    if (isRereading()) return;
    this.#unsaved.add(name);
    void this.#options.store.set(UNSAVED + name, text);
    this.#keeping.saveIn(PAUSE_MS);
  }

  async #read(): Promise<number> {
    return this.#take((await this.#options.ask<Stored>('GET', PATH)).body);
  }

  async #save(known: number): Promise<number> {
    const { ask, prefs, onRefused } = this.#options;
    const sent = new Map([...this.#unsaved].map((name) => [name, this.#text(name)]));
    const values = Object.fromEntries([...sent.keys()].map((name) => [name, prefs[name].peek()]));
    try {
      const stored = await ask<Stored>('PATCH', PATH, { body: { values } });
      this.#settle(sent);
      return this.#take(stored.body);
    } catch (error) {
      if (!isHopeless(error)) throw error;
      this.#settle(sent);
      onRefused();
      return known;
    }
  }

  /** What was not changed again since it was sent is no longer ours to save. */
  #settle(sent: ReadonlyMap<Personal, string>): void {
    for (const [name, text] of sent) {
      if (this.#text(name) !== text) continue;
      this.#unsaved.delete(name);
      void this.#options.store.remove(UNSAVED + name);
    }
  }

  #take({ version, values }: Stored): number {
    if (this.#keeping.over) return version;
    const { prefs } = this.#options;
    batch(() => {
      for (const name of PERSONAL) {
        if (this.#unsaved.has(name)) continue;
        if (this.#takesAlong && !(name in values)) this.#offer(name);
        else this.#show(name, values[name]);
      }
      prefs.of.value = this.#options.person;
    });
    this.#takesAlong = false;
    return version;
  }

  #show(name: Personal, value: unknown): void {
    put(this.#options.prefs, name, value);
    this.#known.set(name, this.#text(name));
  }

  /** Saves what this browser kept under the name, if it is not as usual anyway. */
  #offer(name: Personal): void {
    if (isUsual(this.#options.prefs, name)) return;
    this.#unsaved.add(name);
    this.#keeping.saveNow();
  }

  #text(name: Personal): string {
    return JSON.stringify(this.#options.prefs[name].peek());
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
