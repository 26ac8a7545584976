/** One conversation as this client follows it: card, both streams, receipts, who is typing. */

import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import type {
  Card,
  ClientFrame,
  Event,
  EventsFrame,
  Principal,
  QueueFrame,
  ReceiptFrame,
  Stream,
  SubscribedFrame,
  TypingFrame,
} from './frames.ts';
import type { Cancel, Clock } from './ports.ts';
import { StreamLog } from './stream.ts';

/** How the caller's side reads: visitors have one stream and know less of the card. */
export interface Reading {
  fold(card: Card, event: Event): Card;
  merge(publicEvents: readonly Event[], internal: readonly Event[]): readonly Event[];
}

export interface ConversationOptions {
  clock: Clock;
  /** Whether the caller answers or asks: decides whose messages count as unread. */
  side: Side;
  /** The streams the caller may read. */
  streams: readonly Stream[];
  /** The card, shared with every list that shows it. */
  card: Signal<Card | null>;
  reading: Reading;
  transmit(frame: ClientFrame): boolean;
  /** Events were applied, in order. */
  onApplied(stream: Stream, events: readonly Event[], last: number): void;
}

/** Known to be behind and nothing came for this long: fetch (again). */
const STALL_MS = 3_000;
/** A subscription that was lost is asked for again after this. */
const LOST_MS = 500;
const PAGE = 50;
const FETCH_MAX = 200;
/** A `typing` that is not repeated ends by itself. */
const TYPING_MS = 6_000;

interface Pull {
  log: StreamLog;
  /** A fetch after `last` is on its way. */
  newer: boolean;
  /** A fetch before `first` is on its way: what has come of it, which may take several frames. */
  older: Event[] | null;
  stall: Cancel | null;
  /** Until the subscription is asked for again. */
  again: Cancel | null;
}

/** What somebody else has received and read. */
export interface Positions {
  kind: string;
  received: number;
  read: number;
}

export class Conversation {
  readonly id: string;
  readonly card: ReadonlySignal<Card | null>;
  /** Both streams in the order to show. */
  readonly timeline: ReadonlySignal<readonly Event[]>;
  readonly receipts: ReadonlySignal<ReadonlyMap<string, Positions>>;
  /** Who is typing, by id, as they said last. */
  readonly typing: ReadonlySignal<ReadonlyMap<string, TypingFrame>>;
  readonly queue: ReadonlySignal<QueueFrame | null>;
  /** Why the server does not let us follow it; `null` when it does. */
  readonly refused: ReadonlySignal<string | null>;
  /** Whether the first answer has come, so that emptiness is meant. */
  readonly loaded: ReadonlySignal<boolean>;

  readonly #options: ConversationOptions;
  readonly #pulls: Map<Stream, Pull>;
  readonly #receipts = signal<ReadonlyMap<string, Positions>>(new Map());
  readonly #typing = signal<ReadonlyMap<string, TypingFrame>>(new Map());
  readonly #typingEnds = new Map<string, Cancel>();
  readonly #queue = signal<QueueFrame | null>(null);
  readonly #refused = signal<string | null>(null);
  readonly #loaded = signal(false);
  #received = 0;
  #read = 0;

  constructor(id: string, options: ConversationOptions) {
    this.id = id;
    this.#options = options;
    this.#pulls = new Map(
      options.streams.map((stream) => [
        stream,
        { log: new StreamLog(), newer: false, older: null, stall: null, again: null },
      ]),
    );
    this.card = options.card;
    this.receipts = this.#receipts;
    this.typing = this.#typing;
    this.queue = this.#queue;
    this.refused = this.#refused;
    this.loaded = this.#loaded;
    this.timeline = computed(() =>
      options.reading.merge(this.#events('public').value, this.#events('internal').value),
    );
  }

  log(stream: Stream): StreamLog | undefined {
    return this.#pulls.get(stream)?.log;
  }

  /** Whether there are older public events than those held. */
  get hasOlder(): boolean {
    const log = this.log('public');
    return log !== undefined && log.events.value.length > 0 && log.first > 1;
  }

  /** (Re)subscribes to every stream; `afresh` asks for a snapshot. */
  subscribe(afresh: boolean): void {
    this.#refused.value = null;
    // What was confirmed on the last connection may not have arrived.
    this.#received = 0;
    this.#read = 0;
    for (const [stream, pull] of this.#pulls) {
      if (afresh) pull.log.forget();
      this.#pull(stream, pull);
    }
  }

  #pull(stream: Stream, pull: Pull): void {
    pull.again?.();
    pull.newer = false;
    pull.older = null;
    const known = pull.log.log !== null;
    this.#options.transmit({
      type: 'subscribe',
      conversation: this.id,
      ...named(stream),
      log: pull.log.log,
      after: known ? pull.log.last : null,
    });
  }

  unsubscribe(): void {
    for (const [stream, pull] of this.#pulls) {
      pull.stall?.();
      pull.again?.();
      this.#options.transmit({ type: 'unsubscribe', conversation: this.id, ...named(stream) });
    }
    for (const end of this.#typingEnds.values()) end();
  }

  subscribed(frame: SubscribedFrame): void {
    const stream = frame.stream ?? 'public';
    const pull = this.#pulls.get(stream);
    if (pull === undefined) return;
    pull.log.subscribed(frame.mode, frame.log, frame.from, frame.head);
    if (frame.state != null) this.#options.card.value = frame.state;
    if (stream === 'public') this.#loaded.value = true;
    this.#options.onApplied(stream, [], pull.log.last);
    this.#watchProgress(stream, pull);
  }

  /** The subscription of a stream was refused, or ended. */
  refuse(stream: Stream, code: string): void {
    const pull = this.#pulls.get(stream);
    if (code === 'busy' && pull !== undefined) {
      // The conversation is on its way to another node. What is said meanwhile is read from there.
      pull.again?.();
      pull.again = this.#options.clock.after(LOST_MS, () => this.#pull(stream, pull));
    } else if (stream === 'public') {
      this.#refused.value = code;
    }
  }

  event(stream: Stream, event: Event): void {
    const pull = this.#pulls.get(stream);
    if (pull !== undefined) this.#take(stream, pull, [event]);
  }

  events(frame: EventsFrame): void {
    const stream = frame.stream ?? frame.items[0]?.stream ?? 'public';
    const pull = this.#pulls.get(stream);
    if (pull === undefined) return;
    const newest = frame.items.at(-1)?.seq ?? 0;
    if (pull.older !== null && newest < pull.log.first) {
      pull.older.push(...frame.items);
      // The page is whole when it reaches what is held.
      if (newest < pull.log.first - 1 && frame.items.length > 0) return;
      pull.log.takeOlder(pull.older);
      pull.older = null;
      return;
    }
    const asked = pull.newer;
    pull.newer = false;
    this.#take(stream, pull, frame.items);
    if (asked && frame.more) this.#fetchNewer(stream, pull);
  }

  /** A fetch was refused; the watch on progress asks again. */
  fetchRefused(): void {
    for (const pull of this.#pulls.values()) {
      pull.newer = false;
      pull.older = null;
    }
  }

  /** Asks for the page before what is held. */
  fetchOlder(): void {
    for (const [stream, pull] of this.#pulls) {
      if (pull.older !== null || pull.log.first <= 1) continue;
      const asked = this.#options.transmit({
        type: 'fetch',
        conversation: this.id,
        ...named(stream),
        before: pull.log.first,
        limit: PAGE,
      });
      if (asked) pull.older = [];
    }
  }

  receipt(frame: ReceiptFrame): void {
    const before = this.#receipts.peek().get(frame.by.id);
    const next = new Map(this.#receipts.peek());
    next.set(frame.by.id, {
      kind: frame.by.kind,
      received: Math.max(before?.received ?? 0, frame.received),
      read: Math.max(before?.read ?? 0, frame.read),
    });
    this.#receipts.value = next;
  }

  /** Tells the server that everything held was received, and read if `read`. */
  confirm(read: boolean): void {
    const last = this.log('public')?.last ?? 0;
    const transmit = this.#options.transmit;
    if (read && last > this.#read) {
      if (!transmit({ type: 'read', conversation: this.id, seq: last })) return;
      this.#read = last;
      this.#received = last;
      this.allRead();
    } else if (last > this.#received) {
      if (transmit({ type: 'received', conversation: this.id, seq: last })) this.#received = last;
    }
  }

  /** It was read, here or on another page: the server tells receipts to the other side alone. */
  allRead(): void {
    const card = this.#options.card.peek();
    if (card !== null && card.unread > 0) this.#options.card.value = { ...card, unread: 0 };
  }

  typed(frame: TypingFrame): void {
    this.#typingEnds.get(frame.from.id)?.();
    this.#typingEnds.delete(frame.from.id);
    const next = new Map(this.#typing.peek());
    if (frame.on) {
      next.set(frame.from.id, frame);
      const end = this.#options.clock.after(TYPING_MS, () => this.#typingOver(frame.from.id));
      this.#typingEnds.set(frame.from.id, end);
    } else {
      next.delete(frame.from.id);
    }
    this.#typing.value = next;
  }

  queued(frame: QueueFrame): void {
    this.#queue.value = frame;
  }

  #take(stream: Stream, pull: Pull, events: readonly Event[]): void {
    const { applied, gap } = pull.log.take(events);
    for (const event of applied) this.#learn(stream, event);
    if (applied.length > 0) this.#options.onApplied(stream, applied, pull.log.last);
    if (gap) this.#fetchNewer(stream, pull);
    this.#watchProgress(stream, pull);
  }

  #learn(stream: Stream, event: Event): void {
    const card = this.#options.card.peek();
    const seen = stream === 'public' ? (card?.head ?? 0) : (card?.internal_head ?? 0);
    if (card !== null && event.seq > seen) {
      const head = stream === 'public' ? { head: event.seq } : { internal_head: event.seq };
      const foreign = event.kind === 'message' && sideOf(event.from) !== this.#options.side;
      const unread = card.unread + (foreign ? 1 : 0);
      const next = { ...this.#options.reading.fold(card, event), ...head, unread };
      this.#options.card.value = next;
      // The event names an agent; how they look is on cards alone, which agents get by their lists.
      const other = next.agent !== null && next.agent.id !== card.agent?.id;
      if (other && this.#options.side === 'visitor') this.subscribe(false);
    }
    if (event.kind === 'message') this.#typingOver(event.from.id);
    if (event.kind === 'assigned' || event.kind === 'closed') this.#queue.value = null;
  }

  #typingOver(id: string): void {
    this.#typingEnds.get(id)?.();
    this.#typingEnds.delete(id);
    if (!this.#typing.peek().has(id)) return;
    const next = new Map(this.#typing.peek());
    next.delete(id);
    this.#typing.value = next;
  }

  #fetchNewer(stream: Stream, pull: Pull): void {
    if (pull.newer) return;
    pull.newer = this.#options.transmit({
      type: 'fetch',
      conversation: this.id,
      ...named(stream),
      after: pull.log.last,
      limit: FETCH_MAX,
    });
  }

  /** While something is known to be missing, silence leads to a fetch: no lost answer stalls us. */
  #watchProgress(stream: Stream, pull: Pull): void {
    pull.stall?.();
    pull.stall = null;
    if (!pull.log.behind) return;
    pull.stall = this.#options.clock.after(STALL_MS, () => {
      pull.newer = false;
      this.#fetchNewer(stream, pull);
      this.#watchProgress(stream, pull);
    });
  }

  #events(stream: Stream): ReadonlySignal<readonly Event[]> {
    return this.#pulls.get(stream)?.log.events ?? NONE;
  }
}

export type Side = 'visitor' | 'agent';

/** Whose side somebody is on; the system speaks for the agents. */
export function sideOf(from: Principal): Side {
  return from.kind === 'visitor' ? 'visitor' : 'agent';
}

const NONE: ReadonlySignal<readonly Event[]> = signal<readonly Event[]>([]);

/** The stream as frames name it; public is the default and not named. */
function named(stream: Stream): { stream?: Stream } {
  return stream === 'public' ? {} : { stream };
}
