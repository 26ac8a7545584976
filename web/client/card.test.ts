import { expect, test } from 'vitest';
import { card } from '../test/fake/cards.ts';
import { fold } from './card.ts';
import type { Event } from './frames.ts';
import { ORDERS } from './views.ts';

const at = (second: number) => `2026-11-02T10:00:0${second}.000Z`;

function event(kind: 'visitor_left' | 'visitor_returned', second: number): Event {
  const from = { kind: 'system', id: '0', name: null } as unknown as Event['from'];
  return { seq: 2, id: 'e', at: at(second), from, kind, body: {} } as Event;
}

test('who has left waits outside the line, and comes back at its end', () => {
  const first = card('a', { waiting_since: at(1), created_at: at(1) });
  const second = card('b', { waiting_since: at(2), created_at: at(2) });
  const order = (...cards: (typeof first)[]) => cards.sort(ORDERS.waiting).map(({ id }) => id);
  expect(order(second, first)).toEqual(['a', 'b']);
  const left = fold(first, event('visitor_left', 3));
  expect(left).toMatchObject({ status: 'waiting', waiting_since: null });
  expect(order(left, second)).toEqual(['b', 'a']);
  const back = fold(left, event('visitor_returned', 4));
  expect(back.waiting_since).toBe(at(4));
  expect(order(back, second)).toEqual(['b', 'a']);
});
