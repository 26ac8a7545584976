/**
 * Keeps drafts with the server, so that they are found in each browser that the person signs in to.
 * What is written here counts here at once and waits until the server has it. Of two texts for one
 * conversation the one that was written later counts: each is sent with its age, because clocks
 * differ. Nothing is changed under somebody's hands. Without a DOM.
 */

import type { ReadonlySignal } from '@preact/signals-core';
import type { Link } from '../client/connection.ts';
import type { Clock } from '../client/ports.ts';
import { type Drafts, isEmpty, NOTHING, same, type Words } from './drafts.ts';
import { isHopeless, Keeping } from './keeping.ts';
import type { Session } from './session.ts';

export interface KeptDraftsOptions {
  drafts: Drafts;
  clock: Clock;
  ask: Session['ask'];
  link: ReadonlySignal<Link>;
  /** The newest version that a socket told of. */
  told: ReadonlySignal<number>;
  /** The server will not take what was written. */
  onRefused(): void;
}

interface Stored extends Words {
  conversation: string;
}

const PATH = '/v1/agents/me/drafts';
/** What is written within this time is saved together. */
const PAUSE_MS = 1_000;

export class KeptDrafts {
  readonly #options: KeptDraftsOptions;
  readonly #keeping: Keeping;
  /** What the server may have something of. */
  readonly #there: Set<string>;
  /** Is not sent again before it is written again. */
  readonly #resting = new Set<string>();
  /** What stays as it is only because the person's hands are on it: there is a later text. */
  readonly #outdated = new Set<string>();
  /** Of these the person knows that they stay here. */
  readonly #told = new Set<string>();

  constructor(options: KeptDraftsOptions) {
    this.#options = options;
    const { drafts, clock, link, told } = options;
    this.#there = new Set(drafts.held.peek());
    drafts.listener = {
      written: (id) => this.#written(id),
      left: (id) => this.#left(id),
    };
    this.#keeping = new Keeping({
      clock,
      link,
      told,
      read: () => this.#read(),
      save: (known) => this.#save(known),
      unsaved: () => this.#pending().length > 0,
    });
  }

  close(): void {
    this.#options.drafts.listener = null;
    this.#keeping.close();
  }

  #written(id: string): void {
    this.#resting.delete(id);
    this.#outdated.delete(id);
    const { drafts } = this.#options;
    const words = drafts.words(id);
    // What was sent or cleared is not to stand elsewhere for another moment.
    if (!isEmpty(words)) this.#keeping.saveIn(PAUSE_MS);
    else if (this.#there.has(id)) this.#keeping.saveNow();
    else drafts.settle(id, words);
  }

  #left(id: string): void {
    const { drafts } = this.#options;
    if (this.#outdated.delete(id)) {
      this.#resting.delete(id);
      drafts.settle(id, drafts.words(id));
      this.#keeping.readAnew();
    } else if (drafts.unsaved.has(id)) {
      this.#keeping.saveNow();
    }
  }

  #pending(): string[] {
    return [...this.#options.drafts.unsaved].filter((id) => !this.#resting.has(id));
  }

  async #read(): Promise<number> {
    const { ask, drafts } = this.#options;
    const { body } = await ask<{ version: number; items: Stored[] }>('GET', PATH);
    if (this.#keeping.over) return body.version;
    const items = new Map(body.items.map((item) => [item.conversation, item]));
    this.#there.clear();
    for (const id of items.keys()) this.#there.add(id);
    for (const id of new Set([...items.keys(), ...drafts.held.peek()])) {
      if (!drafts.unsaved.has(id)) drafts.show(id, items.get(id) ?? NOTHING);
    }
    return body.version;
  }

  async #save(known: number): Promise<number> {
    let version = known;
    for (const id of this.#pending()) version = await this.#saveOne(id, version);
    return version;
  }

  async #saveOne(id: string, known: number): Promise<number> {
    const { ask, clock, drafts } = this.#options;
    const words = drafts.words(id);
    const age_ms = Math.max(0, clock.now() - drafts.of(id).at);
    // Also while it is on its way: what is cleared meanwhile has to be taken back.
    this.#there.add(id);
    try {
      const { body } = await ask<{ version: number; draft: Stored | null }>(
        'PUT',
        `${PATH}/${id}`,
        { body: { ...words, age_ms } },
      );
      if (!this.#keeping.over) this.#take(id, words, body.draft ?? NOTHING);
      // Of a greater step something was ours, and the rest is to be read.
      return body.version <= known + 1 ? body.version : known;
    } catch (error) {
      if (!isHopeless(error)) throw error;
      this.#refused(id);
      return known;
    }
  }

  #take(id: string, sent: Words, kept: Words): void {
    const { drafts } = this.#options;
    if (isEmpty(kept)) this.#there.delete(id);
    this.#told.delete(id);
    if (!same(sent, kept) && same(sent, drafts.words(id))) {
      if (drafts.isInHand(id)) {
        this.#outdated.add(id);
        this.#resting.add(id);
      } else {
        drafts.show(id, kept);
      }
    } else {
      drafts.settle(id, sent);
    }
  }

  #refused(id: string): void {
    this.#resting.add(id);
    if (this.#told.has(id)) return;
    this.#told.add(id);
    this.#options.onRefused();
  }
}
