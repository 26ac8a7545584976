import { expect, test } from 'vitest';
import { MemoryStore, settle } from '../test/fake/ports.ts';
import { MARKS_KEY, Marks } from './marks.ts';

test('a mark is there after a reload, and in the other tab', async () => {
  const store = new MemoryStore();
  const [tab, other] = [new Marks(store), new Marks(store)];
  tab.set('a', true);
  tab.set('b', true);
  tab.set('a', false);
  expect([...tab.ids.value]).toEqual(['b']);
  await other.restore();
  expect([...other.ids.value]).toEqual(['b']);
  const later = new Marks(store);
  await later.restore();
  expect(later.ids.value.has('b')).toBe(true);
});

test('what is so already is not written again', async () => {
  const store = new MemoryStore();
  const marks = new Marks(store);
  marks.set('a', false);
  await settle();
  expect(store.texts.size).toBe(0);
});

test('the oldest mark gives way when there are too many', () => {
  const marks = new Marks(new MemoryStore());
  for (let n = 0; n <= 500; n += 1) marks.set(String(n), true);
  expect(marks.ids.value.size).toBe(500);
  expect([marks.ids.value.has('0'), marks.ids.value.has('500')]).toEqual([false, true]);
});

test.each(['', '{', 'null', '{"a":1}', '[1,null]'])(
  'what cannot be read is none: %j',
  async (kept) => {
    const store = new MemoryStore();
    await store.set(MARKS_KEY, kept);
    const marks = new Marks(store);
    await marks.restore();
    expect(marks.ids.value.size).toBe(0);
  },
);
