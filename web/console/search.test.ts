import { expect, test } from 'vitest';
import { card, FakeLists } from '../test/fake/cards.ts';
import { FakeClock } from '../test/fake/ports.ts';
import { Search } from './search.ts';

function make() {
  const lists = new FakeLists();
  const clock = new FakeClock();
  const asked: string[] = [];
  const server = { down: false, delayMs: 0 };
  const search = new Search({
    client: lists.client,
    clock,
    find: async (text) => {
      asked.push(text);
      if (server.delayMs > 0) {
        await new Promise<void>((resolve) => void clock.after(server.delayMs, resolve));
      }
      if (server.down) throw new Error('down');
      return { items: [card(`of ${text}`)] };
    },
  });
  return { search, clock, asked, server, lists };
}

test('a pause in typing is one question', async () => {
  const { search, clock, asked, lists } = make();
  for (const text of ['v', 'vi', 'vi ']) {
    search.look(text);
    await clock.pass(40);
  }
  expect(search.words.value).toEqual(['vi']);
  expect(search.state.value).toBe('asking');
  await clock.pass(200);
  expect(asked).toEqual(['vi']);
  expect(search.found.value).toEqual(['of vi']);
  expect(lists.cards.of('of vi').value).not.toBe(null);
});

test('a late answer to an earlier question is dropped', async () => {
  const { search, clock, server } = make();
  server.delayMs = 500;
  search.look('first');
  await clock.pass(200);
  server.delayMs = 0;
  search.look('second');
  await clock.pass(1_000);
  expect(search.found.value).toEqual(['of second']);
});

test('an empty field is no search, and a failure can be tried again', async () => {
  const { search, clock, server } = make();
  server.down = true;
  search.look('vi');
  await clock.pass(200);
  expect(search.state.value).toBe('failed');
  server.down = false;
  await search.again();
  expect(search.found.value).toEqual(['of vi']);
  search.look(' ');
  expect(search.found.value).toBe(null);
});
