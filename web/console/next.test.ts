import { expect, test } from 'vitest';
import type { Outcome } from '../client/commands.ts';
import type { Card } from '../client/frames.ts';
import { card } from '../test/fake/cards.ts';
import { FakeClock } from '../test/fake/ports.ts';
import { acceptNext, type Competence, remembered, suits } from './next.ts';

const LATE: Outcome = { ok: false, code: 'already_accepted', by: null };

function make(waiting: Card[], own: Partial<Competence> | null, outcomes: Outcome[] = []) {
  const tried: string[] = [];
  let asked = 0;
  const next = acceptNext({
    competence: async () => {
      asked += 1;
      if (own === null) throw new Error('no answer');
      return { skills: [], departments: [], ...own };
    },
    waiting: () => waiting,
    take: async ({ id }) => {
      tried.push(id);
      return outcomes[tried.length - 1] ?? { ok: true, seq: 1 };
    },
  });
  return { next, tried, asked: () => asked };
}

test.each([
  ['nothing asked, nothing known', {}, {}, true],
  ['one skill, had', { skills: ['de', 'ferns'] }, { skills: ['ferns'] }, true],
  ['two skills, one had', { skills: ['de'] }, { skills: ['de', 'ferns'] }, false],
  ['a skill, none had', {}, { skills: ['de'] }, false],
  ['own department', { departments: ['sales'] }, { department: 'sales' }, true],
  ['another department', { departments: ['sales'] }, { department: 'care' }, false],
  ['no department is for everybody', { departments: ['sales'] }, { department: null }, true],
  ['who is in none works for all', {}, { department: 'care' }, true],
  [
    'department fits, skill does not',
    { departments: ['a'] },
    { department: 'a', skills: ['x'] },
    false,
  ],
] as const)('%s', (_, own, asks, fits) => {
  const skills = 'skills' in asks ? [...asks.skills] : [];
  const competence = { skills: [], departments: [], ...own };
  expect(suits(competence, card('c', { ...asks, skills }))).toBe(fits);
});

test('who asks for what one cannot is skipped, and the longest-waiting other is taken', async () => {
  const all = [
    card('french', { skills: ['fr'] }),
    card('care', { department: 'care' }),
    card('german', { skills: ['de'] }),
    card('anyone'),
  ];
  const { next, tried } = make(all, { skills: ['de'], departments: ['sales'] });
  expect(await next).toMatchObject({ id: 'german' });
  expect(tried).toEqual(['german']);
});

test('somebody quicker leads to the next one, another refusal to the end', async () => {
  const all = ['a', 'b', 'c'].map((id) => card(id));
  const quicker = make(all, {}, [LATE]);
  expect(await quicker.next).toMatchObject({ id: 'b' });
  const full = make(all, {}, [{ ok: false, code: 'at_capacity', by: null }]);
  expect(await full.next).toBe('refused');
  expect(full.tried).toEqual(['a']);
  const always = make(
    [...'abcdefgh'].map((id) => card(id)),
    {},
    Array(8).fill(LATE),
  );
  expect(await always.next).toBe('refused');
  expect(always.tried).toHaveLength(5);
});

test('what keeps from taking anybody is told apart', async () => {
  const nobody = make([], {});
  expect(await nobody.next).toBe('nobody');
  expect(nobody.asked()).toBe(0);
  const unsuited = make([card('a', { skills: ['fr'] })], {});
  expect(await unsuited.next).toBe('unsuited');
  const unknown = make([card('a')], null);
  expect(await unknown.next).toBe('unknown');
  expect([...unsuited.tried, ...unknown.tried]).toEqual([]);
});

test('what one can is asked for once in a while, and again after a failure', async () => {
  const clock = new FakeClock();
  const server = { asked: 0, down: true };
  const can = remembered(async () => {
    server.asked += 1;
    if (server.down) throw new Error('no answer');
    return { skills: [`${server.asked}`], departments: [] };
  }, clock);
  await expect(can()).rejects.toThrow();
  server.down = false;
  expect((await Promise.all([can(), can()])).map(({ skills }) => skills)).toEqual([['2'], ['2']]);
  await clock.pass(29_000);
  expect((await can()).skills).toEqual(['2']);
  await clock.pass(2_000);
  expect((await can()).skills).toEqual(['3']);
});
