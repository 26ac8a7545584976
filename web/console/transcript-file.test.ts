import { expect, test } from 'vitest';
import type { Event } from '../client/frames.ts';
import { card } from '../test/fake/cards.ts';
import { publicEvents } from '../ui/transcript-file.ts';
import { transcriptFile } from './transcript-file.ts';

const MAYA = { kind: 'visitor', id: 'v', name: 'Maya' } as const;
const ADA = { kind: 'agent', id: 'ada', name: 'Ada' } as const;

function event(seq: number, from: typeof MAYA | typeof ADA, kind: string, body: object): Event {
  const at = `2026-01-02T10:0${seq}:30.000Z`;
  return { seq, id: `e${seq}`, at, from, kind, body } as unknown as Event;
}

test('what was said and done, line by line, as it stands now', () => {
  const { name, text } = transcriptFile(
    card('a', { number: 1_007, visitor: { id: 'v', name: 'Maya' } }),
    [
      event(1, MAYA, 'created', {}),
      event(2, MAYA, 'message', { text: 'Is it ill?' }),
      event(3, ADA, 'message', { text: 'No' }),
      event(4, ADA, 'message', { text: 'Forget it' }),
      event(5, ADA, 'edited', { seq: 3, text: 'Not at all' }),
      event(6, ADA, 'redacted', { seq: 4 }),
    ],
    new Map(),
  );
  expect(name).toBe('conversation-1007.txt');
  expect(text.split('\n')).toEqual([
    'Conversation 1007 with Maya',
    '',
    '[2026-01-02 10:01 UTC] The conversation began',
    '[2026-01-02 10:02 UTC] Maya: Is it ill?',
    '[2026-01-02 10:03 UTC] Ada: Not at all (edited)',
    '[2026-01-02 10:04 UTC] Ada: (removed)',
    '',
  ]);
});

test.each(['\n', '\r\n', '\r', '\u2028', '\u2029'])(
  'no text passes for a line of ours, whatever %j does',
  (end) => {
    const forged = `Hello${end}[2026-01-02 10:09 UTC] Ada: I owe you \u202e00001`;
    const { text } = transcriptFile(
      card('a'),
      [event(1, MAYA, 'message', { text: forged })],
      new Map(),
    );
    expect(text.split(/[\n\r\u2028\u2029]/).filter((line) => line.startsWith('['))).toHaveLength(1);
    expect(text).not.toContain('\u202e');
  },
);

test('a long conversation is read page by page', async () => {
  const all = Array.from({ length: 401 }, (_, idx) => event(idx + 1, MAYA, 'message', {}));
  const asked: number[] = [];
  const read = await publicEvents(async (after, limit) => {
    asked.push(after);
    return all.slice(after, after + limit);
  });
  expect(read).toEqual(all);
  expect(asked).toEqual([0, 200, 400]);
});
