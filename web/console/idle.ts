/**
 * Sets a person away who has not touched any tab of this browser for a while, after a warning, and
 * back to what they had chosen as soon as they do. What they choose themselves is never changed:
 * only who is online or busy is set away, and only who was set away from here is set back.
 *
 * All tabs read and write the same few words: when somebody was last there, and what the status was
 * before it was set away. Without a DOM.
 */

import { effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals-core';
import type { PresenceStatus } from '../client/frames.ts';
import type { Cancel, Clock } from '../client/ports.ts';

/** Kept for all tabs; no more than a text that is read at once. */
export interface SharedText {
  get(): string | null;
  set(text: string): void;
}

export interface IdlePorts {
  clock: Clock;
  /** Minutes until the warning; 0 is never. */
  minutes: ReadonlySignal<number>;
  status: ReadonlySignal<PresenceStatus | null>;
  setStatus(status: PresenceStatus): void;
  shared: SharedText;
}

interface Shared {
  /** When somebody last touched a tab. */
  touchedAt: number;
  /** What was chosen before the person was set away; `null` when they were not. */
  before: PresenceStatus | null;
}

/** How long the warning stands. */
export const WARNING_MS = 60_000;
/** Other tabs hear of a touch at most this often: a moving pointer is many. */
const TOLD_EVERY_MS = 5_000;
const MINUTE_MS = 60_000;

export class Idle {
  /** When the person will be set away; `null` while there is no warning. */
  readonly warning: ReadonlySignal<number | null>;
  readonly #warning: Signal<number | null> = signal(null);
  readonly #ports: IdlePorts;
  #known: Shared;
  #toldAt = 0;
  #due: Cancel | null = null;
  readonly #end: Cancel;

  constructor(ports: IdlePorts) {
    this.#ports = ports;
    this.warning = this.#warning;
    // Somebody has just opened the page.
    this.#known = { touchedAt: ports.clock.now(), before: this.#read().before };
    this.#write();
    this.#end = effect(() => {
      ports.minutes.value;
      const status = ports.status.value;
      untracked(() => {
        // Another status than ours was chosen, here or elsewhere: that one stays.
        if (this.#known.before !== null && status !== null && status !== 'away') this.#forget();
        this.#look();
      });
    });
  }

  close(): void {
    this.#end();
    this.#due?.();
    this.#due = null;
    this.#warning.value = null;
  }

  /** Somebody is there: any key, click, touch or turn of the wheel. */
  touched(): void {
    const now = this.#ports.clock.now();
    const { before } = this.#known;
    this.#known = { touchedAt: now, before: null };
    if (before === null && this.#ports.minutes.peek() === 0) return;
    const told = this.#warning.peek() === null && before === null;
    if (told && now - this.#toldAt < TOLD_EVERY_MS) return;
    this.#write();
    if (before !== null) this.#ports.setStatus(before);
    this.#look();
  }

  /** Another tab has written. */
  heard(): void {
    const { touchedAt, before } = this.#read();
    this.#known = { touchedAt: Math.max(touchedAt, this.#known.touchedAt), before };
    this.#look();
  }

  /** Warns, sets away, or looks again when there may be something to do. */
  #look(): void {
    const { clock, minutes, status, setStatus } = this.#ports;
    this.#due?.();
    this.#due = null;
    const now = clock.now();
    const chosen = status.peek();
    const present = chosen === 'online' || chosen === 'busy';
    // Who is set away already waits to be back.
    const watched = minutes.peek() > 0 && present && this.#known.before === null;
    const warnAt = this.#known.touchedAt + minutes.peek() * MINUTE_MS;
    if (!watched || now < warnAt) {
      this.#warning.value = null;
      if (watched) this.#again(warnAt - now);
      return;
    }
    // Counted from the warning itself: a computer that slept warns when it wakes.
    const awayAt = this.#warning.peek() ?? now + WARNING_MS;
    if (now < awayAt) {
      this.#warning.value = awayAt;
      this.#again(awayAt - now);
      return;
    }
    this.#warning.value = null;
    this.#known = { ...this.#known, before: chosen };
    this.#write();
    setStatus('away');
  }

  #again(ms: number): void {
    this.#due = this.#ports.clock.after(ms, () => {
      this.#due = null;
      // A tab that was asleep may have missed what others wrote.
      this.heard();
    });
  }

  #forget(): void {
    this.#known = { ...this.#known, before: null };
    this.#write();
  }

  #read(): Shared {
    const now = this.#ports.clock.now();
    try {
      const kept: unknown = JSON.parse(this.#ports.shared.get() ?? 'null');
      const { touchedAt, before } = (kept ?? {}) as Partial<Record<keyof Shared, unknown>>;
      return {
        // A clock that was set back: what is to come tells nothing.
        touchedAt: typeof touchedAt === 'number' && touchedAt <= now ? touchedAt : 0,
        before: before === 'online' || before === 'busy' ? before : null,
      };
    } catch {
      return { touchedAt: 0, before: null };
    }
  }

  #write(): void {
    this.#toldAt = this.#ports.clock.now();
    this.#ports.shared.set(JSON.stringify(this.#known));
  }
}
