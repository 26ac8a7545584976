import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import type { Card } from '../client/frames.ts';
import { card, FakeLists } from '../test/fake/cards.ts';
import { FakeClock } from '../test/fake/ports.ts';
import type { Command } from './commands.ts';
import type { Desk } from './desk.ts';
import { CONVERSATIONS_MAX, entriesOf } from './entries.ts';
import { Filtering, type SavedFilter } from './filtering.ts';
import { Inbox } from './inbox.ts';
import { Search } from './search.ts';
import type { Shell } from './shell.ts';

const VERA = { visitor: { id: 'vera', name: 'Vera', email: 'vera@shop.example' } };

/** A palette where `a` waits, known here, and the server finds what the test says. */
function make(answer: () => Promise<Card[]> | Card[], saved: readonly SavedFilter[] = []) {
  const lists = new FakeLists();
  const clock = new FakeClock();
  const inbox = new Inbox({
    client: lists.client,
    clock,
    me: 'me',
    older: async () => ({ items: [] }),
  });
  lists.snapshot({ status: 'waiting' }, [card('a', VERA)]);
  const looked: string[] = [];
  const went: string[] = [];
  const path = signal('/console/settings/profile');
  const desk = {
    inbox,
    client: lists.client,
    selected: signal<string | null>(null),
    filtering: new Filtering({
      search: { text: signal(''), look: (text: string) => looked.push(text) } as unknown as Search,
      cardOf: (id) => lists.client.cards.of(id),
      me: 'me',
      saved: signal(saved),
    }),
  };
  const search = new Search({
    client: lists.client,
    clock,
    find: async () => ({ items: await answer() }),
  });
  const commands = [
    { title: 'Verify', group: 'Console', keys: ['v'], usual: ['v'], run: () => {} },
  ] satisfies Command[];
  const entries = entriesOf({
    shell: { router: { path, go: (to: string) => went.push(to) } } as unknown as Shell,
    desk: desk as unknown as Desk,
    commands,
    search,
  });
  const type = async (text: string) => {
    search.look(text);
    await clock.pass(1_000);
    return entries(text);
  };
  return { entries, search, desk, type, looked, went, clock };
}

const names = (entries: { group: string; id: string }[]) =>
  entries.map(({ group, id }) => `${group}: ${id}`);

test('who has typed nothing sees what can be done', async () => {
  const { type } = make(() => []);
  expect(names(await type(' '))).toEqual(['Console: command Console Verify']);
});

test('saved filters are among what can be done, each with its end', async () => {
  const filter = { name: 'VIPs of mine', list: 'mine', text: 'vip' } as const;
  const { type, desk, looked, went } = make(() => [], [filter]);
  const [, use, removal, ...others] = await type('');
  expect([use?.text, use?.detail, removal?.text, others.length]).toEqual([
    'VIPs of mine',
    'vip · Mine',
    'Remove filter: VIPs of mine',
    0,
  ]);
  use?.run();
  expect([looked, went, desk.filtering.list.value]).toEqual([['vip'], ['/console'], 'mine']);
  expect(names(await type('remove vip'))).toEqual(['Saved filters: removal of saved VIPs of mine']);
  removal?.run();
  expect(desk.filtering.saved.value).toEqual([]);
});

test('what the server finds comes after what is known here, each once, and then its visitors', async () => {
  const { type } = make(() => [card('a', VERA), card('old', VERA), card('told')]);
  expect(names(await type('vera'))).toEqual([
    'Conversations: a',
    'Conversations: old',
    'Conversations: told',
    'Visitors: visitor vera',
  ]);
});

test('while the server is asked nothing of an earlier answer is shown', async () => {
  const { type, search, entries } = make(() => [card('old', VERA)]);
  await type('vera');
  search.look('verb');
  expect(names(entries('verb'))).toEqual([]);
});

test('what the server finds is bounded', async () => {
  const many = Array.from({ length: 40 }, (_, n) => card(`c${n}`));
  const { type } = make(() => many);
  expect((await type('order')).length).toBe(CONVERSATIONS_MAX);
});

test('a conversation is opened, and of a visitor the list shows all', async () => {
  const { type, desk, looked, went } = make(() => [card('old', VERA)]);
  const found = await type('vera');
  for (const { run } of found) run();
  expect(desk.selected.value).toBe('old');
  expect(looked).toEqual(['vera@shop.example']);
  expect(went).toEqual(['/console/c/a', '/console/c/old', '/console']);
});

test('without the server the palette finds what is known here', async () => {
  const { type, search } = make(() => Promise.reject(new Error('down')));
  expect(names(await type('vera'))).toEqual(['Conversations: a']);
  expect(search.state.value).toBe('failed');
});
