import { expect, test } from 'vitest';
import { randomFrom } from '../test/fake/ports.ts';
import type { Event } from './frames.ts';
import { merged } from './internal.ts';
import { StreamLog } from './stream.ts';

function message(seq: number): Event {
  const from = { kind: 'visitor', id: 'v' } as const;
  return { seq, id: `m${seq}`, at: '', from, kind: 'message', body: { text: `${seq}` } };
}

function note(seq: number, publicHead: number): Event {
  const from = { kind: 'agent', id: 'a' } as const;
  const body = { text: `n${seq}` };
  return { seq, public_head: publicHead, id: `n${seq}`, at: '', from, kind: 'note', body };
}

function seqs(log: StreamLog): number[] {
  return log.events.peek().map((event) => event.seq);
}

test('the next is applied, the old dropped, the later reported as a gap', () => {
  const log = new StreamLog();
  log.subscribed('snapshot', 'L', 5, 6);
  expect(log.take([message(5), message(6)])).toMatchObject({ gap: false });
  expect(log.take([message(6), message(3)]).applied).toEqual([]);
  expect(log.take([message(8)])).toEqual({ applied: [], gap: true });
  expect(log.behind).toBe(true);
  expect(log.take([message(7), message(8)]).applied.length).toBe(2);
  expect(seqs(log)).toEqual([5, 6, 7, 8]);
  expect(log.behind).toBe(false);
});

test('a snapshot drops what was held; a replay keeps it', () => {
  const log = new StreamLog();
  log.subscribed('replay', 'L', 1, 2);
  log.take([message(1), message(2)]);
  log.subscribed('replay', 'L', 3, 3);
  expect(seqs(log)).toEqual([1, 2]);
  log.subscribed('snapshot', 'L', 90, 95);
  expect(seqs(log)).toEqual([]);
  expect(log.last).toBe(89);
});

test('another history never mixes with the one held, whatever the mode says', () => {
  const log = new StreamLog();
  log.subscribed('replay', 'L', 1, 2);
  log.take([message(1), message(2)]);
  log.subscribed('replay', 'M', 1, 1);
  expect(seqs(log)).toEqual([]);
  expect(log.take([message(1)]).applied.length).toBe(1);
});

test('older pages join on in front and what does not join is left out', () => {
  const log = new StreamLog();
  log.subscribed('snapshot', 'L', 10, 11);
  log.take([message(10), message(11)]);
  log.takeOlder([message(5), message(7), message(8), message(9)]);
  expect(seqs(log)).toEqual([7, 8, 9, 10, 11]);
});

test('internal events stand at their public head', () => {
  const shown = merged(
    [message(3), message(4), message(5)],
    [note(1, 1), note(2, 2), note(3, 4), note(4, 4), note(5, 9)],
  );
  expect(shown.map((event) => event.id)).toEqual(['n2', 'm3', 'm4', 'n3', 'n4', 'm5', 'n5']);
});

test('any delivery applies each event once and in order', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = randomFrom(seed);
    const log = new StreamLog();
    log.subscribed('replay', 'L', 1, 0);
    const applied: number[] = [];
    while (log.last < 60) {
      const gap = random() < 0.5;
      const from = gap ? log.last + 1 : 1 + Math.floor(random() * 60);
      const items = Array.from({ length: 1 + Math.floor(random() * 8) }, (_, i) =>
        message(from + i),
      );
      applied.push(...log.take(items).applied.map((event) => event.seq));
    }
    const expected = Array.from({ length: log.last }, (_, i) => i + 1);
    expect(applied, `seed ${seed}`).toEqual(expected);
    expect(seqs(log), `seed ${seed}`).toEqual(expected);
  }
});
