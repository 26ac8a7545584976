/** Whether somebody writes at this moment: what can wait waits until then. Without a DOM. */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import type { Cancel, Clock } from '../client/ports.ts';

/** After the last letter: a pause in a sentence is shorter. */
export const WRITING_MS = 8_000;

export class Writing {
  readonly now: ReadonlySignal<boolean>;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #now = signal(false);
  #end: Cancel | null = null;

  constructor(clock: Pick<Clock, 'after'>) {
    this.#clock = clock;
    this.now = this.#now;
  }

  /** A letter was written or taken away. */
  wrote(): void {
    this.#now.value = true;
    this.#end?.();
    this.#end = this.#clock.after(WRITING_MS, () => this.done());
  }

  /** What was written is sent, or left. */
  done(): void {
    this.#end?.();
    this.#end = null;
    this.#now.value = false;
  }
}
