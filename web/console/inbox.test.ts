import { expect, test } from 'vitest';
import type { Card } from '../client/frames.ts';
import { card, FakeLists } from '../test/fake/cards.ts';
import { FakeClock } from '../test/fake/ports.ts';
import { Inbox, type OlderPage, SETTLE_MS, SORT_MS } from './inbox.ts';

const WAITING = { status: 'waiting' } as const;

function at(seconds: number): string {
  return new Date(Date.UTC(2026, 0, 1) + seconds * 1_000).toISOString();
}

function waiting(id: string, seconds: number): Card {
  return card(id, { waiting_since: at(seconds), last_at: at(seconds) });
}

function make(older: (query: URLSearchParams) => Promise<OlderPage> = async () => ({ items: [] })) {
  const lists = new FakeLists();
  const clock = new FakeClock();
  const inbox = new Inbox({ client: lists.client, clock, me: 'me', older });
  return { lists, clock, inbox };
}

test('who waits longest is first, and the order follows within a moment', async () => {
  const { lists, clock, inbox } = make();
  lists.snapshot(WAITING, [waiting('b', 20), waiting('a', 10)]);
  await clock.pass(SORT_MS);
  expect(inbox.order.value).toEqual(['a', 'b']);
  lists.change(WAITING, [{ drop: 'a' }, { put: waiting('c', 5) }]);
  await clock.pass(SORT_MS);
  expect(inbox.order.value).toEqual(['c', 'b']);
});

test('fifty changes a second are four sorts a second', async () => {
  const { lists, clock, inbox } = make();
  lists.snapshot(WAITING, [waiting('a', 1)]);
  await clock.pass(SORT_MS);
  let sorts = 0;
  const end = inbox.order.subscribe(() => {
    sorts += 1;
  });
  sorts = 0;
  for (let change = 0; change < 50; change += 1) {
    lists.change(WAITING, [{ put: waiting(`new ${change}`, 100 - change) }]);
    await clock.pass(20);
  }
  end();
  expect(sorts).toBeGreaterThanOrEqual(3);
  expect(sorts).toBeLessThanOrEqual(5);
});

test('a list just chosen takes in what came a moment after its snapshot, whoever is in it', async () => {
  const { lists, clock, inbox } = make();
  const CLOSED = { status: 'closed' } as const;
  const closed = (id: string, seconds: number) => card(id, { ...CLOSED, last_at: at(seconds) });
  await clock.pass(SETTLE_MS);
  inbox.choose('closed');
  lists.snapshot(CLOSED, [closed('a', 1)]);
  inbox.hold('focus', true);
  await clock.pass(SORT_MS);
  lists.change(CLOSED, [{ put: closed('just closed', 2) }]);
  await clock.pass(SORT_MS);
  expect(inbox.order.value).toEqual(['just closed', 'a']);
  await clock.pass(SETTLE_MS);
  lists.change(CLOSED, [{ put: closed('later', 3) }]);
  await clock.pass(SORT_MS);
  expect(inbox.order.value).toEqual(['just closed', 'a']);
  expect(inbox.fresh.value).toBe(1);
});

test('while somebody is in the list it stays, and says how many are new', async () => {
  const { lists, clock, inbox } = make();
  lists.snapshot(WAITING, [waiting('a', 10), waiting('b', 20)]);
  // A pointer is enough from the first moment on.
  await clock.pass(SORT_MS);
  inbox.hold('pointer', true);
  lists.change(WAITING, [{ drop: 'a' }, { put: waiting('c', 5) }, { put: waiting('d', 30) }]);
  await clock.pass(1_000);
  expect(inbox.order.value).toEqual(['a', 'b']);
  expect(inbox.fresh.value).toBe(2);
  inbox.show();
  expect(inbox.order.value).toEqual(['c', 'b', 'd']);
  expect(inbox.fresh.value).toBe(0);
  lists.change(WAITING, [{ drop: 'c' }]);
  inbox.hold('pointer', false);
  await clock.pass(SORT_MS);
  expect(inbox.order.value).toEqual(['b', 'd']);
});

test('who leaves with the pointer but keeps the focus is still in the list', async () => {
  const { lists, clock, inbox } = make();
  lists.snapshot(WAITING, [waiting('a', 10)]);
  await clock.pass(SETTLE_MS);
  inbox.hold('pointer', true);
  inbox.hold('focus', true);
  inbox.hold('pointer', false);
  lists.change(WAITING, [{ put: waiting('b', 20) }]);
  await clock.pass(1_000);
  expect(inbox.order.value).toEqual(['a']);
  inbox.hold('focus', false);
  await clock.pass(SORT_MS);
  expect(inbox.order.value).toEqual(['a', 'b']);
});

test('an empty list fills even while it is held', async () => {
  const { lists, clock, inbox } = make();
  inbox.hold('pointer', true);
  lists.snapshot(WAITING, [waiting('a', 10)]);
  await clock.pass(SORT_MS);
  expect(inbox.order.value).toEqual(['a']);
});

test('lists that nobody opened are only counted', () => {
  const { lists, inbox } = make();
  const limits = (query: object) =>
    lists.views.filter((one) => JSON.stringify(one.query) === JSON.stringify(query));
  expect(limits({ status: 'closed' }).map(({ limit }) => limit)).toEqual([0]);
  lists.snapshot({ status: 'closed' }, [], 4_321);
  expect(inbox.count('closed')).toBe(4_321);
  inbox.choose('closed');
  inbox.choose('all');
  inbox.choose('closed');
  expect(limits({ status: 'closed' }).map(({ limit }) => limit)).toEqual([0, 200]);
});

test('older conversations are fetched page by page, and end', async () => {
  const asked: string[] = [];
  const { lists, clock, inbox } = make(async (query) => {
    asked.push(String(query));
    const first = !query.has('cursor');
    const items = first
      ? [card('c', { last_at: at(3), status: 'closed' })]
      : [card('b', { last_at: at(2), status: 'closed' })];
    return { items, next: first ? 'there' : null };
  });
  inbox.choose('closed');
  lists.snapshot({ status: 'closed' }, [card('d', { last_at: at(4), status: 'closed' })], 3);
  await clock.pass(SORT_MS);
  await inbox.more();
  expect(inbox.order.value).toEqual(['d', 'c']);
  await inbox.more();
  expect(inbox.order.value).toEqual(['d', 'c', 'b']);
  await inbox.more();
  expect(asked).toEqual(['limit=100&status=closed', 'limit=100&status=closed&cursor=there']);
  // What was opened again meanwhile does not belong here any more.
  lists.learn(card('b', { last_at: at(9), status: 'active', head: 2 }));
  lists.change({ status: 'closed' }, [{ put: card('d', { last_at: at(4), status: 'closed' }) }]);
  await clock.pass(SORT_MS);
  expect(inbox.order.value).toEqual(['d', 'c']);
});

test('who waits is paged on in the order of the queue, over what is kept live', async () => {
  const asked: string[] = [];
  const pages: Record<string, OlderPage> = {
    '': { items: [waiting('a', 1), waiting('b', 2)], next: 'after b' },
    'after b': { items: [waiting('c', 3), waiting('d', 4)], next: 'after d' },
    'after d': { items: [waiting('e', 5)], next: null },
  };
  const { lists, clock, inbox } = make(async (query) => {
    asked.push(String(query));
    return pages[query.get('cursor') ?? ''] as OlderPage;
  });
  lists.snapshot(WAITING, [waiting('a', 1), waiting('b', 2)], 5);
  await clock.pass(SORT_MS);
  await inbox.more();
  expect(inbox.order.value).toEqual(['a', 'b', 'c', 'd']);
  await inbox.more();
  expect(inbox.order.value).toEqual(['a', 'b', 'c', 'd', 'e']);
  await inbox.more();
  const query = 'limit=100&sort=waiting&status=waiting';
  expect(asked).toEqual([query, `${query}&cursor=after+b`, `${query}&cursor=after+d`]);
});

test('neighbors are those of the list as it is shown', async () => {
  const { lists, clock, inbox } = make();
  lists.snapshot(WAITING, [waiting('a', 1), waiting('b', 2), waiting('c', 3)]);
  await clock.pass(SORT_MS);
  expect(inbox.neighbor('b', 1)).toBe('c');
  expect(inbox.neighbor('b', -1)).toBe('a');
  expect(inbox.neighbor('c', 1)).toBe(null);
  expect(inbox.neighbor(null, 1)).toBe('a');
  expect(inbox.neighbor('gone', -1)).toBe('a');
  inbox.hold('focus', true);
  lists.change(WAITING, [{ put: waiting('0', 0) }]);
  expect(inbox.neighbor('a', -1)).toBe(null);
  expect([inbox.firstBut(new Set(['a'])), inbox.firstBut(new Set(['0']))]).toEqual(['0', 'a']);
});
