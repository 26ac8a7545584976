/**
 * Keeps something of a person's in step with the server: reads what is newer and saves what was
 * changed here, one after the other, and tries again what could not be had. Without a DOM.
 */

import { computed, effect, type ReadonlySignal, untracked } from '@preact/signals-core';
import type { Link } from '../client/connection.ts';
import { Problem } from '../client/http.ts';
import type { Cancel, Clock } from '../client/ports.ts';

export interface KeepingOptions {
  clock: Clock;
  link: ReadonlySignal<Link>;
  /** The newest version that a socket told of. */
  told: ReadonlySignal<number>;
  /** Shows what the server has, and answers of which version that is. */
  read(): Promise<number>;
  /** Saves what was changed here, and answers the version that is known then. */
  save(known: number): Promise<number>;
  /** Whether something was changed here that the server does not have. */
  unsaved(): boolean;
}

/** What failed is tried again after this, or with the next connection. */
const RETRY_MS = 30_000;
/** Answers after which the same change would be refused again: it is too large, or no change. */
const HOPELESS: readonly number[] = [400, 413, 422];

export class Keeping {
  readonly #options: KeepingOptions;
  readonly #ends: Cancel[];
  /** Of what was read last; -1 when a newer one may have been missed. */
  #version = -1;
  /** Whether to look if there is a newer one. */
  #wanted = false;
  #timer: Cancel | null = null;
  #due = false;
  #busy = false;
  #over = false;

  constructor(options: KeepingOptions) {
    this.#options = options;
    const { link, told } = options;
    const ready = computed(() => link.value.state === 'ready');
    this.#ends = [
      effect(() => {
        if (!ready.value) return;
        // Nobody told us of what happened while we were away.
        this.#due = true;
        untracked(() => this.readAnew());
      }),
      effect(() => {
        if (told.value <= this.#version) return;
        this.#wanted = true;
        untracked(() => void this.#run());
      }),
    ];
  }

  /** What is not saved by then waits for the next time that the person is here. */
  close(): void {
    this.#over = true;
    this.#timer?.();
    for (const end of this.#ends) end();
  }

  get over(): boolean {
    return this.#over;
  }

  readAnew(): void {
    this.#version = -1;
    this.#wanted = true;
    void this.#run();
  }

  saveNow(): void {
    this.#timer?.();
    this.#timer = null;
    this.#due = true;
    void this.#run();
  }

  /** Saves after so long, unless this is said again meanwhile. */
  saveIn(ms: number): void {
    this.#timer?.();
    this.#timer = this.#options.clock.after(ms, () => this.saveNow());
  }

  async #run(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (!this.#over) {
        if (this.#wanted) await this.#read();
        else if (this.#due && this.#options.unsaved()) await this.#save();
        else break;
      }
    } catch (error) {
      if (!this.#over && error instanceof Problem && error.passing) this.saveIn(RETRY_MS);
    } finally {
      this.#busy = false;
    }
  }

  async #read(): Promise<void> {
    const { told, read } = this.#options;
    this.#wanted = false;
    // What we just saved ourselves is told to us too.
    if (this.#version >= 0 && told.peek() <= this.#version) return;
    try {
      this.#version = await read();
    } catch (error) {
      this.#wanted = true;
      throw error;
    }
  }

  async #save(): Promise<void> {
    this.#due = false;
    try {
      this.#version = await this.#options.save(this.#version);
    } catch (error) {
      this.#due = true;
      throw error;
    }
  }
}

/** Whether the server will never take what it refused so. */
export function isHopeless(error: unknown): boolean {
  return error instanceof Problem && HOPELESS.includes(error.status);
}
