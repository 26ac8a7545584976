/** Everything one signed-in page knows and does, over one connection. */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import { fold } from './card.ts';
import { Cards } from './cards.ts';
import { Commands, type Outcome } from './commands.ts';
import { Connection, type Link } from './connection.ts';
import { Conversation, type Reading, type Side } from './conversation.ts';
import { type Claimed, type Device, outboxKey } from './device.ts';
import type { ClientFrame, Event, Principal, SendKind, ServerFrame, Stream } from './frames.ts';
import { isDraft, Outbox } from './outbox.ts';
import type { Credentials, Ports } from './ports.ts';

export interface ClientOptions {
  ports: Ports;
  devices: Claimed;
  side: Side;
  /** Rejects when it should be tried again later; `null` when there is no way to sign in. */
  credentials(): Promise<Credentials | null>;
  /** Events were applied, in order; for sounds, counts and the like. */
  onApplied?(conversation: Conversation, stream: Stream, events: readonly Event[]): void;
  /** Somebody else began a conversation with this visitor. */
  onBegun?(conversation: string): void;
}

/** The streams each side may read. */
const STREAMS: Record<Side, readonly Stream[]> = {
  visitor: ['public'],
  agent: ['public', 'internal'],
};

/** Bytes of one message until the server says its own limit. */
const TEXT_BYTES = 16_384;

export class Client {
  readonly cards = new Cards();
  readonly outbox: Outbox;
  readonly link: ReadonlySignal<Link>;
  readonly principal = signal<Principal | null>(null);
  readonly textBytes = signal(TEXT_BYTES);
  /** Whether anybody is there to answer, for visitors; `null` until told. */
  readonly anybodyOnline = signal<boolean | null>(null);

  readonly #options: ClientOptions;
  readonly #connection: Connection;
  readonly #commands: Commands;
  protected readonly conversations = new Map<string, Conversation>();
  readonly #device: Device;
  #page: (ClientFrame & { type: 'page' }) | null = null;

  constructor(options: ClientOptions) {
    const { ports } = options;
    this.#options = options;
    this.#device = options.devices.own;
    this.#connection = new Connection({
      clock: ports.clock,
      open: ports.open,
      random: ports.random,
      device: this.#device.id,
      credentials: options.credentials,
      onReady: (frame, afresh) => {
        this.principal.value = frame.principal;
        this.textBytes.value = frame.limits.text_bytes;
        if (this.#page !== null) this.transmit(this.#page);
        for (const conversation of this.conversations.values()) conversation.subscribe(afresh);
        this.ready();
        this.#commands.connected();
        this.outbox.connected(frame.limits.unacked);
      },
      onFrame: (frame) => this.#dispatch(frame),
      onLost: () => this.outbox.lost(),
    });
    this.link = this.#connection.link;
    this.#commands = new Commands(ports.clock, ports.newId, (frame) =>
      this.#connection.send(frame),
    );
    this.outbox = new Outbox({
      clock: ports.clock,
      store: ports.store,
      key: outboxKey(this.#device.id),
      newId: ports.newId,
      transmit: (frame) => this.#connection.send(frame),
      onLate: () => this.#doubt(),
    });
  }

  /** Reads what an earlier page left. */
  async restore(): Promise<void> {
    await this.outbox.restore();
  }

  /**
   * Connects, also after `link` said `stopped`, when there are new credentials. The first time it
   * sends what dead tabs left as well.
   */
  connect(): void {
    this.#connection.start();
    for (const orphan of this.#options.devices.orphans.splice(0)) void this.#sendFor(orphan);
  }

  stop(): void {
    this.#connection.stop();
    this.#device.release();
  }

  /** Connects anew, because the credentials are somebody else's now. */
  reconnect(): void {
    this.#connection.stop();
    this.connect();
  }

  /** The page came back or the network changed. */
  wake(): void {
    this.#connection.wake();
  }

  /** Follows a conversation from now on. */
  follow(id: string): Conversation {
    const known = this.conversations.get(id);
    if (known !== undefined) return known;
    const conversation: Conversation = new Conversation(id, {
      clock: this.#options.ports.clock,
      side: this.#options.side,
      streams: STREAMS[this.#options.side],
      card: this.cards.of(id),
      reading: this.reading,
      transmit: (frame) => this.#connection.send(frame),
      onApplied: (stream, events, last) => {
        for (const event of events) {
          if (event.device === this.#device.id && event.n !== undefined) {
            this.outbox.stored(id, event.n, event.seq);
          }
        }
        this.outbox.shown(id, stream, last);
        this.#options.onApplied?.(conversation, stream, events);
      },
    });
    this.conversations.set(id, conversation);
    if (this.link.peek().state === 'ready') conversation.subscribe(false);
    return conversation;
  }

  unfollow(id: string): void {
    this.conversations.get(id)?.unsubscribe();
    this.conversations.delete(id);
  }

  send(conversation: string, kind: SendKind, text: string, ifHead: number | null = null): void {
    this.outbox.add(conversation, kind, text, ifHead);
  }

  /** `preview` is what is written so far, where the visitor was told that it is shown. */
  typing(conversation: string, on: boolean, preview?: string): void {
    this.transmit({ type: 'typing', conversation, on, ...(preview && { preview }) });
  }

  /**
   * Where the visitor is now, told again after every reconnect; `did` is what they did there, told
   * once.
   */
  page(url: string, title: string, did?: string): void {
    this.#page = { type: 'page', url, title };
    this.transmit(did ? { ...this.#page, did } : this.#page);
  }

  do(conversation: string, action: string, args: object = {}): Promise<Outcome> {
    return this.#commands.ask(conversation, action, args);
  }

  protected get reading(): Reading {
    return { fold, merge: (events) => events };
  }

  protected get newId(): () => string {
    return this.#options.ports.newId;
  }

  /** Puts a frame on the wire; `false` when there is none. */
  protected transmit(frame: ClientFrame): boolean {
    return this.#connection.send(frame);
  }

  /** A socket is ready and every conversation is subscribed again. */
  protected ready(): void {}

  /** A frame came that is about no conversation. */
  protected heard(_frame: ServerFrame): void {}

  /** An answer is overdue: ask for a sign of life, or do not wait any longer to connect. */
  #doubt(): void {
    if (this.link.peek().state === 'ready') this.#connection.probe();
    else this.#connection.wake();
  }

  #dispatch(frame: ServerFrame): void {
    switch (frame.type) {
      case 'event':
        this.conversations.get(frame.conversation)?.event(frame.stream ?? 'public', frame);
        break;
      case 'events':
        this.conversations.get(frame.conversation)?.events(frame);
        break;
      case 'subscribed':
        this.conversations.get(frame.conversation)?.subscribed(frame);
        break;
      case 'ack': {
        this.outbox.ack(frame);
        const followed = this.conversations.get(frame.conversation);
        for (const stream of STREAMS[this.#options.side]) {
          const last = followed?.log(stream)?.last;
          if (last !== undefined) this.outbox.shown(frame.conversation, stream, last);
        }
        break;
      }
      case 'nack':
        this.outbox.nack(frame);
        break;
      case 'receipt':
        this.conversations.get(frame.conversation)?.receipt(frame);
        break;
      case 'typing':
        this.conversations.get(frame.conversation)?.typed(frame);
        break;
      case 'queue':
        this.conversations.get(frame.conversation)?.queued(frame);
        break;
      case 'conversation':
        this.#options.onBegun?.(frame.conversation);
        break;
      case 'done':
        this.#commands.done(frame);
        break;
      case 'refused':
        this.#refused(frame);
        break;
      default:
        if (frame.type === 'presence' && frame.online != null) {
          this.anybodyOnline.value = frame.online;
        }
        this.heard(frame);
        break;
    }
  }

  #refused(frame: Extract<ServerFrame, { type: 'refused' }>): void {
    const conversation = this.conversations.get(frame.conversation ?? '');
    if (frame.re === 'subscribe') {
      conversation?.refuse(frame.stream ?? 'public', frame.code);
    } else if (frame.re === 'fetch') {
      conversation?.fetchRefused();
    } else {
      this.#commands.refused(frame);
    }
  }

  /**
   * Sends what a dead tab left, as that tab: only under its device and numbers does the server know
   * what it has stored already. Refused entries come over to our own outbox for the person to see.
   */
  async #sendFor(orphan: Device): Promise<void> {
    const { ports } = this.#options;
    const key = outboxKey(orphan.id);
    const outbox = new Outbox({
      clock: ports.clock,
      store: ports.store,
      key,
      newId: ports.newId,
      transmit: (frame) => connection.send(frame),
      onLate: () => connection.probe(),
    });
    const connection = new Connection({
      clock: ports.clock,
      open: ports.open,
      random: ports.random,
      device: orphan.id,
      credentials: this.#options.credentials,
      onReady: (frame) => outbox.connected(frame.limits.unacked),
      onFrame: (frame) => {
        if (frame.type === 'ack') outbox.ack(frame);
        if (frame.type === 'nack') outbox.nack(frame);
        if (outbox.settled) void finish();
      },
      onLost: () => outbox.lost(),
    });
    let finished = false;
    const finish = async () => {
      if (finished) return;
      finished = true;
      connection.stop();
      for (const id of outbox.conversations()) {
        for (const entry of outbox.rows(id).peek()) {
          if (entry.state === 'failed') this.outbox.adopt(id, entry);
        }
      }
      await outbox.saved();
      await this.outbox.saved();
      await ports.store.remove(key);
      orphan.release();
    };
    await outbox.restore();
    for (const id of outbox.conversations().filter(isDraft)) {
      for (const entry of outbox.rows(id).peek()) {
        this.outbox.add(id, entry.kind, entry.text);
        outbox.discard(id, entry.id);
      }
    }
    if (outbox.settled) await finish();
    else connection.start();
  }
}
