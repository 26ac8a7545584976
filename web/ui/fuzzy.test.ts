import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folded, rank } from './fuzzy.ts';

const NAMES = ['Assign to me', 'Accept next', 'Add a note', 'Résolve', 'Go to settings', 'Łódź'];

test.each([
  ['', 'Assign to me'],
  ['resol', 'Résolve'],
  ['RÉS', 'Résolve'],
  ['gs', 'Go to settings'],
  ['acnx', 'Accept next'],
  ['note', 'Add a note'],
  ['lodz', 'Łódź'],
])('%s finds %s first', (query, first) => {
  expect(rank(query, NAMES, folded, 10)[0]).toBe(first);
});

test('letters are folded as the server does', () => {
  const golden = join(import.meta.dirname, '../../tests/golden/letters.txt');
  const lines = readFileSync(golden, 'utf8').trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(250);
  const here = lines.map(([letter]) => `${letter} ${folded(letter ?? '')}`);
  expect(here).toEqual(lines);
});

test('what lacks a letter is not found', () => {
  expect(rank('xyz', NAMES, folded, 10)).toEqual([]);
});

test('a search over many names costs few times what one look at each costs', () => {
  const many = Array.from({ length: 10_000 }, (_, idx) => folded(`Visitor ${idx} of the shop`));
  const cost = (work: () => void) => {
    const before = process.cpuUsage();
    for (let round = 0; round < 10; round++) work();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const look = () => many.filter((name) => name.split('').includes('z'));
  const search = () => expect(rank('vis 9999', many, (text) => text, 20).length).toBeGreaterThan(0);
  look();
  search();
  expect(cost(search)).toBeLessThan(10 * cost(look) + 10_000);
});
