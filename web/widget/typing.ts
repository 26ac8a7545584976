/** Tells that the visitor types, seldom enough, and that it is over after a pause. */

import type { Cancel, Clock } from '../client/ports.ts';

/** Between two words of it, and from the last one until it is over. */
const EVERY_MS = 3_000;

export class Typing {
  readonly #clock: Clock;
  readonly #tell: (text: string) => void;
  /** Until when nothing new is told; 0 when nobody types. */
  #until = 0;
  #next: Cancel | null = null;

  /** `tell` is told what is there; nothing when it is over. */
  constructor(clock: Clock, tell: (text: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** `text` is what is there now; none ends it. What comes too soon is told a little later. */
  typed(text: string): void {
    this.#next?.();
    if (!text && !this.#until) return;
    const now = this.#clock.now();
    const early = text && now < this.#until;
    const wait_ms = early ? this.#until - now : EVERY_MS;
    this.#next = this.#clock.after(wait_ms, () => this.typed(early ? text : ''));
    if (early) return;
    this.#until = text ? now + EVERY_MS : 0;
    this.#tell(text);
  }
}
