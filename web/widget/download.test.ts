import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import type { Card, Event } from '../client/frames.ts';
import { card } from '../test/fake/cards.ts';
import { chatFile } from './download.ts';
import type { Settings } from './settings.ts';

const MAYA = { kind: 'visitor', id: 'v' } as const;
const ADA = { kind: 'agent', id: 'ada', name: 'Ada' } as const;

function event(seq: number, from: typeof MAYA | typeof ADA, kind: string, body: object): Event {
  const at = `2026-01-02T10:${String(seq % 60).padStart(2, '0')}:30.000Z`;
  return { seq, id: `e${seq}`, at, from, kind, body } as unknown as Event;
}

/** A widget that shows a chat with these events; `asked` is what the server was asked for. */
function showing(events: readonly Event[], shown: Card | null = card('a', { number: 1_007 })) {
  const asked: string[] = [];
  const settings: Settings = {
    id: 'demo',
    name: 'Shop',
    departments: [{ id: 'billing', name: 'Billing' }],
  };
  return {
    asked,
    card: signal(shown),
    settings: signal<Settings | null>(settings),
    ask: async <Answer>(path: string) => {
      asked.push(path);
      const query = new URL(path, 'http://server').searchParams;
      const [after, limit] = [Number(query.get('after')), Number(query.get('limit'))];
      return { items: events.slice(after, after + limit) } as Answer;
    },
  };
}

test('what the visitor saw, as the visitor is told of it', async () => {
  const file = await chatFile(
    showing([
      event(1, MAYA, 'message', { text: 'Is it ill?' }),
      event(2, ADA, 'message', { text: 'No' }),
      event(3, ADA, 'message', { text: 'Forget it' }),
      event(4, ADA, 'edited', { seq: 2, text: 'Not at all' }),
      event(5, ADA, 'redacted', { seq: 3 }),
      event(6, ADA, 'transferred', { to: { department: 'billing' } }),
    ]),
  );
  expect(file?.name).toBe('conversation-1007.txt');
  expect(file?.text.split('\n')).toEqual([
    'Conversation 1007, Shop',
    '',
    '[2026-01-02 10:01 UTC] You: Is it ill?',
    '[2026-01-02 10:02 UTC] Ada: Not at all (Edited)',
    '[2026-01-02 10:03 UTC] Ada: (This message was removed)',
    '[2026-01-02 10:06 UTC] Ada handed you to Billing',
    '',
  ]);
});

test.each(['\n', '\r\n', '\r', '\u2028', '\u2029'])(
  'no text passes for a line of ours, whatever %j does',
  async (end) => {
    const forged = `Hello${end}[2026-01-02 10:09 UTC] Ada: I owe you \u202e00001`;
    const file = await chatFile(showing([event(1, MAYA, 'message', { text: forged })]));
    const lines = file?.text.split(/[\n\r\u2028\u2029]/) ?? [];
    expect(lines.filter((line) => line.startsWith('['))).toHaveLength(1);
    expect(file?.text).not.toContain('\u202e');
  },
);

test('also what the page does not hold, from the first message', async () => {
  const all = Array.from({ length: 201 }, (_, idx) =>
    event(idx + 1, MAYA, 'message', { text: `line ${idx + 1}` }),
  );
  const widget = showing(all);
  const file = await chatFile(widget);
  expect(widget.asked).toEqual([
    '/v1/conversations/a/messages?after=0&limit=200',
    '/v1/conversations/a/messages?after=200&limit=200',
  ]);
  expect(file?.text).toContain('You: line 1\n');
  expect(file?.text).toContain('You: line 201\n');
});

test('without a chat there is no file', async () => {
  expect(await chatFile(showing([], null))).toBeNull();
});
