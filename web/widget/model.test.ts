import { expect, test } from 'vitest';
import type { ClientFrame } from '../client/frames.ts';
import { type Api, Problem } from '../client/http.ts';
import { card } from '../test/fake/cards.ts';
import { FakeClock, idsFrom, MemoryLocks, MemoryStore, randomFrom } from '../test/fake/ports.ts';
import { FakeServer } from '../test/fake/server.ts';
import { Widget } from './model.ts';

function makeWorld() {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const store = new MemoryStore();
  const locks = new MemoryLocks();
  const requests: { path: string; token: string | undefined; key: string | undefined }[] = [];
  const world = {
    clock,
    server,
    store,
    locks,
    requests,
    /** What `POST /v1/conversations` answers next; a number is a status. */
    create: [] as number[],
    unread: [] as number[],
  };
  let chats = 0;
  const api: Api = async <Answer>(
    _method: string,
    path: string,
    options: { token?: string | undefined; key?: string } = {},
  ) => {
    if (path !== '/v1/conversations') return { items: [] } as Answer;
    requests.push({ path, token: options.token, key: options.key });
    const status = world.create.shift();
    if (status !== undefined) throw new Problem(status, 'refused');
    chats += 1;
    const secret = options.token === undefined ? 'sbv_secret' : null;
    return { id: `chat-${chats}`, visitor: { id: 'v', secret } } as Answer;
  };
  const open = (name: string) => {
    const tab = locks.tab();
    return Widget.open({
      ports: {
        clock,
        open: server.open,
        store,
        locks: tab,
        random: randomFrom(3),
        newId: idsFrom(name),
      },
      api,
      tagged: async <Value>() => ({
        status: 200,
        etag: null,
        value: { id: 'demo', name: 'Shop', welcome: 'Hi' } as Value,
        code: null,
      }),
      widget: 'demo',
      host: { page: 'https://shop.example/', title: 'Shop', referrer: '', locale: 'en' },
      onUnread: (count) => world.unread.push(count),
      onEvent: () => {},
      onChime: () => {},
    });
  };
  return { ...world, world, open };
}

function shown(widget: Widget): string[] {
  return widget.chats.items.peek().flatMap((item) => (item.kind === 'said' ? [item.text] : []));
}

test('nothing is asked of the server before the visitor writes, besides the settings', async () => {
  const { open, clock, server, requests } = makeWorld();
  const widget = await open('a');
  await clock.pass(5_000);
  expect(widget.settings.peek()?.name).toBe('Shop');
  expect(requests).toEqual([]);
  expect(server.connections).toBe(0);
});

test('the first message begins a chat and is its first message', async () => {
  const { open, clock, server, requests } = makeWorld();
  const widget = await open('a');
  for (const text of ['hello', 'anybody?']) widget.send(text);
  expect(shown(widget)).toEqual(['hello', 'anybody?']);
  await clock.pass(2_000);
  expect(requests.length).toBe(1);
  expect(server.texts('chat-1')).toEqual(['hello', 'anybody?']);
  expect(shown(widget)).toEqual(['hello', 'anybody?']);
});

test('a chat that could not begin is tried again under the same key, and nothing is lost', async () => {
  const { open, clock, server, requests, world } = makeWorld();
  world.create = [0, 503];
  const widget = await open('a');
  widget.send('hello');
  await clock.pass(30_000);
  expect(requests.length).toBe(3);
  expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
  expect(server.texts('chat-1')).toEqual(['hello']);
  expect(widget.trouble.peek()).toBe(null);
});

test('connecting is said after a while, and again as reconnecting', async () => {
  const { open, clock, server } = makeWorld();
  const before = await open('a');
  before.send('hello');
  await clock.pass(1_000);
  before.client.stop();
  server.down = true;
  const widget = await open('b');
  await clock.pass(1_900);
  expect(widget.trouble.peek()).toBe(null);
  await clock.pass(200);
  expect(widget.trouble.peek()).toBe('connecting');
  server.down = false;
  await clock.pass(60_000);
  expect(widget.trouble.peek()).toBe(null);
  server.down = true;
  server.cut();
  await clock.pass(1_900);
  expect(widget.trouble.peek()).toBe(null);
  await clock.pass(200);
  expect(widget.trouble.peek()).toBe('reconnecting');
});

test('a refusal is said and waits for the visitor', async () => {
  const { open, clock, requests, world } = makeWorld();
  world.create = [403];
  const widget = await open('a');
  widget.send('hello');
  await clock.pass(60_000);
  expect(requests.length).toBe(1);
  expect(widget.trouble.peek()).toBe('cannot_begin');
});

test('two tabs that write at once are in one chat', async () => {
  const { open, clock, server, requests } = makeWorld();
  const one = await open('one');
  const two = await open('two');
  one.send('from one');
  two.send('from two');
  await clock.pass(2_000);
  await one.changedElsewhere('visitor');
  await clock.pass(2_000);
  expect(requests.length).toBe(1);
  expect(server.texts('chat-1').sort()).toEqual(['from one', 'from two']);
  expect(shown(one)).toEqual(shown(two));
});

test('what is read in one tab is read in the other, once the same has come there', async () => {
  const { open, clock, server, store } = makeWorld();
  server.state = card('chat-1', { head: 1 });
  const one = await open('one');
  const two = await open('two');
  one.send('hello');
  await clock.pass(1_000);
  await two.changedElsewhere('visitor');
  await clock.pass(1_000);
  const unread = () => [one, two].map((tab) => tab.card.peek()?.unread);
  const write = (text: string) =>
    server.write('chat-1', text, 'public', { kind: 'agent', id: 'ada', name: 'Ada' });
  write('How can I help?');
  await clock.pass(1_000);
  expect(unread()).toEqual([1, 1]);
  one.watching.value = true;
  await clock.pass(1_000);
  expect(store.texts.get('read')).toBe('public-2');
  await two.changedElsewhere('read');
  expect(unread()).toEqual([0, 0]);
  one.watching.value = false;
  write('Are you there?');
  await clock.pass(1_000);
  await two.changedElsewhere('read');
  expect(unread()).toEqual([1, 1]);
});

test('what comes while the visitor looks is read at once, before another tab sounds', async () => {
  const { open, clock, server, store } = makeWorld();
  server.state = card('chat-1', { head: 1 });
  const widget = await open('one');
  widget.send('hello');
  widget.watching.value = true;
  await clock.pass(1_000);
  server.write('chat-1', 'How can I help?', 'public', { kind: 'agent', id: 'ada', name: 'Ada' });
  await clock.pass(50);
  expect(store.texts.get('read')).toBe('public-2');
});

test('after a reload the chat goes on, and a new one keeps the visitor', async () => {
  const { open, clock, server, requests } = makeWorld();
  const before = await open('a');
  before.send('hello');
  await clock.pass(1_000);
  before.client.stop();
  const widget = await open('b');
  await clock.pass(1_000);
  expect(shown(widget)).toEqual(['hello']);
  await widget.chats.startAgain();
  widget.send('again');
  await clock.pass(1_000);
  expect(shown(widget)).toEqual(['hello', 'again']);
  expect(server.texts('chat-2')).toEqual(['again']);
  expect(requests.map(({ token }) => token)).toEqual([undefined, 'sbv_secret']);
});

test('a visitor that the server does not know can begin anew', async () => {
  const { open, clock, server } = makeWorld();
  const before = await open('a');
  before.send('hello');
  await clock.pass(1_000);
  server.refuseHello = 4500;
  server.cut();
  await clock.pass(3_000);
  expect(before.trouble.peek()).toBe('gone');
  expect(before.stage.peek()).toBe('ended');
  server.refuseHello = null;
  await before.chats.startAgain();
  expect(before.trouble.peek()).toBe(null);
  before.send('new');
  await clock.pass(2_000);
  expect(server.texts('chat-2')).toEqual(['new']);
});

test('typing is said seldom, and ends after a pause', async () => {
  const { open, clock, server } = makeWorld();
  const widget = await open('a');
  widget.send('hello');
  await clock.pass(1_000);
  for (let i = 1; i <= 20; i += 1) {
    widget.write('x'.repeat(i));
    await clock.pass(200);
  }
  await clock.pass(10_000);
  const typing = server.received.filter(
    (frame): frame is Extract<ClientFrame, { type: 'typing' }> => frame.type === 'typing',
  );
  expect(typing.map((frame) => frame.on)).toEqual([true, true, true, false]);
});
