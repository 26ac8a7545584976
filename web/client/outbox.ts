/**
 * Messages on their way out. Written down before they are sent, sent in order, sent again after
 * every reconnect under the same number until the server says what became of them.
 *
 * Numbers (`n`) are dense from 1 per conversation and outbox; the server stores a number once (P3).
 * So an entry whose fate is unknown must keep its number, and one that was definitely refused must
 * give it to the next. Renumbering waits until nothing of the conversation is in flight, so that no
 * answer can be mistaken for the answer to something else.
 */

import { type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import {
  type AckFrame,
  type ClientFrame,
  type NackFrame,
  type SendKind,
  STREAM_OF,
} from './frames.ts';
import type { Cancel, Clock, KeyStore } from './ports.ts';

export type EntryState =
  /** Will be sent. */
  | 'waiting'
  /** Sent on this connection, not answered yet. */
  | 'flying'
  /** Stored at `seq`; kept until the event itself is shown. */
  | 'stored'
  /** Refused for good as `code`; the person decides. */
  | 'failed';

export interface Entry {
  /** Stable for the life of the row. */
  readonly id: string;
  /** `null` once refused. */
  readonly n: number | null;
  readonly kind: SendKind;
  readonly text: string;
  readonly ifHead: number | null;
  /** When it was written, for show. */
  readonly at: number;
  readonly state: EntryState;
  /** Whether a socket ever carried it under this number: then its fate may be unknown. */
  readonly tried: boolean;
  /** No answer for long: shown as not sent, though it still goes out when it can. */
  readonly late: boolean;
  readonly code: string | null;
  readonly seq: number | null;
}

interface Box {
  next: number;
  listed: Signal<readonly Entry[]>;
  /** What the server was heard to expect; the highest word counts. */
  expect: number | null;
  /** Numbers stored with other content than ours. */
  conflicts: Set<number>;
  /** A refusal came: nothing is sent until everything in flight is answered. */
  holding: boolean;
  pauseMs: number;
  pause: Cancel | null;
}

interface StoredBox {
  next: number;
  entries: Pick<Entry, 'id' | 'n' | 'kind' | 'text' | 'ifHead' | 'at' | 'tried' | 'code'>[];
}

export interface OutboxOptions {
  clock: Clock;
  store: KeyStore;
  /** Where in the store this outbox lives. */
  key: string;
  newId(): string;
  /** Puts a frame on the wire; `false` when there is none. */
  transmit(frame: ClientFrame): boolean;
  /** An entry has waited long for its answer: somebody should doubt the link. */
  onLate(): void;
}

/** No answer for this long is shown as "not sent". */
export const LATE_MS = 15_000;
/** No answer for this long makes us doubt the link. */
const DOUBT_MS = 5_000;
const BUSY_MS = 500;
const STORAGE_FULL_MS = 5_000;
/** Used before the server's `ready` says its own. */
const UNACKED_MAX = 16;

export class Outbox {
  /** Whether an entry is to wait, and what comes after it; whoever ends the waiting pumps. */
  declare holds?: (entry: Entry) => boolean;
  readonly #options: OutboxOptions;
  readonly #boxes = new Map<string, Box>();
  #connected = false;
  #unackedMax = UNACKED_MAX;
  #dirty = false;
  #saving: Promise<void> | null = null;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** What was left by an earlier page with the same device. */
  async restore(): Promise<void> {
    for (const [conversation, stored] of readStored(
      await this.#options.store.get(this.#options.key),
    )) {
      const box = this.#box(conversation);
      box.next = stored.next;
      box.listed.value = stored.entries.map((entry) => ({
        ...entry,
        state: entry.n === null ? 'failed' : 'waiting',
        late: false,
        seq: null,
      }));
      for (const entry of box.listed.peek()) this.#watchFor(conversation, entry);
    }
  }

  /** Every entry of a conversation, oldest first. */
  rows(conversation: string): ReadonlySignal<readonly Entry[]> {
    return this.#box(conversation).listed;
  }

  /** Conversations that have entries. */
  conversations(): string[] {
    return [...this.#boxes].filter(([, box]) => box.listed.peek().length > 0).map(([id]) => id);
  }

  /** Whether nothing is left that the server has to answer. */
  get settled(): boolean {
    return [...this.#boxes.values()].every((box) =>
      box.listed.peek().every((entry) => !pending(entry)),
    );
  }

  add(conversation: string, kind: SendKind, text: string, ifHead: number | null = null): void {
    const at = this.#options.clock.now();
    this.enlist(conversation, { id: this.#options.newId(), kind, text, ifHead, at });
  }

  /** Sends a refused entry again, as the newest; or pushes one that seems stuck. */
  retry(conversation: string, id: string): void {
    const entry = this.#find(conversation, id);
    if (entry?.state === 'failed') {
      this.#drop(conversation, id);
      // The person has seen what is newer, so the check against it has done its work.
      this.enlist(conversation, { ...entry, ifHead: null });
    } else if (entry?.late) {
      this.#change(conversation, id, { late: false });
      this.#watchFor(conversation, { ...entry, late: false });
      this.#options.onLate();
    }
  }

  /** Deletes an entry that is certainly not stored; anything else stays. */
  discard(conversation: string, id: string): void {
    const entry = this.#find(conversation, id);
    if (entry === undefined || !discardable(entry)) return;
    this.#drop(conversation, id);
    const box = this.#box(conversation);
    if (entry.n !== null) {
      const left = entry.n;
      box.listed.value = box.listed
        .peek()
        .map((row) => (row.n !== null && row.n > left ? { ...row, n: row.n - 1 } : row));
      box.next -= 1;
    }
    this.#save();
  }

  /** Moves entries written before their conversation existed to the conversation. */
  rename(from: string, to: string): void {
    const box = this.#box(from);
    const entries = box.listed.peek();
    box.listed.value = [];
    box.next = 1;
    for (const entry of entries) this.enlist(to, entry);
  }

  /** Takes over a refused entry of another outbox. */
  adopt(conversation: string, entry: Entry): void {
    const box = this.#box(conversation);
    box.listed.value = [...box.listed.peek(), { ...entry, n: null, state: 'failed' }];
    this.#save();
  }

  /** A connection is ready: everything unanswered goes out again, in order. */
  connected(unackedMax: number): void {
    this.#connected = true;
    this.#unackedMax = unackedMax;
    for (const [conversation, box] of this.#boxes) {
      box.pause?.();
      box.pause = null;
      box.pauseMs = 0;
      for (const row of box.listed.peek()) {
        if (!row.late) continue;
        this.#change(conversation, row.id, { late: false });
        this.#watchFor(conversation, row);
      }
    }
    this.pump();
  }

  /** The connection is gone: what was flying has an unknown fate and keeps its number. */
  lost(): void {
    this.#connected = false;
    for (const box of this.#boxes.values()) {
      box.listed.value = box.listed.peek().map(landed);
      // Half an answer proves nothing; asking again as it is is always safe.
      box.expect = null;
      box.conflicts.clear();
      box.holding = false;
    }
  }

  ack(frame: AckFrame): void {
    this.stored(frame.conversation, frame.n, frame.seq);
  }

  /** Number `n` is stored at `seq`: an ack said so, or our own event did, which is as good. */
  stored(conversation: string, n: number, seq: number): void {
    const box = this.#boxes.get(conversation);
    const entry = box?.listed.peek().find((row) => row.n === n && pending(row));
    if (box === undefined || entry === undefined || !entry.tried) return;
    this.#change(conversation, entry.id, { state: 'stored', seq, late: false });
    box.expect = Math.max(box.expect ?? 0, n + 1);
    this.#settle(box);
    this.#save();
    this.pump();
  }

  nack(frame: NackFrame): void {
    const box = this.#boxes.get(frame.conversation);
    const entry = box?.listed.peek().find((row) => row.n === frame.n && row.state === 'flying');
    if (box === undefined || entry === undefined) return;
    box.holding = true;
    let change: Partial<Entry> = { state: 'waiting' };
    switch (frame.code) {
      case 'busy':
      case 'storage_full': {
        const usual = frame.code === 'busy' ? BUSY_MS : STORAGE_FULL_MS;
        box.pauseMs = Math.max(box.pauseMs, frame.retry_after_ms ?? usual);
        break;
      }
      case 'gap':
        box.expect = Math.max(box.expect ?? 0, frame.expect ?? 1);
        break;
      case 'conflict':
        box.expect = Math.max(box.expect ?? 0, frame.expect ?? frame.n + 1);
        box.conflicts.add(frame.n);
        break;
      default:
        // A rule refused it: it consumed no number, and the server expects this one still.
        box.expect = Math.max(box.expect ?? 0, frame.n);
        change = { state: 'failed', n: null, code: frame.code, late: false };
    }
    this.#change(frame.conversation, entry.id, change);
    this.#settle(box);
    this.#save();
    this.pump();
  }

  /** The stream is shown up to `last`: rows of what is stored there give way to the events. */
  shown(conversation: string, stream: 'public' | 'internal', last: number): void {
    const box = this.#boxes.get(conversation);
    if (box === undefined) return;
    const kept = box.listed
      .peek()
      .filter(
        (row) => row.state !== 'stored' || STREAM_OF[row.kind] !== stream || (row.seq ?? 0) > last,
      );
    if (kept.length < box.listed.peek().length) box.listed.value = kept;
  }

  /** Resolves when everything up to now is written down. */
  async saved(): Promise<void> {
    while (this.#saving !== null) await this.#saving;
  }

  /** When nothing of a conversation is in flight: gives numbers that the server can take. */
  #settle(box: Box): void {
    if (box.listed.peek().some((row) => row.state === 'flying')) return;
    box.holding = false;
    const expect = box.expect;
    if (expect !== null) {
      let next = expect;
      box.listed.value = box.listed.peek().map((row) => {
        if (row.state !== 'waiting' || row.n === null) return row;
        // Below what is expected and not known to be another's: it may be stored; ask as it is.
        if (row.n < expect && !box.conflicts.has(row.n)) return row;
        const n = next++;
        return row.n === n ? row : { ...row, n, tried: false };
      });
      box.next = next;
    }
    box.expect = null;
    box.conflicts.clear();
    if (box.pauseMs > 0 && box.pause === null) {
      box.pause = this.#options.clock.after(box.pauseMs, () => {
        box.pause = null;
        box.pauseMs = 0;
        this.pump();
      });
    }
  }

  /** Writes down what changed, then sends what may be sent. */
  pump(): void {
    if (!this.#connected) return;
    let marked = false;
    for (const entry of this.#sendable()) {
      if (entry.row.tried) continue;
      this.#change(entry.conversation, entry.row.id, { tried: true });
      marked = true;
    }
    if (marked) this.#save();
    if (this.#saving !== null) return; // `#save` pumps again.
    for (const { conversation, row } of this.#sendable()) {
      if (row.n === null) continue;
      const sent = this.#options.transmit({
        type: 'send',
        conversation,
        n: row.n,
        kind: row.kind,
        body: { text: row.text },
        ...(row.ifHead === null ? {} : { if_head: row.ifHead }),
      });
      if (!sent) return;
      this.#change(conversation, row.id, { state: 'flying' });
      this.#options.clock.after(DOUBT_MS, () => {
        if (this.#find(conversation, row.id)?.state === 'flying') this.#options.onLate();
      });
    }
  }

  /** What may go out now, in order, within the server's bound on unanswered sends. */
  #sendable(): { conversation: string; row: Entry }[] {
    const out: { conversation: string; row: Entry }[] = [];
    let free = this.#unackedMax;
    for (const box of this.#boxes.values()) {
      free -= box.listed.peek().filter((row) => row.state === 'flying').length;
    }
    for (const [conversation, box] of this.#boxes) {
      if (box.holding || box.pause !== null || isDraft(conversation)) continue;
      for (const row of box.listed.peek()) {
        if (row.state !== 'waiting') continue;
        if (this.holds?.(row)) break;
        if (free <= 0) return out;
        free -= 1;
        out.push({ conversation, row });
      }
    }
    return out;
  }

  /** Takes a message that has an id already. */
  enlist(conversation: string, entry: Pick<Entry, 'id' | 'kind' | 'text' | 'ifHead' | 'at'>): void {
    const box = this.#box(conversation);
    const row: Entry = {
      ...entry,
      n: box.next,
      state: 'waiting',
      tried: false,
      late: false,
      code: null,
      seq: null,
    };
    box.next += 1;
    box.listed.value = [...box.listed.peek(), row];
    this.#watchFor(conversation, row);
    this.#save();
    this.pump();
  }

  #watchFor(conversation: string, entry: Entry): void {
    this.#options.clock.after(LATE_MS, () => {
      const row = this.#find(conversation, entry.id);
      if (row === undefined || !pending(row) || row.late) return;
      this.#change(conversation, entry.id, { late: true });
      this.#options.onLate();
    });
  }

  #box(conversation: string): Box {
    let box = this.#boxes.get(conversation);
    if (box === undefined) {
      box = {
        next: 1,
        listed: signal<readonly Entry[]>([]),
        expect: null,
        conflicts: new Set(),
        holding: false,
        pauseMs: 0,
        pause: null,
      };
      this.#boxes.set(conversation, box);
    }
    return box;
  }

  #find(conversation: string, id: string): Entry | undefined {
    return this.#boxes
      .get(conversation)
      ?.listed.peek()
      .find((row) => row.id === id);
  }

  #change(conversation: string, id: string, change: Partial<Entry>): void {
    const box = this.#box(conversation);
    box.listed.value = box.listed
      .peek()
      .map((row) => (row.id === id ? { ...row, ...change } : row));
  }

  #drop(conversation: string, id: string): void {
    const box = this.#box(conversation);
    box.listed.value = box.listed.peek().filter((row) => row.id !== id);
  }

  #save(): void {
    this.#dirty = true;
    this.#saving ??= this.#write().then(() => {
      this.#saving = null;
      this.pump();
    });
  }

  async #write(): Promise<void> {
    while (this.#dirty) {
      this.#dirty = false;
      await this.#options.store.set(this.#options.key, this.#stored());
    }
  }

  #stored(): string {
    const boxes: [string, StoredBox][] = [...this.#boxes].map(([conversation, box]) => [
      conversation,
      {
        next: box.next,
        entries: box.listed
          .peek()
          .filter((row) => row.state !== 'stored')
          .map(({ state: _state, late: _late, seq: _seq, ...kept }) => kept),
      },
    ]);
    return JSON.stringify(boxes);
  }
}

function landed(row: Entry): Entry {
  return row.state === 'flying' ? { ...row, state: 'waiting' } : row;
}

/** A conversation that does not exist yet; nothing can be sent to it. */
export function isDraft(conversation: string): boolean {
  return conversation.startsWith('draft:');
}

/** Whether the server's answer is outstanding. */
export function pending(entry: Entry): boolean {
  return entry.state === 'waiting' || entry.state === 'flying';
}

/** Whether the entry is certainly not stored. */
export function discardable(entry: Entry): boolean {
  return entry.state === 'failed' || (entry.state === 'waiting' && !entry.tried);
}

/** Whether a stored outbox holds anything worth another look. */
export function holdsEntries(stored: string | null): boolean {
  return readStored(stored).some(([, box]) => box.entries.length > 0);
}

function readStored(text: string | null): [string, StoredBox][] {
  if (text === null) return [];
  try {
    const boxes: unknown = JSON.parse(text);
    return Array.isArray(boxes) ? (boxes as [string, StoredBox][]) : [];
  } catch {
    return [];
  }
}
