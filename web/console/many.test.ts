import { expect, test } from 'vitest';
import type { AgentClient } from '../client/agent.ts';
import { Cards } from '../client/cards.ts';
import type { Outcome } from '../client/commands.ts';
import type { Card } from '../client/frames.ts';
import { card } from '../test/fake/cards.ts';
import { FakeClock, settle } from '../test/fake/ports.ts';
import { Toasts } from '../ui/toasts.tsx';
import { Acts } from './acts.ts';
import { doAll, prioritizeAll, resolveAll, tagAll, takeAll } from './many.ts';

const ME = { id: 'me', name: 'Ada' };
const YES: Outcome = { ok: true, seq: 2 };
const no = (code: string): Outcome => ({ ok: false, code, by: { id: 'b', name: 'Ben' } });

/** Acts over a server that says these things, by conversation. */
function make(answers: Record<string, Outcome> = {}, held: readonly Card[] = []) {
  const cards = new Cards();
  for (const one of held) cards.put(one);
  const asked: string[] = [];
  let waiting = 0;
  const most = { waiting: 0 };
  const client = {
    cards,
    do: async (id: string, action: string, args: object) => {
      asked.push(`${action} ${id} ${JSON.stringify(args)}`);
      waiting += 1;
      most.waiting = Math.max(most.waiting, waiting);
      await settle();
      waiting -= 1;
      return answers[id] ?? YES;
    },
  } as unknown as AgentClient;
  const toasts = new Toasts(new FakeClock());
  const acts = new Acts({ client, toasts, me: ME });
  const said = () => toasts.list.value.map(({ text }) => text.replaceAll(/[\u2068\u2069]/g, ''));
  return { acts, cards, toasts, asked, answers, said, most };
}

const ids = (cards: readonly Card[]) => cards.map(({ id }) => id);

test('all at once, with one word for all and one way back', async () => {
  const held = [card('a'), card('b', { status: 'active', agent: ME })];
  const { acts, cards, toasts, asked, said } = make({}, held);
  const done = doAll(acts, toasts, held, resolveAll);
  await Promise.resolve();
  expect(held.map(({ id }) => cards.of(id).value?.status)).toEqual(['closed', 'closed']);
  expect(await done).toEqual([]);
  expect(said()).toEqual(['Resolved 2 conversations.']);
  toasts.list.value[0]?.action?.run();
  await expect.poll(said).toContain('Reopened 2 conversations.');
  expect(asked).toEqual(['resolve a {}', 'resolve b {}', 'reopen a {}', 'reopen b {}']);
  expect(held.map(({ id }) => cards.of(id).value?.status)).toEqual(['waiting', 'active']);
});

test('each that is refused goes back by itself, and one notice says which and why', async () => {
  const held = ['a', 'b', 'c', 'd', 'e'].map((id) => card(id));
  const refusals = { b: no('already_accepted'), c: no('at_capacity'), d: no('x'), e: no('y') };
  const { acts, cards, toasts, answers, said, asked } = make({ ...refusals }, held);
  const left = await doAll(acts, toasts, held, takeAll(acts, ME.id));
  expect(ids(left)).toEqual(['b', 'c', 'd', 'e']);
  expect(held.map(({ id }) => cards.of(id).value?.status)).toEqual([
    'active',
    'waiting',
    'waiting',
    'waiting',
    'waiting',
  ]);
  expect(said()).toEqual([
    'Assigned 1 of 5 to you. Visitor b: Ben has already taken it. Visitor c: there are as many conversations already as fit. Close one first. Visitor d: the server refused it (x). And 1 more.',
  ]);
  for (const id of Object.keys(refusals)) answers[id] = YES;
  asked.length = 0;
  toasts.list.value[0]?.action?.run();
  await expect.poll(said).toContain('Assigned 4 conversations to you.');
  expect(asked.length).toBe(4);
});

test('what no second try can change is told without one', async () => {
  const { acts, toasts } = make({ a: no('forbidden') }, [card('a')]);
  await doAll(acts, toasts, [card('a')], resolveAll);
  expect(toasts.list.value[0]?.action).toBe(null);
});

test('what is so already is done, what is closed is left alone', async () => {
  const held = [
    card('a', { priority: 'high' }),
    card('b', { status: 'closed' }),
    card('c', { status: 'archived' }),
  ];
  const { acts, toasts, asked, said } = make({}, held);
  const left = await doAll(acts, toasts, held, prioritizeAll('high'));
  expect(asked).toEqual([]);
  expect(ids(left)).toEqual(['b', 'c']);
  expect(said()[0]).toMatch(/^Changed the priority of 1 of 3\. Visitor b: it is closed\./);
});

test('tags are added to what each has, and taken from those that have them', async () => {
  const held = [
    card('a', { tags: ['fern', 'late'] }),
    card('b', { tags: ['late'], status: 'closed' }),
    card('c', { tags: ['new'] }),
  ];
  const { acts, toasts, asked } = make({}, held);
  await doAll(acts, toasts, held, tagAll(['new'], ['late']));
  expect(asked).toEqual(['tag a {"tags":["fern","new"]}', 'tag b {"tags":["new"]}']);
});

test('the server is not asked for all at the same time', async () => {
  const held = Array.from({ length: 40 }, (_, n) => card(String(n)));
  const { acts, toasts, asked, most } = make({}, held);
  await doAll(acts, toasts, held, resolveAll);
  expect(asked.length).toBe(40);
  expect(most.waiting).toBeGreaterThan(1);
  expect(most.waiting).toBeLessThanOrEqual(6);
});
