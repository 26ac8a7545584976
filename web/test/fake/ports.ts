/** Ports for tests: time that moves when told, randomness from a seed, storage in memory. */

import type { Cancel, Clock, KeyStore, Locks } from '../../client/ports.ts';

export class FakeClock implements Clock {
  #now = Date.UTC(2026, 0, 1);
  #timers: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Cancel {
    const timer = { at: this.#now + ms, order: this.#order++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets `ms` pass, with everything that promises start in between. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (;;) {
      const [next] = this.#timers
        .filter((timer) => timer.at <= until)
        .sort((a, b) => a.at - b.at || a.order - b.order);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = until;
  }
}

/** Runs every promise that can run. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export class MemoryStore implements KeyStore {
  readonly texts = new Map<string, string>();

  async get(key: string): Promise<string | null> {
    return this.texts.get(key) ?? null;
  }

  async set(key: string, text: string): Promise<void> {
    this.texts.set(key, text);
  }

  async remove(key: string): Promise<void> {
    this.texts.delete(key);
  }

  async keys(prefix: string): Promise<string[]> {
    return [...this.texts.keys()].filter((key) => key.startsWith(prefix));
  }
}

/** The locks of one origin; `tab()` gives what one tab of it sees. */
export class MemoryLocks {
  readonly #held = new Set<string>();

  tab(): Locks & { die(): void } {
    const own = new Set<string>();
    const free = (name: string) => {
      own.delete(name);
      this.#held.delete(name);
    };
    return {
      claim: async (name) => {
        if (this.#held.has(name)) return null;
        this.#held.add(name);
        own.add(name);
        return () => free(name);
      },
      die: () => {
        for (const name of own) free(name);
      },
    };
  }
}

/** Ids that read well in failures. */
export function idsFrom(prefix: string): () => string {
  let next = 0;
  return () => `${prefix}-${++next}`;
}
