/** What was written and not sent, per conversation; it survives the page. Without a DOM. */

import { type Signal, signal } from '@preact/signals-core';
import type { SendKind } from '../client/frames.ts';
import type { Cancel, Clock, KeyStore } from '../client/ports.ts';

export type Mode = Extract<SendKind, 'message' | 'note'>;

export interface Draft {
  mode: Signal<Mode>;
  texts: Record<Mode, Signal<string>>;
  /** The newest word of a colleague that was known when the reply was begun, by its position. */
  since: number;
}

interface Kept {
  mode: Mode;
  message: string;
  note: string;
}

const PREFIX = 'draft:';
const SAVE_MS = 300;

export class Drafts {
  /** Conversations with something unsent. */
  readonly held: Signal<ReadonlySet<string>> = signal(new Set());
  readonly #drafts = new Map<string, Draft>();
  readonly #saves = new Map<string, Cancel>();
  readonly #store: KeyStore;
  readonly #clock: Clock;

  constructor(store: KeyStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async restore(): Promise<void> {
    for (const key of await this.#store.keys(PREFIX)) {
      const kept = parse(await this.#store.get(key));
      if (kept === null) continue;
      const draft = this.of(key.slice(PREFIX.length));
      draft.mode.value = kept.mode;
      draft.texts.message.value = kept.message;
      draft.texts.note.value = kept.note;
      this.#mark(key.slice(PREFIX.length), draft);
    }
  }

  of(id: string): Draft {
    let draft = this.#drafts.get(id);
    if (draft === undefined) {
      draft = {
        mode: signal<Mode>('message'),
        texts: { message: signal(''), note: signal('') },
        since: 0,
      };
      this.#drafts.set(id, draft);
    }
    return draft;
  }

  write(id: string, mode: Mode, text: string): void {
    const draft = this.of(id);
    draft.texts[mode].value = text;
    this.#mark(id, draft);
    this.#saves.get(id)?.();
    this.#saves.set(
      id,
      this.#clock.after(SAVE_MS, () => void this.#save(id, draft)),
    );
  }

  /** Writes down at once what would be in a moment: the page goes. */
  flush(): void {
    for (const [id, cancel] of [...this.#saves]) {
      cancel();
      void this.#save(id, this.of(id));
    }
  }

  async #save(id: string, draft: Draft): Promise<void> {
    this.#saves.delete(id);
    const message = draft.texts.message.peek();
    const note = draft.texts.note.peek();
    if (message === '' && note === '') await this.#store.remove(PREFIX + id);
    else {
      const kept: Kept = { mode: draft.mode.peek(), message, note };
      await this.#store.set(PREFIX + id, JSON.stringify(kept));
    }
  }

  #mark(id: string, draft: Draft): void {
    const has = draft.texts.message.peek() !== '' || draft.texts.note.peek() !== '';
    if (has === this.held.peek().has(id)) return;
    const held = new Set(this.held.peek());
    if (has) held.add(id);
    else held.delete(id);
    this.held.value = held;
  }
}

function parse(text: string | null): Kept | null {
  try {
    const kept: unknown = JSON.parse(text ?? 'null');
    if (typeof kept !== 'object' || kept === null) return null;
    const { mode, message, note } = kept as Partial<Record<keyof Kept, unknown>>;
    if (typeof message !== 'string' || typeof note !== 'string') return null;
    return { mode: mode === 'note' ? 'note' : 'message', message, note };
  } catch {
    return null;
  }
}
