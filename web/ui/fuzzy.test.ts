import { expect, test } from 'vitest';
import { folded, rank } from './fuzzy.ts';

const NAMES = ['Assign to me', 'Accept next', 'Add a note', 'Résolve', 'Go to settings'];

test.each([
  ['', 'Assign to me'],
  ['resol', 'Résolve'],
  ['RÉS', 'Résolve'],
  ['gs', 'Go to settings'],
  ['acn', 'Accept next'],
  ['note', 'Add a note'],
])('%s finds %s first', (query, first) => {
  expect(rank(query, NAMES, folded, 10)[0]).toBe(first);
});

test('what lacks a letter is not found', () => {
  expect(rank('xyz', NAMES, folded, 10)).toEqual([]);
});

test('ten thousand names are searched within a frame', () => {
  const many = Array.from({ length: 10_000 }, (_, idx) => folded(`Visitor ${idx} of the shop`));
  rank('warm', many, (text) => text, 20);
  const from = performance.now();
  const found = rank('vis 9999', many, (text) => text, 20);
  expect(found.length).toBeGreaterThan(0);
  // The bound is for a slow machine; 16 ms is what the page needs.
  expect(performance.now() - from).toBeLessThan(160);
});
