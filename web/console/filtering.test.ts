import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import { card, FakeLists } from '../test/fake/cards.ts';
import { FakeClock, MemoryStore } from '../test/fake/ports.ts';
import { Filtering, FOUND_MAX, SAVED_MAX, type SavedFilter, savedIn } from './filtering.ts';
import { openPrefs } from './prefs.ts';
import { Search } from './search.ts';

const MINE = { status: 'active', agent: { id: 'me', name: 'Ada' } } as const;

function make() {
  const lists = new FakeLists();
  const clock = new FakeClock();
  const items = [card('waits'), card('mine', MINE), card('ended', { status: 'closed' })];
  const server = { items, down: false };
  const find = async () => {
    if (server.down) throw new Error('down');
    return { items: server.items };
  };
  const search = new Search({ client: lists.client, clock, find });
  const saved = signal<readonly SavedFilter[]>([]);
  const cardOf = (id: string) => lists.cards.of(id);
  const filtering = new Filtering({ search, cardOf, me: 'me', saved });
  const look = async (text: string) => {
    filtering.look(text);
    await clock.pass(1_000);
  };
  return { filtering, look, clock, search, saved, server };
}

test('a search goes over all lists until it is narrowed, and the next one does again', async () => {
  const { filtering, look } = make();
  expect([filtering.searches.value, filtering.found.value]).toEqual([false, null]);
  await look('fern');
  expect(filtering.found.value).toEqual(['waits', 'mine', 'ended']);
  for (const [list, ids] of [
    ['unassigned', ['waits']],
    ['active', ['mine']],
    ['mine', ['mine']],
    ['closed', ['ended']],
  ] as const) {
    filtering.narrow(list);
    expect(filtering.found.value, list).toEqual(ids);
  }
  await look('ferns');
  expect(filtering.list.value).toBe('closed');
  await look('');
  expect([filtering.list.value, filtering.found.value]).toEqual(['all', null]);
});

test('where more may fit than the server finds, that is said, also of a list without any', async () => {
  const { filtering, look, server } = make();
  const waiting = (count: number) => Array.from({ length: count }, (_, n) => card(`waits ${n}`));
  server.items = waiting(FOUND_MAX - 1);
  await look('fern');
  expect(filtering.notice.value).toBe(null);
  server.items = waiting(FOUND_MAX);
  await look('ferns');
  const all = 'These are the newest 50. There may be more: add a word.';
  const list =
    'Only the newest 50 of all lists were looked through. There may be more: add a word.';
  expect(filtering.notice.value).toBe(all);
  for (const name of ['unassigned', 'closed'] as const) {
    filtering.narrow(name);
    expect(filtering.notice.value).toBe(list);
  }
  expect(filtering.found.value).toEqual([]);
  server.down = true;
  await look('fern');
  expect(filtering.notice.value).toBe(null);
  await look('');
  expect(filtering.notice.value).toBe(null);
});

test('what is kept comes back with its list, and is the one shown as long as nothing differs', async () => {
  const { filtering, look, clock, search } = make();
  await look(' vip ');
  filtering.narrow('mine');
  filtering.keep(' My VIPs ');
  const kept = { name: 'My VIPs', list: 'mine', text: 'vip' };
  expect(filtering.saved.value).toEqual([kept]);
  expect(filtering.now.value).toEqual(kept);
  await look('');
  expect(filtering.now.value).toBe(null);
  filtering.find('vip', 'mine');
  await clock.pass(1_000);
  expect([search.text.value, filtering.found.value]).toEqual(['vip', ['mine']]);
  expect(filtering.now.value).toEqual(kept);
  filtering.narrow('all');
  expect(filtering.now.value).toBe(null);
  filtering.keep('My VIPs');
  expect(filtering.saved.value).toEqual([{ ...kept, list: 'all' }]);
  filtering.remove('My VIPs');
  expect(filtering.saved.value).toEqual([]);
});

test('a name is needed, and there are not too many', async () => {
  const { filtering, look, saved } = make();
  await look('vip');
  expect(filtering.refusal(' ')).toBe('Give it a name.');
  saved.value = Array.from({ length: SAVED_MAX }, (_, n) => ({
    name: `f${n}`,
    list: 'all',
    text: `t${n}`,
  }));
  expect(filtering.refusal('One more')).toBe('There are 12 already.');
  expect(filtering.refusal('f3')).toBe(null);
});

test('what was kept elsewhere is read as far as it makes sense', async () => {
  const good = { name: 'VIPs', list: 'mine', text: 'vip' };
  const kept = [good, good, { ...good, name: 'x', list: 'of later' }, { name: 'y' }, null, 'z'];
  expect(savedIn([...kept, { ...good, name: '' }, { ...good, text: 'x'.repeat(300) }])).toEqual([
    good,
  ]);
  expect(savedIn({ name: 'VIPs' })).toEqual([]);
  const store = new MemoryStore();
  await store.set('prefs', JSON.stringify({ saved: kept }));
  expect((await openPrefs(store)).saved.value).toEqual([good]);
});
