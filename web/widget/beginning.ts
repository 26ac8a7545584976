/** Begins a chat: in one tab at a time, under one key, again and again until somebody answers. */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import { backoffMs } from '../client/backoff.ts';
import { Problem } from '../client/http.ts';
import type { Cancel, Ports } from '../client/ports.ts';

export interface BeginningOptions {
  ports: Ports;
  /** Looks whether there is a chat by now; another tab may have begun it. */
  look(): Promise<boolean>;
  /** Asks the server for one. The key makes a repetition safe. */
  create(key: string): Promise<void>;
  onRefused(code: string): void;
}

/** Held by the one tab that begins a chat, so that two tabs do not begin two. */
const LOCK = 'beginning';
const PAUSE_MS = 400;
const UNKNOWN = { passing: false, code: 'unknown' };

export class Beginning {
  /** Why it was refused, so that only the visitor can try again; `null` when it was not. */
  readonly refused: ReadonlySignal<string | null>;
  /** Nobody answered yet. */
  readonly waiting: ReadonlySignal<boolean>;

  readonly #options: BeginningOptions;
  readonly #refused = signal<string | null>(null);
  readonly #waiting = signal(false);
  #running = false;
  #again: Cancel | null = null;
  #failures = 0;
  /** One per chat, so that a retry after a lost answer begins no second one. */
  #key: string;

  constructor(options: BeginningOptions) {
    this.#options = options;
    this.refused = this.#refused;
    this.waiting = this.#waiting;
    this.#key = options.ports.newId();
  }

  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#again?.();
    this.#again = null;
    const { ports, look, create, onRefused } = this.#options;
    const release = await ports.locks.claim(LOCK);
    try {
      // Another tab has it (or there are no locks): a moment later its chat is there to join.
      if (release === null) {
        await new Promise<void>((resolve) => void ports.clock.after(PAUSE_MS, resolve));
      }
      if (!(await look())) {
        await create(this.#key);
        this.#key = ports.newId();
      }
      this.#failures = 0;
      this.#refused.value = null;
      this.#waiting.value = false;
    } catch (error) {
      const { passing, code } = error instanceof Problem ? error : UNKNOWN;
      this.#refused.value = passing ? null : code;
      this.#waiting.value = passing;
      if (passing) {
        const wait = backoffMs(2 + this.#failures++, ports.random);
        this.#again = ports.clock.after(wait, () => void this.run());
      } else {
        onRefused(code);
      }
    } finally {
      release?.();
      this.#running = false;
    }
  }
}
