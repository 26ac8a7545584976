/** Requests with an answer: `do`. A reference is an idempotency key, so asking again is safe. */

import type { AgentRef, ClientFrame, DoneFrame, RefusedFrame } from './frames.ts';
import type { Cancel, Clock } from './ports.ts';

export type Outcome =
  | { ok: true; seq: number | null }
  | { ok: false; code: string; by: AgentRef | null };

interface Asked {
  frame: ClientFrame;
  resolve(outcome: Outcome): void;
  deadline: Cancel;
}

/** Without an answer for this long the person is told so. */
const DEADLINE_MS = 15_000;

export class Commands {
  readonly #asked = new Map<string, Asked>();
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #transmit: (frame: ClientFrame) => boolean;

  constructor(clock: Clock, newId: () => string, transmit: (frame: ClientFrame) => boolean) {
    this.#clock = clock;
    this.#newId = newId;
    this.#transmit = transmit;
  }

  /** Asks; goes out again after a reconnect. `unknown` is the code when no answer came. */
  ask(conversation: string, action: string, args: object): Promise<Outcome> {
    const ref = this.#newId();
    const frame: ClientFrame = { type: 'do', ref, conversation, action, args };
    return new Promise((resolve) => {
      const deadline = this.#clock.after(DEADLINE_MS, () => {
        this.#asked.delete(ref);
        resolve({ ok: false, code: 'unknown', by: null });
      });
      this.#asked.set(ref, { frame, resolve, deadline });
      this.#transmit(frame);
    });
  }

  connected(): void {
    for (const { frame } of this.#asked.values()) this.#transmit(frame);
  }

  done(frame: DoneFrame): void {
    this.#answer(frame.ref, { ok: true, seq: frame.seq ?? null });
  }

  refused(frame: RefusedFrame): void {
    if (frame.ref != null) {
      this.#answer(frame.ref, { ok: false, code: frame.code, by: frame.by ?? null });
    }
  }

  #answer(ref: string, outcome: Outcome): void {
    const asked = this.#asked.get(ref);
    if (asked === undefined) return;
    this.#asked.delete(ref);
    asked.deadline();
    asked.resolve(outcome);
  }
}
