/**
 * One stream of one conversation as this client knows it: a contiguous run of events.
 *
 * The rule (P5): `seq == last + 1` is applied, `seq <= last` is dropped, anything later means that
 * something was missed and is fetched after `last`. Nothing but an event moves `last`; an ack does not.
 */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import type { Event } from './frames.ts';

export interface Taken {
  /** What was applied now, in order. */
  applied: readonly Event[];
  /** Whether something was missed before what came. */
  gap: boolean;
}

const NOTHING: readonly Event[] = [];

export class StreamLog {
  readonly #events = signal<readonly Event[]>(NOTHING);
  #log: string | null = null;
  #last = 0;
  #head = 0;

  /** The history these positions are of; `null` before the first subscription. */
  get log(): string | null {
    return this.#log;
  }

  /** The position applied last. */
  get last(): number {
    return this.#last;
  }

  /** The highest position known to exist. */
  get head(): number {
    return this.#head;
  }

  /** Whether something is known to exist that was not applied. */
  get behind(): boolean {
    return this.#last < this.#head;
  }

  /** The lowest position held; one above `last` when none is. */
  get first(): number {
    return this.#events.peek()[0]?.seq ?? this.#last + 1;
  }

  get events(): ReadonlySignal<readonly Event[]> {
    return this.#events;
  }

  /** Forgets positions but keeps showing what is held until the server says what counts. */
  forget(): void {
    this.#log = null;
  }

  /** A subscription was answered: goes on after `last`, or begins anew at `from`. */
  subscribed(mode: 'replay' | 'snapshot', log: string, from: number, head: number): void {
    if (mode === 'snapshot' || (this.#log !== null && log !== this.#log) || from > this.#last + 1) {
      this.#events.value = NOTHING;
      this.#last = from - 1;
      this.#head = 0;
    }
    this.#log = log;
    this.#head = Math.max(this.#head, head);
  }

  /** Events in rising order, from the live stream, a replay or a fetch. */
  take(events: readonly Event[]): Taken {
    const applied: Event[] = [];
    let gap = false;
    for (const event of events) {
      this.#head = Math.max(this.#head, event.seq);
      if (event.seq === this.#last + 1) {
        this.#last = event.seq;
        applied.push(event);
      } else if (event.seq > this.#last) {
        gap = true;
      }
    }
    if (applied.length > 0) this.#events.value = [...this.#events.peek(), ...applied];
    return { applied, gap };
  }

  /** Older events, asked for by `fetch before`: those that join on are put in front. */
  takeOlder(events: readonly Event[]): void {
    const older: Event[] = [];
    let next = this.first - 1;
    for (let i = events.length - 1; i >= 0; i -= 1) {
      const event = events[i];
      if (event === undefined || event.seq > next) continue;
      if (event.seq < next) break;
      older.unshift(event);
      next -= 1;
    }
    if (older.length > 0) this.#events.value = [...older, ...this.#events.peek()];
  }
}
