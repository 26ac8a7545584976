import { expect, test } from 'vitest';
import { FakeClock, MemoryStore } from '../test/fake/ports.ts';
import { Drafts } from './drafts.ts';

test('what was written survives the page, in its place and kind', async () => {
  const store = new MemoryStore();
  const clock = new FakeClock();
  const drafts = new Drafts(store, clock);
  drafts.of('a').mode.value = 'note';
  drafts.write('a', 'note', 'ask the nursery');
  drafts.write('b', 'message', 'Dear');
  drafts.write('b', 'message', 'Dear Vi');
  drafts.write('c', 'message', 'sent');
  drafts.write('c', 'message', '');
  await clock.pass(1_000);
  const later = new Drafts(store, clock);
  await later.restore();
  expect([...later.held.value].sort()).toEqual(['a', 'b']);
  expect(later.of('a').mode.value).toBe('note');
  expect(later.of('a').texts.note.value).toBe('ask the nursery');
  expect(later.of('b').texts.message.value).toBe('Dear Vi');
});

test('a page that goes takes the last words along', async () => {
  const store = new MemoryStore();
  const drafts = new Drafts(store, new FakeClock());
  drafts.write('a', 'message', 'Half a');
  drafts.flush();
  const later = new Drafts(store, new FakeClock());
  await later.restore();
  expect(later.of('a').texts.message.value).toBe('Half a');
});

test('what cannot be read is no draft', async () => {
  const store = new MemoryStore();
  for (const [key, text] of Object.entries({ a: '{', b: 'null', c: '{"message":1}' })) {
    await store.set(`draft:${key}`, text);
  }
  const drafts = new Drafts(store, new FakeClock());
  await drafts.restore();
  expect(drafts.held.value.size).toBe(0);
});
