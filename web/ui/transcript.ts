/** What a transcript shows, from events and from what is still on its way. Pure. */

import type { Positions } from '../client/conversation.ts';
import { type Side, sideOf } from '../client/conversation.ts';
import type { Event, Principal, Stream } from '../client/frames.ts';
import type { Entry } from '../client/outbox.ts';

/** How far a message of ours has come. */
export type Progress = 'sending' | 'sent' | 'delivered' | 'seen' | 'late' | 'failed';

export interface Said {
  kind: 'said';
  key: string;
  /** On the reader's side of the talk or on the other. */
  own: boolean;
  /** Written by the reader, not by a colleague. */
  mine: boolean;
  author: Principal;
  text: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** For colleagues only. */
  note: boolean;
  edited: boolean;
  redacted: boolean;
  /** Whether it begins a run of one author, which is where the name stands. */
  first: boolean;
  /** Only on the newest of our own and on those that need a word. */
  progress: Progress | null;
  /** The entry behind a message on its way. */
  entry: Entry | null;
}

export interface Line {
  kind: 'line';
  key: string;
  text: string;
}

export interface Day {
  kind: 'day';
  key: string;
  at: number;
}

export type Item = Said | Line | Day;

export interface TranscriptInput {
  timeline: readonly Event[];
  entries: readonly Entry[];
  receipts: ReadonlyMap<string, Positions>;
  side: Side;
  me: Principal | null;
  /** What to say of an event that is no message; `null` for nothing. */
  line(event: Event): string | null;
}

/** A pause this long begins a new run. */
const RUN_MS = 5 * 60_000;

export function transcript(input: TranscriptInput): Item[] {
  const items: Item[] = [];
  const changes = changesIn(input.timeline);
  for (const event of input.timeline) {
    const at = Date.parse(event.at);
    if (event.kind === 'message' || event.kind === 'note' || event.kind === 'whisper') {
      pushDay(items, at);
      items.push(said(input, event, at, changes));
      continue;
    }
    const text = input.line(event);
    if (text !== null) {
      pushDay(items, at);
      items.push({ kind: 'line', key: event.id, text });
    }
  }
  for (const entry of input.entries) {
    pushDay(items, entry.at);
    items.push(onItsWay(entry, input.me));
  }
  markRuns(items);
  markProgress(items, input);
  return items;
}

/** The texts that later events gave to earlier ones; `null` for removed. */
function changesIn(timeline: readonly Event[]): Map<string, string | null> {
  const changes = new Map<string, string | null>();
  for (const event of timeline) {
    if (event.kind !== 'edited' && event.kind !== 'redacted') continue;
    const place = `${streamOf(event)}/${event.body.seq}`;
    if (changes.get(place) === null) continue;
    changes.set(place, event.kind === 'edited' ? event.body.text : null);
  }
  return changes;
}

function streamOf(event: Event): Stream {
  return event.public_head === undefined ? 'public' : 'internal';
}

function said(
  input: TranscriptInput,
  event: Extract<Event, { kind: 'message' | 'note' | 'whisper' }>,
  at: number,
  changes: Map<string, string | null>,
): Said {
  const place = `${streamOf(event)}/${event.seq}`;
  const change = changes.get(place);
  return {
    kind: 'said',
    key: event.id,
    own: sideOf(event.from) === input.side,
    mine: event.from.id === input.me?.id,
    author: event.from,
    text: change === undefined ? event.body.text : (change ?? ''),
    at,
    note: event.kind !== 'message',
    edited: change != null,
    redacted: change === null,
    first: false,
    progress: null,
    entry: null,
  };
}

function onItsWay(entry: Entry, me: Principal | null): Said {
  return {
    kind: 'said',
    key: entry.id,
    own: true,
    mine: true,
    author: me ?? { kind: 'visitor', id: '' },
    text: entry.text,
    at: entry.at,
    note: entry.kind !== 'message',
    edited: false,
    redacted: false,
    first: false,
    progress: progressOf(entry),
    entry,
  };
}

function progressOf(entry: Entry): Progress {
  if (entry.state === 'failed') return 'failed';
  if (entry.state === 'stored') return 'sent';
  return entry.late ? 'late' : 'sending';
}

function pushDay(items: Item[], at: number): void {
  const before = items.findLast((item) => item.kind !== 'line');
  if (before === undefined || dayOf(before.at) !== dayOf(at)) {
    items.push({ kind: 'day', key: `day ${dayOf(at)}`, at });
  }
}

function dayOf(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

function markRuns(items: readonly Item[]): void {
  let before: Said | null = null;
  for (const item of items) {
    if (item.kind !== 'said') {
      before = null;
      continue;
    }
    item.first =
      before === null ||
      before.author.id !== item.author.id ||
      before.author.kind !== item.author.kind ||
      before.note !== item.note ||
      item.at - before.at > RUN_MS;
    before = item;
  }
}

/** Says once, under the last of ours, how far they have come. */
function markProgress(items: readonly Item[], input: TranscriptInput): void {
  items.forEach((item, idx) => {
    const next = items[idx + 1];
    const both = item.kind === 'said' && next?.kind === 'said' ? item.progress : null;
    const same = next?.kind === 'said' && next.progress === both;
    if (same && item.kind === 'said' && (both === 'sending' || both === 'sent'))
      item.progress = null;
  });
  const last = items.findLast((item) => item.kind === 'said' && item.own && !item.note);
  if (last?.kind !== 'said' || last.entry !== null || last.author.kind === 'system') return;
  if (items.findLast((item) => item.kind === 'said' && !item.note) !== last) return;
  const event = input.timeline.find((candidate) => candidate.id === last.key);
  if (event === undefined) return;
  const others = input.side === 'visitor' ? ['agent', 'bot'] : ['visitor'];
  const positions = [...input.receipts.values()].filter((one) => others.includes(one.kind));
  const reached = (of: (one: Positions) => number) => positions.some((one) => of(one) >= event.seq);
  if (reached((one) => one.read)) last.progress = 'seen';
  else last.progress = reached((one) => one.received) ? 'delivered' : 'sent';
}
