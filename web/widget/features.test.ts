/** What the model does around the talk itself. */

import { expect, test } from 'vitest';
import { type Api, Problem } from '../client/http.ts';
import { card } from '../test/fake/cards.ts';
import { FakeClock, idsFrom, MemoryLocks, MemoryStore, randomFrom } from '../test/fake/ports.ts';
import { FakeServer } from '../test/fake/server.ts';
import { Widget } from './model.ts';
import type { Settings } from './settings.ts';

interface Request {
  method: string;
  path: string;
  token: string | undefined;
  body: Record<string, unknown> | undefined;
}

function makeWorld(settings: Partial<Settings> = {}) {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const store = new MemoryStore();
  const locks = new MemoryLocks();
  const requests: Request[] = [];
  const events: [string, object?][] = [];
  const world = {
    chimes: 0,
    chats: [] as object[],
    /** A token that the server does not believe. */
    refused: '',
    /** Whether the server lets no more wait. */
    full: false,
    settings: { id: 'demo', name: 'Shop', ...settings },
  };
  const api: Api = async <Answer>(
    method: string,
    path: string,
    { token, body }: { token?: string | undefined; body?: object } = {},
  ) => {
    requests.push({ method, path, token, body: body as Request['body'] });
    if (token !== undefined && token === world.refused) throw new Problem(401, 'unauthenticated');
    if (method === 'GET') return { items: world.chats } as Answer;
    if (path !== '/v1/conversations') return {} as Answer;
    if (world.full && !(body && 'leave' in body)) throw new Problem(409, 'queue_full');
    const secret = token === undefined ? 'sbv_secret' : null;
    return { id: 'chat-1', visitor: { id: 'v', secret } } as Answer;
  };
  const open = () =>
    Widget.open({
      ports: {
        clock,
        open: server.open,
        store,
        locks: locks.tab(),
        random: randomFrom(3),
        newId: idsFrom('id'),
      },
      api,
      tagged: async <Value>() => ({
        status: 200,
        etag: null,
        value: world.settings as Value,
        code: null,
      }),
      widget: 'demo',
      host: { page: 'https://shop.example/', title: 'Shop', referrer: '', locale: 'en' },
      onUnread: () => {},
      onEvent: (name, detail) => void events.push([name, detail]),
      onChime: () => {
        world.chimes += 1;
      },
    });
  return { ...world, world, clock, server, store, requests, events, open };
}

const ADA = { kind: 'agent', id: 'ada', name: 'Ada' } as const;

/** A token as a site signs it; nobody here looks at the signature. */
function token(claims: object): string {
  return `x.${btoa(JSON.stringify(claims)).replaceAll('=', '')}.y`;
}

function creations(requests: readonly Request[]): Request[] {
  return requests.filter(({ method, path }) => method === 'POST' && path === '/v1/conversations');
}

test('answers begin the chat: the contact, fields of the conversation, a department', async () => {
  const fields = [
    { name: 'email', label: 'Mail', kind: 'email', required: true },
    { name: 'order', label: 'Order', kind: 'text', required: false },
  ] as const;
  const { open, clock, requests } = makeWorld({
    prechat: { fields: [...fields] },
    departments: [{ id: 'sales', name: 'Sales' }],
    online: true,
  });
  const widget = await open();
  await clock.pass(100);
  expect(widget.stage.peek()).toBe('prechat');
  widget.stored.answer({ department: 'sales' });
  expect(widget.stage.peek()).toBe('prechat');
  widget.answer([
    ['email', 'v@shop.example'],
    ['order', ''],
    ['note', 'ring twice'],
  ]);
  expect(widget.stage.peek()).toBe('write');
  widget.send('hello');
  await clock.pass(1_000);
  const [created] = creations(requests);
  expect(created?.body).toMatchObject({
    contact: { email: 'v@shop.example' },
    fields: { note: 'ring twice' },
    department: 'sales',
  });
  expect(created?.body?.fields).not.toHaveProperty('order');
});

test.each([
  [{ online: true }, 'write'],
  [{ online: false }, 'write'],
  [{ online: false, offline: { behavior: 'form' } }, 'leave'],
  [{ online: true, offline: { behavior: 'form' } }, 'write'],
  [{ online: true, open: false, offline: { behavior: 'form' } }, 'leave'],
  [{ offline: { behavior: 'redirect', redirect_url: 'https://x.example/' } }, 'redirect'],
  [{ offline: { behavior: 'redirect' } }, 'write'],
  [{ identity_required: true }, 'identity_required'],
  [{ online: true, email_required: true }, 'prechat'],
  [{ online: true, department_required: true }, 'prechat'],
  [{ online: true, departments: [{ id: 'a', name: 'A' }] }, 'write'],
  [{ online: true, full: true }, 'write'],
  [{ online: true, full: true, offline: { behavior: 'form' } }, 'leave'],
  [
    {
      online: true,
      full: true,
      offline: { behavior: 'redirect', redirect_url: 'https://x.example/' },
    },
    'redirect',
  ],
] as const)('with %j the visitor is at %s', async (settings, stage) => {
  const { open, clock } = makeWorld(settings as Partial<Settings>);
  const widget = await open();
  await clock.pass(100);
  expect(widget.stage.peek()).toBe(stage);
});

test('while no more may wait that is said, and what is sent is left for later', async () => {
  const { open, clock, world, server, requests } = makeWorld({ online: true, full: true });
  world.full = true;
  const widget = await open();
  await clock.pass(100);
  expect([widget.full.peek(), widget.trouble.peek()]).toEqual([true, 'full']);
  widget.send('for later');
  await clock.pass(1_000);
  expect(creations(requests).map(({ body }) => body?.leave)).toEqual([true]);
  expect(server.texts('chat-1')).toEqual(['for later']);
  expect([widget.full.peek(), widget.trouble.peek()]).toEqual([false, null]);
});

test.each([
  [{ full: true }, null, true],
  [{ full: true, online: false }, null, false],
  [{ full: true, open: false }, null, false],
  [{ full: true }, 'sales', false],
  [{ full: true }, 'gone', true],
  [{}, null, false],
  [{}, 'billing', true],
])('with %j and department %j more may not wait: %j', async (change, department, full) => {
  const departments = [
    { id: 'sales', name: 'Sales' },
    { id: 'billing', name: 'Billing', full: true },
  ];
  const { open, clock } = makeWorld({ online: true, departments, ...change });
  const widget = await open();
  await clock.pass(100);
  if (department !== null) widget.stored.answer({ department });
  expect(widget.full.peek()).toBe(full);
});

test('who is refused because the line filled up loses nothing, and comes in once there is room', async () => {
  const { open, clock, world, server, requests, events } = makeWorld({ online: true });
  const widget = await open();
  await clock.pass(100);
  world.full = true;
  for (const text of ['hello', 'anybody?']) widget.send(text);
  await clock.pass(1_000);
  expect([widget.full.peek(), widget.trouble.peek()]).toEqual([true, 'full']);
  expect(events).toContainEqual(['error', { code: 'queue_full' }]);
  widget.preview({ ...world.settings, full: true });
  // Nobody asks again and again: news of room are waited for.
  await clock.pass(600_000);
  expect(creations(requests)).toHaveLength(1);
  world.full = false;
  widget.preview({ ...world.settings, full: false });
  await clock.pass(10_000);
  expect(creations(requests).map(({ body }) => body?.leave)).toEqual([undefined, undefined]);
  expect(server.texts('chat-1')).toEqual(['hello', 'anybody?']);
  expect(widget.trouble.peek()).toBe(null);
});

test('a refusal that nothing else tells of is tried again, and not in a hurry', async () => {
  const { open, clock, world, server, requests } = makeWorld({ online: true });
  const widget = await open();
  await clock.pass(100);
  world.full = true;
  widget.send('hello');
  await clock.pass(60_000);
  const tries = creations(requests).length;
  expect(tries).toBeGreaterThan(3);
  expect(tries).toBeLessThanOrEqual(13);
  world.full = false;
  await clock.pass(15_000);
  expect(server.texts('chat-1')).toEqual(['hello']);
});

test.each([
  ['left', (widget: Widget) => widget.leave(), true],
  ['tried again by hand', (widget: Widget) => widget.tryAgain(), undefined],
] as const)('what was refused can be %s', async (_how, choose, leave) => {
  const { open, clock, world, server, requests } = makeWorld({ online: true });
  const widget = await open();
  await clock.pass(100);
  world.full = true;
  widget.send('hello');
  await clock.pass(1_000);
  widget.preview({ ...world.settings, full: true });
  world.full = leave === true;
  choose(widget);
  await clock.pass(1_000);
  expect(creations(requests).map(({ body }) => body?.leave)).toEqual([undefined, leave]);
  expect(server.texts('chat-1')).toEqual(['hello']);
});

test('a signed token is the visitor: used as it is, and kept nowhere', async () => {
  const { open, clock, requests, store, events } = makeWorld({ identity_required: true });
  const widget = await open();
  await clock.pass(100);
  const signed = token({ sub: 'vera', exp: 4_000_000_000 });
  await widget.identify(signed);
  expect(widget.stage.peek()).toBe('write');
  widget.send('it is me');
  await clock.pass(1_000);
  expect(creations(requests).map((request) => request.token)).toEqual([signed]);
  expect([...store.texts.values()].join()).not.toContain(signed);
  expect(store.texts.has('visitor:vera')).toBe(true);
  await widget.identify('nonsense');
  expect(events).toContainEqual(['error', { code: 'bad_token' }]);
});

test('whom the server does not believe stays anonymous, in the chat that is open', async () => {
  const { open, clock, world, events } = makeWorld();
  const widget = await open();
  widget.send('anonymous');
  await clock.pass(1_000);
  world.refused = token({ sub: 'mallory' });
  expect(await widget.identify(world.refused)).toBe(false);
  expect(events).toContainEqual(['error', { code: 'bad_token' }]);
  expect(widget.who.verified.peek()).toBe(false);
  expect(widget.conversation.peek()?.id).toBe('chat-1');
  expect(widget.stage.peek()).toBe('write');
});

test('of two tokens the newer one counts, whichever is judged first', async () => {
  const { open } = makeWorld();
  const widget = await open();
  await Promise.all([
    widget.identify(token({ sub: 'vera' })),
    widget.identify(token({ sub: 'walter' })),
  ]);
  expect(widget.who.key).toBe('visitor:walter');
});

test('who signs in finds the chat that is open elsewhere, and not the anonymous one', async () => {
  const { open, clock, world, server } = makeWorld();
  const widget = await open();
  widget.send('anonymous');
  await clock.pass(1_000);
  server.write('chat-9', 'from another device');
  world.chats = [{ id: 'chat-9', status: 'active' }];
  await widget.identify(token({ sub: 'vera' }));
  await clock.pass(2_000);
  expect(widget.conversation.peek()?.id).toBe('chat-9');
  const texts = widget.chats.items
    .peek()
    .flatMap((item) => (item.kind === 'said' ? [item.text] : []));
  expect(texts).toEqual(['from another device']);
});

test('a place in line is told to the site each time, and read aloud every half minute', async () => {
  const { open, clock, server, events } = makeWorld({ online: true });
  const widget = await open();
  widget.send('hello');
  await clock.pass(1_000);
  const aloud: (number | undefined)[] = [];
  const note = () => {
    const now = widget.news.announced.peek()?.position;
    if (aloud.at(-1) !== now) aloud.push(now);
  };
  for (const position of [5, 4, 3, 2]) {
    server.say({ type: 'queue', conversation: 'chat-1', position });
    await clock.pass(10_000);
    note();
  }
  await clock.pass(60_000);
  note();
  // Three came and went between.
  expect(aloud).toEqual([5, 3, 2]);
  const told = events.filter(([name]) => name === 'queue').map(([, detail]) => detail);
  expect(told).toEqual([5, 4, 3, 2].map((position) => ({ position })));
});

test('another estimate for the same place is shown, and neither told nor read aloud', async () => {
  const { open, clock, server, events } = makeWorld({ online: true });
  const widget = await open();
  widget.send('hello');
  await clock.pass(1_000);
  const seen: (number[] | undefined)[][] = [];
  for (const eta_s of [undefined, [40, 90], [200, 300]] as const) {
    const eta = eta_s && { eta_s: [...eta_s] as [number, number] };
    server.say({ type: 'queue', conversation: 'chat-1', position: 3, ...eta });
    await clock.pass(60_000);
    seen.push([widget.line.peek(), widget.news.announced.peek()].map((it) => it?.eta_s ?? []));
  }
  expect(seen).toEqual([
    [[], []],
    [[40, 90], []],
    [[200, 300], []],
  ]);
  server.say({ type: 'queue', conversation: 'chat-1', position: 2, eta_s: [100, 200] });
  await clock.pass(1_000);
  expect(widget.news.announced.peek()?.eta_s).toEqual([100, 200]);
  expect(events.filter(([name]) => name === 'queue')).toHaveLength(2);
});

test('there is no place in line while nobody is there who could call', async () => {
  const { open, clock, server, events } = makeWorld({ online: true });
  const widget = await open();
  widget.send('hello');
  await clock.pass(1_000);
  const seen = [];
  const place = () => [widget.line.peek()?.position, widget.news.announced.peek()?.position];
  for (const online of [true, false, true]) {
    server.say({ type: 'presence', online });
    server.say({ type: 'queue', conversation: 'chat-1', position: 1 });
    await clock.pass(60_000);
    seen.push(place());
  }
  expect(seen).toEqual([
    [1, 1],
    [undefined, undefined],
    [1, 1],
  ]);
  expect(events.filter(([name]) => name === 'queue')).toHaveLength(2);
});

test('who waits may leave an address, once, and only an unknown one is asked for', async () => {
  const { open, clock, server, requests, world, store } = makeWorld();
  const widget = await open();
  expect(widget.reach.peek()).toBeNull();
  widget.send('hello');
  await clock.pass(1_000);
  expect(widget.reach.peek()).toBeNull();
  server.state = card('chat-1');
  widget.client.reconnect();
  await clock.pass(1_000);
  expect(widget.reach.peek()).toBe('');

  world.refused = 'sbv_secret';
  expect(await widget.introduce({ email: 'v@shop.example' })).toBe(false);
  expect(widget.reach.peek()).toBe('');
  world.refused = '';
  expect(await widget.introduce({ email: 'v@shop.example' })).toBe(true);
  widget.stored.answer({ email: 'v@shop.example' });
  expect(requests.at(-1)).toMatchObject({
    method: 'PATCH',
    path: '/v1/visitors/me',
    body: { email: 'v@shop.example' },
  });
  expect(widget.reach.peek()).toBe('v@shop.example');
  await clock.pass(1_000);
  // It is no answer to what is asked before a chat.
  expect(JSON.parse((await store.get('answers')) ?? '')).toEqual({ email: 'v@shop.example' });
  widget.client.stop();
  const next = await open();
  await clock.pass(1_000);
  expect(next.reach.peek()).toBe('v@shop.example');
  await next.introduce({ email: 'site@shop.example' });
  expect(next.reach.peek()).toBe('site@shop.example');
  server.state = card('chat-1', { status: 'active' });
  next.client.reconnect();
  await clock.pass(1_000);
  expect(next.reach.peek()).toBeNull();
});

test('an agent who comes is seen as they look, which the event does not say', async () => {
  const { open, clock, server } = makeWorld();
  const widget = await open();
  widget.send('hello');
  await clock.pass(1_000);
  server.state = card('chat-1');
  widget.client.reconnect();
  await clock.pass(1_000);
  const agent = { id: 'ada', name: 'Ada' };
  server.state = card('chat-1', { status: 'active', agent: { ...agent, title: 'Plant doctor' } });
  server.append('chat-1', 'public', { kind: 'assigned', from: ADA, body: { agent, by: 'accept' } });
  await clock.pass(1_000);
  expect(widget.card.peek()?.agent?.title).toBe('Plant doctor');
});

test('what the visitor did is told once, where they are after every reconnect', async () => {
  const { open, clock, server } = makeWorld();
  const widget = await open();
  widget.send('hello');
  await clock.pass(1_000);
  widget.visit('https://shop.example/fern', 'Fern', 'Added to cart');
  await clock.pass(1_000);
  server.cut();
  await clock.pass(60_000);
  const told = server.received.flatMap((frame) => (frame.type === 'page' ? [frame.did] : []));
  expect(told).toEqual(['Added to cart', undefined]);
});

test('somebody else begins a chat: it is there at once', async () => {
  const { open, clock, server, events } = makeWorld();
  const widget = await open();
  widget.send('hello');
  await clock.pass(1_000);
  server.write('chat-2', 'we have news');
  server.say({ type: 'conversation', conversation: 'chat-2' });
  await clock.pass(1_000);
  expect(widget.conversation.peek()?.id).toBe('chat-2');
  expect(events).toContainEqual(['conversation:start', { id: 'chat-2' }]);
});

test('what the site says of the visitor goes into the chat, or after it began to the server', async () => {
  const { open, clock, requests } = makeWorld();
  const widget = await open();
  await widget.introduce({ name: 'Vera' });
  widget.send('hello');
  await clock.pass(1_000);
  expect(creations(requests)[0]?.body).toMatchObject({ contact: { name: 'Vera' } });
  await widget.introduce({ phone: '1' });
  expect(requests.at(-1)).toMatchObject({
    method: 'PATCH',
    path: '/v1/visitors/me',
    body: { phone: '1' },
  });
});

test('news sound only when that is wanted and nobody looks, and history never', async () => {
  const { open, clock, server, world } = makeWorld();
  const before = await open();
  before.send('hello');
  await clock.pass(1_000);
  const write = async (text: string) => {
    server.say({
      ...({ kind: 'message', seq: server.texts('chat-1').length + 1 } as const),
      ...{ id: text, at: new Date(clock.now()).toISOString(), body: { text } },
      from: ADA,
      type: 'event',
      conversation: 'chat-1',
    });
    server.write('chat-1', text);
    Object.assign(server.streams.get('chat-1/public')?.at(-1) ?? {}, { from: ADA });
    await clock.pass(1_000);
  };
  await write('unheard');
  expect(world.chimes).toBe(0);
  before.hear(true);
  expect(world.chimes).toBe(1);
  await write('heard');
  expect(world.chimes).toBe(2);
  before.watching.value = true;
  await write('seen');
  expect(world.chimes).toBe(2);
  before.client.stop();
  const widget = await open();
  await clock.pass(2_000);
  expect(widget.stored.sound.peek()).toBe(true);
  expect(world.chimes).toBe(2);
});

test('the next page goes on where this one was left, and at the end after that', async () => {
  const { open, clock, store } = makeWorld();
  const first = await open();
  expect(first.stored.place).toBeNull();
  first.stored.stay(['event-7', -3, 'event-9']);
  first.stored.stay(['event-8', 12, 'event-9']);
  await clock.pass(1_000);
  const second = await open();
  expect(second.stored.place).toEqual(['event-8', 12, 'event-9']);
  second.stored.stay(null);
  await clock.pass(1_000);
  expect(await store.get('place')).toBeNull();
});

test('what is asked for is asked with what says who the visitor is', async () => {
  const { open, clock, requests } = makeWorld({ online: true });
  const widget = await open();
  widget.send('hello');
  await clock.pass(1_000);
  const path = '/v1/conversations/chat-1/messages?after=200&limit=50';
  await widget.ask(path);
  expect(requests.at(-1)).toMatchObject({ method: 'GET', path, token: 'sbv_secret' });
});
