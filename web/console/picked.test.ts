import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import { PICKED_MAX, Picked } from './picked.ts';

function make(ids: string[] = ['a', 'b', 'c', 'd', 'e']) {
  const shown = signal<readonly string[]>(ids);
  return { shown, picked: new Picked(shown) };
}

test('one at a time, in the order of the list, and back', () => {
  const { picked } = make();
  picked.toggle('d');
  picked.toggle('b');
  expect(picked.ids.value).toEqual(['b', 'd']);
  picked.toggle('d');
  expect(picked.ids.value).toEqual(['b']);
  picked.clear();
  expect(picked.ids.value).toEqual([]);
});

test.each([
  ['downward', 'b', 'd', ['b', 'c', 'd']],
  ['upward', 'd', 'b', ['b', 'c', 'd']],
  ['from where nothing was picked', null, 'c', ['c']],
])('a range goes %s', (_, from, to, expected) => {
  const { picked } = make();
  if (from !== null) picked.toggle(from);
  picked.to(to);
  expect(picked.ids.value).toEqual(expected);
});

test('a range goes on from the last one', () => {
  const { picked } = make();
  picked.toggle('a');
  picked.to('b');
  picked.to('d');
  expect(picked.ids.value).toEqual(['a', 'b', 'c', 'd']);
});

test('what the list shows no more is not picked, and does not come back so', () => {
  const { shown, picked } = make();
  picked.toggle('a');
  picked.toggle('b');
  shown.value = ['b', 'c'];
  expect(picked.ids.value).toEqual(['b']);
  picked.toggle('c');
  shown.value = ['a', 'b', 'c'];
  expect(picked.ids.value).toEqual(['b', 'c']);
});

test('a range whose beginning is gone is the one', () => {
  const { shown, picked } = make();
  picked.toggle('a');
  shown.value = ['b', 'c', 'd'];
  picked.to('d');
  expect(picked.ids.value).toEqual(['d']);
});

test('no more than a hundred, those next to the beginning', () => {
  const { picked } = make(Array.from({ length: 300 }, (_, n) => String(n)));
  expect(picked.toggle('250')).toBe(true);
  expect(picked.to('10')).toBe(false);
  expect(picked.ids.value.length).toBe(PICKED_MAX);
  expect(picked.ids.value[0]).toBe('151');
  expect(picked.toggle('0')).toBe(false);
  expect(picked.toggle('200')).toBe(true);
  expect(picked.toggle('0')).toBe(true);
});
