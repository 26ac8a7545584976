import { expect, test } from 'vitest';
import { FakeClock, MemoryLocks, MemoryStore, randomFrom, settle } from '../test/fake/ports.ts';
import { FakeServer } from '../test/fake/server.ts';
import { openTab, type Tab, type World } from '../test/fake/tab.ts';
import type { Card, ClientFrame } from './frames.ts';
import { merged } from './internal.ts';

const CHAT = 'chat';

function makeWorld(seed = 7): World {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  return {
    clock,
    server,
    store: new MemoryStore(),
    locks: new MemoryLocks(),
    random: randomFrom(seed),
  };
}

function shown(tab: Tab): string[] {
  return tab.client
    .follow(CHAT)
    .timeline.peek()
    .map((event) =>
      event.kind === 'message' || event.kind === 'note' ? event.body.text : event.kind,
    );
}

function waiting(tab: Tab): string[] {
  return tab.client.outbox
    .rows(CHAT)
    .peek()
    .map(
      (row) =>
        `${row.text}:${row.late ? 'late' : row.state}${row.code === null ? '' : `:${row.code}`}`,
    );
}

function sends(world: World): number[] {
  const of = (frame: ClientFrame) => (frame.type === 'send' ? [frame.n] : []);
  return world.server.received.flatMap(of);
}

function cardOf(id: string, number: number, more: Partial<Card> = {}): Card {
  return {
    id,
    number,
    status: 'waiting',
    offline: false,
    transferred: false,
    priority: 'medium',
    visitor: { id: `v${number}` },
    agent: null,
    created_at: `2026-01-01T00:00:0${number}.000Z`,
    last_at: `2026-01-01T00:00:0${number}.000Z`,
    log: 'L',
    head: 1,
    last: null,
    unread: 0,
    rating: null,
    ticket: null,
    ...more,
  };
}

test('what is sent is shown once: first as a row, then as the event', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  tab.client.follow(CHAT);
  await world.clock.pass(100);
  tab.client.send(CHAT, 'message', 'hello');
  expect(waiting(tab)).toEqual(['hello:waiting']);
  await world.clock.pass(100);
  expect(waiting(tab)).toEqual([]);
  expect(shown(tab)).toEqual(['hello']);
});

test('a note goes to the internal stream and stands where it was written', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  tab.client.follow(CHAT);
  await world.clock.pass(100);
  world.server.write(CHAT, 'one');
  tab.client.send(CHAT, 'note', 'psst');
  await world.clock.pass(100);
  world.server.write(CHAT, 'two');
  await world.clock.pass(100);
  expect(shown(tab)).toEqual(['one', 'psst', 'two']);
  expect(world.server.texts(CHAT)).toEqual(['one', 'two']);
});

test('an ack never moves the position: what others wrote before is not skipped', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  const chat = tab.client.follow(CHAT);
  await world.clock.pass(100);
  tab.client.send(CHAT, 'message', 'mine');
  await settle();
  world.server.say({
    type: 'ack',
    conversation: CHAT,
    n: 1,
    seq: 9,
    id: 'x',
    at: '',
    duplicate: false,
  });
  await world.clock.pass(1);
  expect(chat.log('public')?.last).toBe(0);
});

test('unsent messages survive the death of the tab and go out in order', async () => {
  const world = makeWorld();
  world.server.down = true;
  const first = await openTab(world);
  for (const text of ['a', 'b', 'c']) first.client.send(CHAT, 'message', text);
  await world.clock.pass(50);
  first.die();
  world.server.down = false;
  const second = await openTab(world);
  second.client.follow(CHAT);
  expect(waiting(second)).toEqual(['a:waiting', 'b:waiting', 'c:waiting']);
  await world.clock.pass(2_000);
  expect(shown(second)).toEqual(['a', 'b', 'c']);
  expect(world.server.texts(CHAT)).toEqual(['a', 'b', 'c']);
});

test('a message whose ack was lost is not stored twice after a reload', async () => {
  const world = makeWorld();
  const first = await openTab(world);
  await world.clock.pass(100);
  first.client.send(CHAT, 'message', 'once');
  await settle();
  await world.clock.pass(1); // Arrived; the ack is on its way.
  first.die();
  expect(world.server.texts(CHAT)).toEqual(['once']);
  const second = await openTab(world);
  await world.clock.pass(2_000);
  expect(world.server.texts(CHAT)).toEqual(['once']);
  expect(waiting(second)).toEqual(['once:stored']);
  second.client.follow(CHAT);
  await world.clock.pass(100);
  expect(waiting(second)).toEqual([]);
});

test('never more than the bound is unanswered', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  world.server.mute = true;
  for (let i = 0; i < 40; i += 1) tab.client.send(CHAT, 'message', `${i}`);
  await settle();
  expect(waiting(tab).filter((row) => row.endsWith('flying')).length).toBe(16);
});

test('busy waits as told, and order holds', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  world.server.trouble = { random: world.random, lose: 0, double: 0, delay: 0, cut: 0, busy: 0.5 };
  for (let i = 0; i < 30; i += 1) tab.client.send(CHAT, 'message', `${i}`);
  await world.clock.pass(10_000);
  expect(world.server.texts(CHAT)).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`));
});

test('a refused message gives its number to the next, and retry sends it as the newest', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  tab.client.follow(CHAT);
  await world.clock.pass(100);
  for (const text of ['a', 'x'.repeat(101), 'c']) tab.client.send(CHAT, 'message', text);
  await world.clock.pass(1_000);
  expect(world.server.texts(CHAT)).toEqual(['a', 'c']);
  expect(waiting(tab)).toEqual([`${'x'.repeat(101)}:failed:too_large`]);
  world.server.refuse = 'closed';
  tab.client.send(CHAT, 'message', 'd');
  await world.clock.pass(1_000);
  world.server.refuse = null;
  const failed = tab.client.outbox.rows(CHAT).peek().at(-1);
  tab.client.outbox.retry(CHAT, failed?.id ?? '');
  await world.clock.pass(1_000);
  expect(world.server.texts(CHAT)).toEqual(['a', 'c', 'd']);
  const outbox = [...world.server.outboxes.values()][0];
  expect(outbox?.map((stored) => stored.n)).toEqual([1, 2, 3]);
});

test('stale_head keeps the message for the person to decide, and then sends it without the check', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  world.server.refuse = 'stale_head';
  tab.client.send(CHAT, 'message', 'late', 3);
  await world.clock.pass(100);
  expect(waiting(tab)).toEqual(['late:failed:stale_head']);
  world.server.refuse = null;
  tab.client.outbox.retry(CHAT, tab.client.outbox.rows(CHAT).peek()[0]?.id ?? '');
  await world.clock.pass(100);
  const last = world.server.received.filter((frame) => frame.type === 'send').at(-1);
  expect(last).toMatchObject({ body: { text: 'late' } });
  expect(last).not.toHaveProperty('if_head');
  expect(world.server.texts(CHAT)).toEqual(['late']);
});

test('an outbox older than what the server stored finds free numbers and loses nothing', async () => {
  const world = makeWorld();
  const first = await openTab(world);
  await world.clock.pass(100);
  first.client.send(CHAT, 'message', 'one');
  await world.clock.pass(100);
  const old = new Map(world.store.texts);
  for (const text of ['two', 'three']) first.client.send(CHAT, 'message', text);
  await world.clock.pass(100);
  first.die();
  for (const [key, text] of old) world.store.texts.set(key, text);
  const second = await openTab(world);
  for (const text of ['four', 'five']) second.client.send(CHAT, 'message', text);
  await world.clock.pass(5_000);
  const texts = world.server.texts(CHAT);
  expect([...texts].sort()).toEqual(['five', 'four', 'one', 'three', 'two']);
  expect(waiting(second).every((row) => row.endsWith('stored'))).toBe(true);
});

test('a server that forgot the outbox gets everything from the number it expects', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  tab.client.send(CHAT, 'message', 'one');
  await world.clock.pass(100);
  world.server.outboxes.clear();
  for (const text of ['two', 'three']) tab.client.send(CHAT, 'message', text);
  await world.clock.pass(1_000);
  expect(world.server.texts(CHAT)).toEqual(['one', 'two', 'three']);
  expect(sends(world).slice(-2)).toEqual([1, 2]);
});

test('without an answer for 15 s a message is shown as not sent, and goes out once all the same', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  world.server.down = true;
  world.server.cut();
  tab.client.send(CHAT, 'message', 'patience');
  await world.clock.pass(14_900);
  expect(waiting(tab)).toEqual(['patience:waiting']);
  await world.clock.pass(200);
  expect(waiting(tab)).toEqual(['patience:late']);
  world.server.down = false;
  tab.client.outbox.retry(CHAT, tab.client.outbox.rows(CHAT).peek()[0]?.id ?? '');
  await world.clock.pass(100);
  expect(world.server.texts(CHAT)).toEqual(['patience']);
});

test('only what is certainly not stored can be deleted', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  world.server.mute = true;
  tab.client.send(CHAT, 'message', 'unknown');
  await settle();
  tab.client.outbox.discard(CHAT, tab.client.outbox.rows(CHAT).peek()[0]?.id ?? '');
  expect(waiting(tab)).toEqual(['unknown:flying']);
  world.server.mute = false;
  world.server.down = true;
  world.server.cut();
  for (const text of ['b', 'c']) tab.client.send(CHAT, 'message', text);
  tab.client.outbox.discard(CHAT, tab.client.outbox.rows(CHAT).peek()[1]?.id ?? '');
  world.server.down = false;
  await world.clock.pass(60_000);
  expect(world.server.texts(CHAT)).toEqual(['unknown', 'c']);
});

test('a link that died without a word is noticed by an unanswered send', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  world.server.mute = true;
  tab.client.send(CHAT, 'message', 'anybody?');
  await world.clock.pass(8_000);
  world.server.mute = false;
  await world.clock.pass(2_000);
  expect(world.server.hellos.length).toBe(2);
  expect(world.server.texts(CHAT)).toEqual(['anybody?']);
});

test('waking up doubts a silent link and leaves a lively one alone', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  tab.client.wake();
  expect(world.server.received.some((frame) => frame.type === 'ping')).toBe(false);
  await world.clock.pass(60_000);
  tab.client.wake();
  await world.clock.pass(10);
  expect(world.server.received.filter((frame) => frame.type === 'ping').length).toBe(1);
  expect(world.server.hellos.length).toBe(1);
  await world.clock.pass(60_000);
  world.server.mute = true;
  tab.client.wake();
  await world.clock.pass(4_100);
  world.server.mute = false;
  tab.client.wake();
  await world.clock.pass(12_000);
  expect(world.server.hellos.length).toBe(2);
});

test('close codes: afresh takes a snapshot, stop stays away until started again', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  tab.client.follow(CHAT);
  world.server.write(CHAT, 'one');
  await world.clock.pass(100);
  world.server.cut(4100);
  await world.clock.pass(2_000);
  const subscribes = world.server.received.filter((frame) => frame.type === 'subscribe');
  expect(subscribes.at(-1)).toMatchObject({ log: null, after: null });
  expect(shown(tab)).toEqual(['one']);
  world.server.cut(4500);
  await world.clock.pass(120_000);
  expect(tab.client.link.peek()).toEqual({ state: 'stopped', code: 4500 });
  expect(world.server.connections).toBe(0);
  tab.client.connect();
  await world.clock.pass(100);
  expect(tab.client.link.peek().state).toBe('ready');
});

test('a drain says when to come back; nobody comes earlier', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  world.server.say({ type: 'drain', reconnect_in_ms: 8_000 });
  await world.clock.pass(10);
  world.server.cut(4001);
  tab.client.wake();
  await world.clock.pass(7_900);
  expect(world.server.hellos.length).toBe(1);
  await world.clock.pass(200);
  expect(world.server.hellos.length).toBe(2);
});

test('attempts back off while nobody answers', async () => {
  const world = makeWorld();
  world.server.down = true;
  let attempts = 0;
  const open = world.server.open;
  Object.assign(world.server, {
    open: (events: Parameters<typeof open>[0]) => {
      attempts += 1;
      return open(events);
    },
  });
  await openTab(world);
  await world.clock.pass(600_000);
  expect(attempts).toBeGreaterThan(20);
  expect(attempts).toBeLessThan(120);
});

test('two tabs are two outboxes, stay in step, and what a dead one left is sent by the other', async () => {
  const world = makeWorld();
  const one = await openTab(world);
  const two = await openTab(world);
  for (const tab of [one, two]) tab.client.follow(CHAT);
  await world.clock.pass(100);
  one.client.send(CHAT, 'message', 'from one');
  await world.clock.pass(100);
  two.client.send(CHAT, 'message', 'from two');
  await world.clock.pass(100);
  expect(shown(one)).toEqual(['from one', 'from two']);
  expect(shown(two)).toEqual(shown(one));
  expect(world.server.outboxes.size).toBe(2);
  world.server.down = true;
  world.server.cut();
  for (const tab of [one, two]) tab.client.send(CHAT, 'message', 'left behind');
  await settle();
  one.die();
  two.die();
  world.server.down = false;
  const three = await openTab(world);
  three.client.follow(CHAT);
  await world.clock.pass(3_000);
  expect(shown(three).slice(2)).toEqual(['left behind', 'left behind']);
  expect(world.server.outboxes.size).toBe(2);
  expect((await world.store.keys('outbox:')).length).toBe(1);
});

test('a view takes changes in step and asks again after a gap', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  const view = tab.client.watch({ status: 'waiting' }, 'waiting', 50);
  const ids = () => view.rows.peek().map((card) => card.id);
  const say = async (version: number, part: object) => {
    world.server.say({ type: 'view', ref: view.ref ?? '', version, total: 2, ...part });
    await world.clock.pass(5);
  };
  await say(1, { snapshot: [cardOf('b', 2), cardOf('a', 1)] });
  expect(ids()).toEqual(['a', 'b']);
  await say(2, { changes: [{ put: cardOf('c', 3) }, { drop: 'a' }] });
  expect(ids()).toEqual(['b', 'c']);
  const before = view.ref;
  await say(4, { changes: [{ drop: 'b' }] });
  expect(ids()).toEqual(['b', 'c']);
  expect(view.ref).not.toBe(before);
  await say(1, { snapshot: [cardOf('d', 4)] });
  expect(ids()).toEqual(['d']);
  world.server.cut();
  await world.clock.pass(2_000);
  const watches = world.server.received.filter((frame) => frame.type === 'watch');
  expect(watches.length).toBe(3);
});

test('a command is asked again after a reconnect under the same reference, and answered once', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  const outcome = tab.client.do(CHAT, 'accept');
  await world.clock.pass(5);
  world.server.cut();
  await world.clock.pass(2_000);
  const asked = world.server.received.flatMap((frame) => (frame.type === 'do' ? [frame.ref] : []));
  expect(asked.length).toBe(2);
  expect(new Set(asked).size).toBe(1);
  const by = { id: 'ben', name: 'Ben' };
  world.server.say({ type: 'refused', ref: asked[0] ?? '', code: 'already_accepted', by });
  await world.clock.pass(5);
  expect(await outcome).toEqual({ ok: false, code: 'already_accepted', by });
});

test('a subscription that is lost with its node is asked for again, and nothing is missed', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  tab.client.follow(CHAT);
  world.server.write(CHAT, 'before');
  await world.clock.pass(100);
  world.server.move(CHAT, ['public', 'internal'], 3);
  world.server.write(CHAT, 'meanwhile');
  world.server.write(CHAT, 'a note', 'internal');
  await world.clock.pass(5_000);
  world.server.write(CHAT, 'after');
  await world.clock.pass(100);
  expect(shown(tab)).toEqual(['before', 'meanwhile', 'a note', 'after']);
  expect(tab.client.follow(CHAT).refused.value).toBe(null);
});

test('a command without an answer ends as unknown', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  await world.clock.pass(100);
  const outcome = tab.client.do(CHAT, 'close');
  await world.clock.pass(15_100);
  expect(await outcome).toMatchObject({ ok: false, code: 'unknown' });
});

test('older history is fetched in pages down to the beginning', async () => {
  const world = makeWorld();
  for (let i = 1; i <= 130; i += 1) world.server.write(CHAT, `${i}`);
  const tab = await openTab(world);
  const chat = tab.client.follow(CHAT);
  await world.clock.pass(100);
  expect(shown(tab).length).toBe(50);
  for (const more of [100, 130]) {
    expect(chat.hasOlder).toBe(true);
    chat.fetchOlder();
    await world.clock.pass(100);
    expect(shown(tab).length).toBe(more);
  }
  expect(chat.hasOlder).toBe(false);
  expect(shown(tab)).toEqual(world.server.texts(CHAT));
});

test('typing ends by itself, and at the message', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  const chat = tab.client.follow(CHAT);
  await world.clock.pass(100);
  const from = { kind: 'visitor', id: 'v', name: 'Vi' } as const;
  world.server.say({ type: 'typing', conversation: CHAT, from, on: true });
  await world.clock.pass(10);
  expect([...chat.typing.peek().values()].map(({ from: { name } }) => name)).toEqual(['Vi']);
  world.server.write(CHAT, 'there');
  await world.clock.pass(10);
  expect(chat.typing.peek().size).toBe(0);
  world.server.say({ type: 'typing', conversation: CHAT, from, on: true });
  await world.clock.pass(6_100);
  expect(chat.typing.peek().size).toBe(0);
});

test('what is written so far is held while it is typed, and no longer', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  const chat = tab.client.follow(CHAT);
  await world.clock.pass(100);
  const say = async (on: boolean, preview?: string) => {
    const from = { kind: 'visitor', id: 'v' } as const;
    world.server.say({ type: 'typing', conversation: CHAT, from, on, ...(preview && { preview }) });
    await world.clock.pass(10);
    return [...chat.typing.peek().values()].map((typist) => typist.preview);
  };
  expect(await say(true, 'Wh')).toEqual(['Wh']);
  expect(await say(true, 'Where is')).toEqual(['Where is']);
  expect(await say(true)).toEqual([undefined]);
  expect(await say(false)).toEqual([]);
  await say(true, 'Where');
  await world.clock.pass(6_100);
  expect(chat.typing.peek().size).toBe(0);
});

test('under any loss, doubling, reordering and cutting: everything once and in order', async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const world = makeWorld(seed);
    const random = randomFrom(seed * 31);
    world.server.trouble = { random, lose: 0.1, double: 0.15, delay: 0.2, cut: 0.04, busy: 0.05 };
    let tab = await openTab(world);
    tab.client.follow(CHAT);
    const sent: Record<'message' | 'note', string[]> = { message: [], note: [] };
    for (let step = 0; step < 60; step += 1) {
      const kind = random() < 0.3 ? 'note' : 'message';
      if (random() < 0.6) {
        sent[kind].push(`mine ${step}`);
        tab.client.send(CHAT, kind, `mine ${step}`);
      } else {
        world.server.write(CHAT, `theirs ${step}`, kind === 'note' ? 'internal' : 'public');
      }
      await world.clock.pass(Math.floor(random() * 300));
      if (random() < 0.05) {
        tab.die();
        tab = await openTab(world);
        tab.client.follow(CHAT);
      }
      if (random() < 0.02) world.server.log = `log of step ${step}`;
    }
    world.server.trouble = null;
    world.server.cut();
    await world.clock.pass(120_000);
    const where = `seed ${seed}`;
    const chat = tab.client.follow(CHAT);
    while (chat.hasOlder) {
      chat.fetchOlder();
      await world.clock.pass(100);
    }
    for (const [stream, kind] of [
      ['public', 'message'],
      ['internal', 'note'],
    ] as const) {
      const mine = world.server.texts(CHAT, stream).filter((text) => text.startsWith('mine'));
      expect(mine, where).toEqual(sent[kind]);
      const held = chat.log(stream)?.events.peek() ?? [];
      const all = world.server.streams.get(`${CHAT}/${stream}`) ?? [];
      expect(
        held.map((event) => event.id),
        where,
      ).toEqual(all.map((event) => event.id));
    }
    const publicEvents = chat.log('public')?.events.peek() ?? [];
    const internal = chat.log('internal')?.events.peek() ?? [];
    expect(chat.timeline.peek(), where).toEqual(merged(publicEvents, internal));
    expect(waiting(tab), where).toEqual([]);
  }
}, 60_000);

test('a conversation that was left is shown at once again, and what was said since comes after it', async () => {
  const world = makeWorld();
  world.server.write(CHAT, 'one');
  const tab = await openTab(world);
  shown(tab);
  await world.clock.pass(100);
  expect(shown(tab)).toEqual(['one']);
  tab.client.unfollow(CHAT);
  world.server.write(CHAT, 'two');
  await world.clock.pass(100);
  // Before the server has said anything.
  expect(shown(tab)).toEqual(['one']);
  await world.clock.pass(100);
  expect(shown(tab)).toEqual(['one', 'two']);
  const asked = world.server.received.flatMap((frame) =>
    frame.type === 'subscribe' && frame.stream === undefined ? [frame.after] : [],
  );
  expect(asked).toEqual([null, 1]);
});

test('of conversations that were left a few are kept, and none over a new connection', async () => {
  const world = makeWorld();
  const tab = await openTab(world);
  const chats = Array.from({ length: 14 }, (_, n) => `chat ${n}`);
  for (const chat of chats) {
    world.server.write(chat, 'hello');
    tab.client.follow(chat);
    await world.clock.pass(100);
    tab.client.unfollow(chat);
  }
  const held = (chat: string) => {
    const known = tab.client.follow(chat).timeline.peek().length;
    tab.client.unfollow(chat);
    return known;
  };
  expect([held('chat 0'), held('chat 13')]).toEqual([0, 1]);
  world.server.cut();
  await world.clock.pass(60_000);
  expect(tab.client.link.peek().state).toBe('ready');
  expect(held('chat 13')).toBe(0);
});
