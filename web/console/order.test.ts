import { expect, test } from 'vitest';
import { Cards } from '../client/cards.ts';
import { ORDERS } from '../client/views.ts';
import { card } from '../test/fake/cards.ts';
import { randomFrom } from '../test/fake/ports.ts';
import { Order } from './order.ts';

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1_000).toISOString();

function make(ids: readonly string[]) {
  const cards = new Cards();
  ids.forEach((id, idx) => {
    cards.put(card(id, { number: idx, last_at: at(idx) }));
  });
  const order = new Order((id) => cards.of(id));
  const touch = (id: string, seconds: number) => {
    const before = cards.of(id).peek();
    if (before !== null) cards.of(id).value = { ...before, last_at: at(seconds) };
  };
  return { cards, order, touch };
}

test('what has changed gets another place, all else stays in order', () => {
  const { order, touch } = make(['a', 'b', 'c', 'd']);
  const members = new Set(['a', 'b', 'c', 'd']);
  expect(order.sorted(members, ORDERS.recent)).toEqual(['d', 'c', 'b', 'a']);
  touch('a', 10);
  touch('c', 0);
  expect(order.sorted(members, ORDERS.recent)).toEqual(['a', 'd', 'b', 'c']);
  const same = order.sorted(members, ORDERS.recent);
  expect(order.sorted(members, ORDERS.recent)).toBe(same);
});

test('members come and go, and one without a card waits for it', () => {
  const { cards, order } = make(['a', 'b']);
  const members = new Set(['a', 'b', 'later']);
  expect(order.sorted(members, ORDERS.recent)).toEqual(['b', 'a']);
  cards.put(card('later', { last_at: at(99) }));
  expect(order.sorted(members, ORDERS.recent)).toEqual(['later', 'b', 'a']);
  expect(order.sorted(new Set(['a', 'later']), ORDERS.recent)).toEqual(['later', 'a']);
  cards.of('later').value = null;
  expect(order.sorted(new Set(['a', 'later']), ORDERS.recent)).toEqual(['a']);
  expect(order.sorted(new Set(), ORDERS.recent)).toEqual([]);
});

test('another list has another order', () => {
  const { cards, order } = make(['a', 'b']);
  const members = new Set(['a', 'b']);
  cards.of('b').value = card('b', { waiting_since: at(0), last_at: at(5) });
  cards.of('a').value = card('a', { waiting_since: at(3), last_at: at(1) });
  expect(order.sorted(members, ORDERS.recent)).toEqual(['b', 'a']);
  expect(order.sorted(members, ORDERS.waiting)).toEqual(['b', 'a']);
  cards.of('b').value = card('b', { waiting_since: at(9), last_at: at(5) });
  expect(order.sorted(members, ORDERS.waiting)).toEqual(['a', 'b']);
});

test.each([1, 2, 3])('any changes at all: as if everything were sorted (seed %i)', (seed) => {
  const random = randomFrom(seed);
  const ids = Array.from({ length: 60 }, (_, n) => `c${n}`);
  const { cards, order, touch } = make(ids);
  let members = new Set(ids);
  for (let round = 0; round < 200; round += 1) {
    for (let n = 0; n < 5; n += 1) {
      const id = ids[Math.floor(random() * ids.length)] ?? '';
      if (random() < 0.8) touch(id, Math.floor(random() * 90));
      else {
        members = new Set(members);
        if (!members.delete(id)) members.add(id);
      }
    }
    const expected = [...members]
      .flatMap((id) => cards.of(id).peek() ?? [])
      .sort(ORDERS.recent)
      .map(({ id }) => id);
    expect(order.sorted(members, ORDERS.recent)).toEqual(expected);
  }
});
