import { expect, test } from 'vitest';
import type { Event, Principal } from '../client/frames.ts';
import type { Entry } from '../client/outbox.ts';
import { type Item, type TranscriptInput, transcript } from './transcript.ts';

const VISITOR: Principal = { kind: 'visitor', id: 'v', name: 'Vi' };
const ADA: Principal = { kind: 'agent', id: 'ada', name: 'Ada' };
const BEN: Principal = { kind: 'agent', id: 'ben', name: 'Ben' };
const NOON = Date.parse('2026-03-01T12:00:00.000Z');

let seq = 0;
function event(kind: Event['kind'], from: Principal, body: object, more: object = {}): Event {
  seq += 1;
  const at = new Date(NOON + seq * 1_000).toISOString();
  return { seq, id: `e${seq}`, at, from, kind, body, ...more } as Event;
}

function show(timeline: Event[], more: Partial<TranscriptInput> = {}): Item[] {
  return transcript({
    timeline,
    entries: [],
    receipts: new Map(),
    side: 'visitor',
    me: VISITOR,
    line: ({ kind, from }) => (/^(edited|redacted)$/.test(kind) ? null : `${kind} by ${from.name}`),
    ...more,
  });
}

/** What is shown, in few words. */
function words(items: Item[]): string[] {
  return items.flatMap((item) => {
    if (item.kind === 'day') return [];
    if (item.kind === 'line') return [`– ${item.text}`];
    const mark = item.own ? '>' : '<';
    return [`${mark} ${item.redacted ? 'removed' : item.text}${item.edited ? ' (edited)' : ''}`];
  });
}

test('sides, lines and edits as the visitor sees them', () => {
  seq = 0;
  const timeline = [
    event('created', VISITOR, {}),
    event('message', VISITOR, { text: 'hallo' }),
    event('assigned', ADA, { agent: { id: 'ada', name: 'Ada' }, by: 'accept' }),
    event('message', ADA, { text: 'hi' }),
    event('message', ADA, { text: 'oops' }),
    event('edited', VISITOR, { seq: 2, text: 'hello' }),
    event('redacted', ADA, { seq: 5 }),
    event('edited', ADA, { seq: 5, text: 'back again' }),
    event('transferred', ADA, { to: { department: 'billing' } }),
    event('closed', VISITOR, { resolution: 'none' }),
  ];
  expect(words(show(timeline))).toEqual([
    '– created by Vi',
    '> hello (edited)',
    '– assigned by Ada',
    '< hi',
    '< removed',
    '– transferred by Ada',
    '– closed by Vi',
  ]);
});

test('agents are one side; an edit of a note does not touch the message of the same number', () => {
  seq = 0;
  const note = { public_head: 1 };
  const timeline = [
    event('message', VISITOR, { text: 'public one' }),
    { ...event('note', ADA, { text: 'note one' }, note), seq: 1 },
    { ...event('edited', ADA, { seq: 1, text: 'note changed' }, note), seq: 2 },
    event('message', BEN, { text: 'answer' }),
  ];
  const items = show(timeline, { side: 'agent', me: ADA });
  expect(words(items)).toEqual(['< public one', '> note changed (edited)', '> answer']);
  expect(items.flatMap((item) => (item.kind === 'said' ? [item.note] : []))).toEqual([
    false,
    true,
    false,
  ]);
});

test('kinds without a line are not shown', () => {
  seq = 0;
  const unknown = { ...event('message', ADA, { text: 'x' }), kind: 'sparkled' } as unknown as Event;
  expect(words(show([unknown], { line: () => null }))).toEqual([]);
});

test('a run of one author shows the name once, until somebody else or a pause', () => {
  seq = 0;
  const a = event('message', ADA, { text: '1' });
  const b = event('message', ADA, { text: '2' });
  const c = { ...event('message', ADA, { text: '3' }), at: new Date(NOON + 600_000).toISOString() };
  const d = { ...event('message', BEN, { text: '4' }), at: c.at };
  const first = show([a, b, c, d]).flatMap((item) => (item.kind === 'said' ? [item.first] : []));
  expect(first).toEqual([true, false, true, true]);
});

test('how far a message has come: sending, sent, delivered, seen, not sent', () => {
  seq = 0;
  const timeline = [event('message', VISITOR, { text: 'a' })];
  const entry: Entry = {
    id: 'x',
    n: 2,
    kind: 'message',
    text: 'b',
    ifHead: null,
    at: NOON,
    state: 'flying',
    tried: true,
    late: false,
    code: null,
    seq: null,
  };
  const progress = (more: Partial<TranscriptInput>) =>
    show(timeline, more).flatMap((item) => (item.kind === 'said' ? [item.progress] : []));
  const by = (kind: string, received: number, read: number) =>
    new Map([['other', { kind, received, read }]]);
  expect(progress({})).toEqual(['sent']);
  expect(progress({ receipts: by('agent', 1, 0) })).toEqual(['delivered']);
  expect(progress({ receipts: by('agent', 1, 1) })).toEqual(['seen']);
  expect(progress({ receipts: by('visitor', 1, 1) })).toEqual(['sent']);
  expect(progress({ entries: [entry] })).toEqual([null, 'sending']);
  expect(progress({ entries: [{ ...entry, late: true }] })).toEqual([null, 'late']);
  expect(progress({ entries: [{ ...entry, state: 'failed' }] })).toEqual([null, 'failed']);
});

test('a row of messages on their way says so once', () => {
  const at = {
    kind: 'message',
    ifHead: null,
    at: NOON,
    tried: true,
    late: false,
    code: null,
    seq: null,
  } as const;
  const entries: Entry[] = ['a', 'b'].map((text, idx) => ({
    ...at,
    id: text,
    n: idx + 1,
    text,
    state: 'flying',
  }));
  const progress = show([], { entries }).flatMap((item) =>
    item.kind === 'said' ? [item.progress] : [],
  );
  expect(progress).toEqual([null, 'sending']);
});

test('each day is named once', () => {
  seq = 0;
  const later = new Date(NOON + 3 * 24 * 3_600_000).toISOString();
  const days = show([
    event('message', ADA, { text: '1' }),
    event('message', ADA, { text: '2' }),
    { ...event('message', ADA, { text: '3' }), at: later },
  ]).filter((item) => item.kind === 'day');
  expect(days.length).toBe(2);
});
