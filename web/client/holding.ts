/**
 * Lets messages wait for a moment before they go, so that they can be taken back. They are in the
 * outbox all the while: written down like any other, so that the next page sends what this one did
 * not, and in its order, which nothing overtakes.
 */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import type { SendKind } from './frames.ts';
import type { Outbox } from './outbox.ts';
import type { Clock } from './ports.ts';

export interface HoldingOptions {
  outbox: Outbox;
  clock: Clock;
  newId(): string;
}

export class Holding {
  /** Until when each waits, by the entry, in milliseconds since the epoch. */
  readonly until: ReadonlySignal<ReadonlyMap<string, number>>;
  readonly #until = signal<ReadonlyMap<string, number>>(new Map());
  readonly #options: HoldingOptions;

  constructor(options: HoldingOptions) {
    this.#options = options;
    this.until = this.#until;
    options.outbox.holds = ({ id }) => this.#until.peek().has(id);
  }

  /** Sends after some milliseconds; 0 is at once. */
  send(
    conversation: string,
    kind: SendKind,
    text: string,
    ifHead: number | null,
    ms: number,
  ): void {
    const { outbox, clock, newId } = this.#options;
    const id = newId();
    if (ms > 0) {
      this.#until.value = new Map(this.#until.peek()).set(id, clock.now() + ms);
      clock.after(ms, () => this.#over([id]));
    }
    outbox.enlist(conversation, { id, kind, text, ifHead, at: clock.now() });
  }

  /** Sends all of it now: the page may not be there for it later. */
  release(): void {
    this.#over([...this.#until.peek().keys()]);
  }

  #over(ids: readonly string[]): void {
    const left = new Map(this.#until.peek());
    for (const id of ids) left.delete(id);
    this.#until.value = left;
    this.#options.outbox.pump();
  }
}
