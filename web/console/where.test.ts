import { expect, test } from 'vitest';
import { MemoryStorage } from '../test/fake/storage.ts';
import { Where } from './where.ts';

const SPOT = { conversation: 'a', item: 'event 7', px: -12 };

function left(storage = new MemoryStorage()): MemoryStorage {
  const where = new Where(storage, 'ada');
  where.listPx = 840;
  where.spot = () => SPOT;
  where.keep('mine');
  return storage;
}

test('what was left is found, each once', () => {
  const where = new Where(left(), 'ada');
  expect(where.filter).toBe('mine');
  expect(where.takeListPx('all')).toBe(0);
  expect([where.takeListPx('mine'), where.takeListPx('mine')]).toEqual([840, 0]);
  expect(where.takeSpot('b')).toBe(null);
  expect([where.takeSpot('a'), where.takeSpot('a')]).toEqual([SPOT, null]);
});

test('it is nobody else’s, and no later page’s', () => {
  const storage = left();
  expect(new Where(storage, 'ben').filter).toBe(null);
  expect(new Where(storage, 'ada').filter).toBe(null);
});

test.each(['{', 'null', '{"me":"ada","filter":"odd","listPx":1}', '{"me":"ada","filter":"all"}'])(
  'of %s nothing is known',
  (text) => {
    const storage = new MemoryStorage();
    storage.setItem('switchboard:console:where', text);
    expect(new Where(storage, 'ada').filter).toBe(null);
  },
);
