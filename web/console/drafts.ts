/**
 * What was written and not sent, per conversation; it survives the page. `kept-drafts.ts` brings it
 * to the person's other pages. Without a DOM.
 */

import { batch, type Signal, signal } from '@preact/signals-core';
import type { SendKind } from '../client/frames.ts';
import type { Cancel, Clock, KeyStore } from '../client/ports.ts';

export type Mode = Extract<SendKind, 'message' | 'note'>;

export interface Draft {
  mode: Signal<Mode>;
  texts: Record<Mode, Signal<string>>;
  /** The newest word of a colleague that was known when the reply was begun, by its position. */
  since: number;
  /** When it was written here, in milliseconds since the epoch. */
  at: number;
}

/** A draft as it is kept. */
export interface Words {
  mode: Mode;
  message: string;
  note: string;
  since: number;
}

interface Kept extends Words {
  at: number;
  /** Whether the server has it. */
  saved: boolean;
}

/** Hears what happens to drafts. */
export interface DraftsListener {
  written(id: string): void;
  /** Nobody's hands are on it any more. */
  left(id: string): void;
}

export const NOTHING: Words = { mode: 'message', message: '', note: '', since: 0 };

const PREFIX = 'draft:';
const SAVE_MS = 300;

export class Drafts {
  /** Conversations with something unsent. */
  readonly held: Signal<ReadonlySet<string>> = signal(new Set());
  /** Those that the server does not have as they are here. */
  readonly unsaved = new Set<string>();
  listener: DraftsListener | null = null;
  readonly #drafts = new Map<string, Draft>();
  readonly #saves = new Map<string, Cancel>();
  readonly #store: KeyStore;
  readonly #clock: Clock;
  /** The conversation in whose field the person is. */
  #hands: string | null = null;

  constructor(store: KeyStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async restore(): Promise<void> {
    for (const key of await this.#store.keys(PREFIX)) {
      const kept = parse(await this.#store.get(key));
      if (kept === null) continue;
      const id = key.slice(PREFIX.length);
      if (!kept.saved) this.unsaved.add(id);
      this.of(id).at = kept.at;
      this.#put(id, kept);
      this.of(id).mode.value = kept.mode;
    }
  }

  of(id: string): Draft {
    let draft = this.#drafts.get(id);
    if (draft === undefined) {
      draft = {
        mode: signal<Mode>('message'),
        texts: { message: signal(''), note: signal('') },
        since: 0,
        at: 0,
      };
      this.#drafts.set(id, draft);
    }
    return draft;
  }

  write(id: string, mode: Mode, text: string): void {
    const draft = this.of(id);
    draft.texts[mode].value = text;
    draft.at = this.#clock.now();
    this.unsaved.add(id);
    this.#mark(id);
    this.#saves.get(id)?.();
    this.#saves.set(
      id,
      this.#clock.after(SAVE_MS, () => void this.#save(id)),
    );
    this.listener?.written(id);
  }

  words(id: string): Words {
    const { mode, texts, since } = this.of(id);
    return { mode: mode.peek(), message: texts.message.peek(), note: texts.note.peek(), since };
  }

  /** Shows what was written elsewhere. */
  show(id: string, words: Words): void {
    if (same(this.words(id), words)) return;
    this.unsaved.delete(id);
    this.#put(id, words);
    void this.#save(id);
  }

  /** The server has these words; says whether they are still the ones. */
  settle(id: string, words: Words): boolean {
    if (!same(this.words(id), words)) return false;
    this.unsaved.delete(id);
    void this.#save(id);
    return true;
  }

  enter(id: string): void {
    this.#hands = id;
  }

  leave(id: string): void {
    if (this.#hands !== id) return;
    this.#hands = null;
    this.listener?.left(id);
  }

  isInHand(id: string): boolean {
    return this.#hands === id;
  }

  /** Writes down at once what would be in a moment: the page goes. */
  flush(): void {
    for (const id of [...this.#saves.keys()]) void this.#save(id);
  }

  #put(id: string, { mode, message, note, since }: Words): void {
    const draft = this.of(id);
    batch(() => {
      draft.texts.message.value = message;
      draft.texts.note.value = note;
      draft.since = since;
      // Nobody is taken from one field to the other.
      const isBlank = draft.texts[draft.mode.peek()].peek() === '' && message + note !== '';
      if (isBlank && !this.isInHand(id)) draft.mode.value = mode;
      this.#mark(id);
    });
  }

  async #save(id: string): Promise<void> {
    this.#saves.get(id)?.();
    this.#saves.delete(id);
    const kept: Kept = {
      ...this.words(id),
      at: this.of(id).at,
      saved: !this.unsaved.has(id),
    };
    if (kept.saved && isEmpty(kept)) await this.#store.remove(PREFIX + id);
    else await this.#store.set(PREFIX + id, JSON.stringify(kept));
  }

  #mark(id: string): void {
    const has = !isEmpty(this.words(id));
    if (has === this.held.peek().has(id)) return;
    const held = new Set(this.held.peek());
    if (has) held.add(id);
    else held.delete(id);
    this.held.value = held;
  }
}

export function isEmpty({ message, note }: Words): boolean {
  return message === '' && note === '';
}

/** Which of two texts stands before the person is no difference to keep. */
export function same(one: Words, other: Words): boolean {
  return one.message === other.message && one.note === other.note;
}

function parse(text: string | null): Kept | null {
  try {
    const kept: unknown = JSON.parse(text ?? 'null');
    if (typeof kept !== 'object' || kept === null) return null;
    const { mode, message, note, since, at, saved } = kept as Partial<Record<keyof Kept, unknown>>;
    if (typeof message !== 'string' || typeof note !== 'string') return null;
    return {
      mode: mode === 'note' ? 'note' : 'message',
      message,
      note,
      // What was kept before the server kept any has none of these.
      since: typeof since === 'number' ? since : 0,
      at: typeof at === 'number' ? at : 0,
      saved: saved === true,
    };
  } catch {
    return null;
  }
}
