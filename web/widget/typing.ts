/** Tells that the visitor types, seldom enough, and that it is over after a pause. */

import type { Cancel, Clock } from '../client/ports.ts';

const EVERY_MS = 3_000;
const PAUSE_MS = 4_000;

export class Typing {
  readonly #clock: Clock;
  readonly #tell: (on: boolean, text: string) => void;
  #until = 0;
  #pause: Cancel | null = null;

  constructor(clock: Clock, tell: (on: boolean, text: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** `text` is what is there now; none ends it. */
  typed(text: string): void {
    const on = text !== '';
    this.#pause?.();
    this.#pause = on ? this.#clock.after(PAUSE_MS, () => this.typed('')) : null;
    const now = this.#clock.now();
    if (on ? now < this.#until : this.#until === 0) return;
    this.#until = on ? now + EVERY_MS : 0;
    this.#tell(on, text);
  }
}
