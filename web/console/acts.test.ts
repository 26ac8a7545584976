import { expect, test } from 'vitest';
import type { AgentClient } from '../client/agent.ts';
import { Cards } from '../client/cards.ts';
import type { Outcome } from '../client/commands.ts';
import { card } from '../test/fake/cards.ts';
import { FakeClock, settle } from '../test/fake/ports.ts';
import { Toasts } from '../ui/toasts.tsx';
import { Acts } from './acts.ts';

const ME = { id: 'me', name: 'Ada' };

function make(answers: Outcome[] = []) {
  const cards = new Cards();
  const asked: { id: string; action: string; args: object }[] = [];
  let answer: (outcome: Outcome) => void = () => {};
  const client = {
    cards,
    do: (id: string, action: string, args: object) => {
      asked.push({ id, action, args });
      const given = answers.shift();
      return given === undefined
        ? new Promise<Outcome>((resolve) => {
            answer = resolve;
          })
        : Promise.resolve(given);
    },
  } as unknown as AgentClient;
  const toasts = new Toasts(new FakeClock());
  const acts = new Acts({ client, toasts, me: ME });
  return { acts, cards, toasts, asked, answer: (outcome: Outcome) => answer(outcome) };
}

test('what is done shows before the server agrees', async () => {
  const { acts, cards, asked, answer } = make();
  cards.put(card('c'));
  const done = acts.take(card('c'));
  expect(cards.of('c').value).toMatchObject({ status: 'active', agent: ME });
  expect(acts.busy.value.has('c')).toBe(true);
  answer({ ok: true, seq: 2 });
  expect((await done).ok).toBe(true);
  expect(acts.busy.value.has('c')).toBe(false);
  expect(asked).toEqual([{ id: 'c', action: 'accept', args: {} }]);
});

test('an old word of a list does not undo it, a newer one of the server does', async () => {
  const { acts, cards, answer } = make();
  cards.put(card('c'));
  const done = acts.take(card('c'));
  cards.put(card('c', { unread: 1 }));
  expect(cards.of('c').value).toMatchObject({ status: 'active', agent: ME, unread: 1 });
  const ben = { id: 'b', name: 'Ben' };
  cards.put(card('c', { status: 'active', agent: ben, head: 2 }));
  expect(cards.of('c').value?.agent).toEqual(ben);
  answer({ ok: false, code: 'already_accepted', by: ben });
  await done;
  expect(cards.of('c').value?.agent).toEqual(ben);
});

test('nor does one that comes after the answer and was written before it', async () => {
  const { acts, cards } = make([{ ok: true, seq: 2 }]);
  cards.put(card('c'));
  await acts.take(card('c'));
  cards.put(card('c', { unread: 1 }));
  expect(cards.of('c').value).toMatchObject({ status: 'active', agent: ME });
  cards.put(card('c', { status: 'active', agent: ME, head: 2, unread: 1 }));
  expect(cards.of('c').value).toMatchObject({ status: 'active', agent: ME, unread: 1 });
});

test('a refusal puts it back, says what and why, and can be tried again', async () => {
  const no: Outcome = { ok: false, code: 'at_capacity', by: null };
  const { acts, cards, toasts, asked } = make([no, { ok: true, seq: 2 }]);
  const before = card('c', { status: 'active', agent: ME, priority: 'low' });
  cards.put(before);
  await acts.prioritize(before, 'urgent');
  expect(cards.of('c').value?.priority).toBe('low');
  const [toast] = toasts.list.value;
  expect(toast?.text).toMatch(/^Could not change the priority: there are as many/);
  toast?.action?.run();
  await settle();
  expect(asked.length).toBe(2);
  expect(cards.of('c').value?.priority).toBe('urgent');
});

test('what the server changed meanwhile is not put back', async () => {
  const { acts, cards, answer } = make();
  const before = card('c', { status: 'active', agent: ME });
  cards.put(before);
  const done = acts.resolve(before);
  cards.of('c').value = card('c', { status: 'archived', agent: null, head: 5 });
  answer({ ok: false, code: 'closed', by: null });
  await done;
  expect(cards.of('c').value).toMatchObject({ status: 'archived', agent: null, head: 5 });
});

test('who was quicker is named, and trying again is not offered', async () => {
  const { acts, cards, toasts } = make([
    { ok: false, code: 'already_accepted', by: { id: 'b', name: 'Ben' } },
  ]);
  cards.put(card('c'));
  await acts.take(card('c'));
  expect(toasts.list.value[0]).toMatchObject({
    text: 'Could not assign it to you: Ben has already taken it.',
    action: null,
  });
  expect(cards.of('c').value).toMatchObject({ status: 'waiting', agent: null });
});
