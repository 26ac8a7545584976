/**
 * The server's side of the stream rules, small enough to be read in one go: what is stored once
 * under (conversation, device, n), replay, snapshot, fetch, refusals. It can also behave as badly as
 * networks do: lose, double and reorder frames and cut connections, from a seed.
 */

import type {
  Card,
  ClientFrame,
  Event,
  Principal,
  ServerFrame,
  Stream,
} from '../../client/frames.ts';
import { STREAM_OF } from '../../client/frames.ts';
import type { OpenSocket, SocketEvents } from '../../client/ports.ts';
import type { FakeClock } from './ports.ts';

export interface Trouble {
  random(): number;
  /** Chances per frame to the client. */
  lose: number;
  double: number;
  delay: number;
  /** Chance per frame from the client that the connection dies, before or after it counts. */
  cut: number;
  /** Chance per send that it is refused for a moment. */
  busy: number;
}

interface Stored {
  n: number;
  text: string;
  seq: number;
}

interface Wire {
  events: SocketEvents;
  device: string;
  open: boolean;
  subscribed: Set<string>;
}

const ready = {
  type: 'ready',
  connection: 'c',
  node: 'n',
  principal: { kind: 'agent', id: 'me', name: 'Me' },
  ping_ms: 25_000,
  limits: { text_bytes: 16_384, unacked: 16 },
} as const;

export class FakeServer {
  log = 'log-1';
  readonly streams = new Map<string, Event[]>();
  readonly outboxes = new Map<string, Stored[]>();
  readonly received: ClientFrame[] = [];
  readonly hellos: number[] = [];
  trouble: Trouble | null = null;
  /** Refuses new connections as if nothing listened. */
  down = false;
  /** Answers sends with this refusal while set. */
  refuse: string | null = null;
  /** Swallows everything, as a link does that died without a word. */
  mute = false;
  /** What it says of every conversation that is followed. */
  state: Card | null = null;
  /** Closes a hello with this code. */
  refuseHello: number | null = null;
  #wires = new Set<Wire>();
  /** Subscriptions that are still refused. */
  #moving = 0;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  readonly open: OpenSocket = (events) => {
    const wire: Wire = { events, device: '', open: true, subscribed: new Set() };
    if (this.down) {
      this.#clock.after(1, () => this.#close(wire, 1006));
    } else {
      this.#wires.add(wire);
      this.#clock.after(1, () => {
        if (wire.open) events.opened();
      });
    }
    return {
      send: (text) => {
        if (!wire.open || this.mute) return;
        const frame = JSON.parse(text) as ClientFrame;
        this.#clock.after(1, () => this.#arrive(wire, frame));
      },
      close: () => {
        wire.open = false;
        this.#wires.delete(wire);
      },
    };
  };

  get connections(): number {
    return this.#wires.size;
  }

  /** Ends every connection with a code. */
  cut(code = 1006): void {
    for (const wire of [...this.#wires]) this.#close(wire, code);
  }

  say(frame: ServerFrame): void {
    for (const wire of this.#wires) this.#send(wire, frame);
  }

  /** The conversation goes to another node: its subscriptions are lost, and not to be had so often. */
  move(conversation: string, streams: readonly Stream[], refusals: number): void {
    this.#moving = refusals;
    for (const stream of streams) {
      for (const wire of this.#wires) wire.subscribed.delete(`${conversation}/${stream}`);
      this.say({ type: 'refused', re: 'subscribe', conversation, stream, code: 'busy' });
    }
  }

  /** Somebody writes. */
  write(
    conversation: string,
    text: string,
    stream: Stream = 'public',
    from: Principal = { kind: 'visitor', id: 'v', name: 'Vi' },
  ): void {
    const kind = stream === 'public' ? 'message' : 'note';
    this.append(conversation, stream, { kind, from, body: { text } } as Partial<Event>);
  }

  texts(conversation: string, stream: Stream = 'public'): string[] {
    return this.#events(conversation, stream).map((event) =>
      event.kind === 'message' || event.kind === 'note' ? event.body.text : event.kind,
    );
  }

  #arrive(wire: Wire, frame: ClientFrame): void {
    if (!wire.open) return;
    this.received.push(frame);
    const trouble = this.trouble;
    if (trouble !== null && trouble.random() < trouble.cut) {
      if (trouble.random() < 0.5) this.#serve(wire, frame);
      this.#close(wire, 1006);
      return;
    }
    this.#serve(wire, frame);
  }

  #serve(wire: Wire, frame: ClientFrame): void {
    switch (frame.type) {
      case 'hello':
        this.hellos.push(this.#clock.now());
        wire.device = frame.device;
        if (this.refuseHello !== null) this.#close(wire, this.refuseHello);
        else this.#sure(wire, { ...ready });
        break;
      case 'subscribe':
        this.#subscribe(wire, frame);
        break;
      case 'fetch':
        this.#fetch(wire, frame);
        break;
      case 'send':
        this.#send(wire, this.#accept(wire, frame));
        break;
      case 'ping':
        this.#sure(wire, { type: 'pong' });
        break;
      default:
        break;
    }
  }

  #subscribe(wire: Wire, frame: Extract<ClientFrame, { type: 'subscribe' }>): void {
    const stream = frame.stream ?? 'public';
    const events = this.#events(frame.conversation, stream);
    const head = events.length;
    const after = frame.after ?? 0;
    const resume = frame.log === this.log && after <= head && head - after <= 1_000;
    const from = resume ? after + 1 : Math.max(1, head - 49);
    if (this.#moving > 0) {
      this.#moving -= 1;
      const { conversation } = frame;
      this.#sure(wire, { type: 'refused', re: 'subscribe', conversation, stream, code: 'busy' });
      return;
    }
    wire.subscribed.add(`${frame.conversation}/${stream}`);
    this.#sure(wire, {
      type: 'subscribed',
      conversation: frame.conversation,
      stream,
      log: this.log,
      head,
      mode: resume ? 'replay' : 'snapshot',
      from,
      ...(this.state && { state: this.state }),
    });
    for (let at = from; at <= head; at += 200) {
      const items = events.slice(at - 1, at + 199);
      const more = at + 200 <= head;
      this.#send(wire, this.#page(wire, frame.conversation, stream, items, more));
    }
  }

  #fetch(wire: Wire, frame: Extract<ClientFrame, { type: 'fetch' }>): void {
    const stream = frame.stream ?? 'public';
    const events = this.#events(frame.conversation, stream);
    if (frame.before !== undefined) {
      const end = frame.before - 1;
      const start = Math.max(0, end - frame.limit);
      const items = events.slice(start, end);
      // In two frames, as a page of long messages comes.
      const half = Math.ceil(items.length / 2);
      for (const part of [items.slice(0, half), items.slice(half)]) {
        this.#send(wire, this.#page(wire, frame.conversation, stream, part, start > 0));
      }
    } else {
      const start = frame.after ?? 0;
      const items = events.slice(start, start + frame.limit);
      const more = start + frame.limit < events.length;
      this.#send(wire, this.#page(wire, frame.conversation, stream, items, more));
    }
  }

  #page(wire: Wire, conversation: string, stream: Stream, events: Event[], more: boolean) {
    const items = events.map((event) => forReader(event, wire.device));
    return { type: 'events', conversation, stream, items, more } as const;
  }

  #accept(wire: Wire, frame: Extract<ClientFrame, { type: 'send' }>): ServerFrame {
    const { conversation, n } = frame;
    const key = `${conversation}/${wire.device}`;
    const outbox = this.outboxes.get(key) ?? [];
    this.outboxes.set(key, outbox);
    const nack = (code: string, more: object = {}): ServerFrame => {
      return { type: 'nack', conversation, n, code, ...more };
    };
    const ack = (seq: number, duplicate: boolean): ServerFrame => {
      return { type: 'ack', conversation, n, seq, id: `e${seq}`, at: '', duplicate };
    };
    const known = outbox.find((stored) => stored.n === n);
    if (known !== undefined) {
      return known.text === frame.body.text ? ack(known.seq, true) : nack('conflict');
    }
    const trouble = this.trouble;
    if (trouble !== null && trouble.random() < trouble.busy) {
      return nack('busy', { retry_after_ms: 50 });
    }
    if (n !== outbox.length + 1) return nack('gap', { expect: outbox.length + 1 });
    if (this.refuse !== null) return nack(this.refuse);
    if (frame.body.text.length > 100) return nack('too_large');
    const stream = STREAM_OF[frame.kind];
    const from = { kind: 'agent', id: 'me', name: 'Me' } as const;
    const written = { kind: frame.kind, from, body: frame.body, device: wire.device, n };
    const seq = this.append(conversation, stream, written as Partial<Event>);
    outbox.push({ n, text: frame.body.text, seq });
    return ack(seq, false);
  }

  /** Something happens. */
  append(conversation: string, stream: Stream, part: Partial<Event>): number {
    const events = this.#events(conversation, stream);
    const seq = events.length + 1;
    const publicHead = this.#events(conversation, 'public').length;
    const at = new Date(this.#clock.now()).toISOString();
    const place = stream === 'internal' ? { public_head: publicHead } : {};
    const event = { ...part, seq, id: `${stream}-${seq}`, at, ...place } as Event;
    events.push(event);
    for (const wire of this.#wires) {
      if (!wire.subscribed.has(`${conversation}/${stream}`)) continue;
      const shown = forReader(event, wire.device);
      this.#send(wire, { ...shown, type: 'event', conversation, stream });
    }
    return seq;
  }

  #events(conversation: string, stream: Stream): Event[] {
    const key = `${conversation}/${stream}`;
    let events = this.streams.get(key);
    if (events === undefined) {
      events = [];
      this.streams.set(key, events);
    }
    return events;
  }

  #send(wire: Wire, frame: ServerFrame): void {
    const trouble = this.trouble;
    if (trouble === null) {
      this.#sure(wire, frame);
    } else if (trouble.random() >= trouble.lose) {
      this.#sure(wire, frame, trouble.random() < trouble.delay ? 40 : 1);
      if (trouble.random() < trouble.double) this.#sure(wire, frame, 30);
    }
  }

  #sure(wire: Wire, frame: ServerFrame, ms = 1): void {
    const text = JSON.stringify(frame);
    this.#clock.after(ms, () => {
      if (wire.open && !this.mute) wire.events.received(text);
    });
  }

  #close(wire: Wire, code: number): void {
    if (!wire.open) return;
    wire.open = false;
    this.#wires.delete(wire);
    wire.events.closed(code);
  }
}

/** Device and number are for the sending outbox's principal; other readers do not see them. */
function forReader(event: Event, device: string): Event {
  if (event.device === device) return event;
  const { device: _device, n: _n, ...rest } = event;
  return rest as Event;
}
