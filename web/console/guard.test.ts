import { expect, test } from 'vitest';
import type { PresenceStatus } from '../client/frames.ts';
import { FakeClock, MemoryLocks, MemoryStore, randomFrom } from '../test/fake/ports.ts';
import { FakeServer } from '../test/fake/server.ts';
import { openTab } from '../test/fake/tab.ts';
import { Drafts } from './drafts.ts';
import { Guard } from './guard.ts';

const ID = 'c';
const BEN = { kind: 'agent', id: 'ben', name: 'Ben' } as const;

async function make() {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const store = new MemoryStore();
  const random = randomFrom(1);
  const { client } = await openTab({ clock, server, store, locks: new MemoryLocks(), random });
  const drafts = new Drafts(store, clock);
  const guard = new Guard({ client, drafts, me: 'me', send: (...args) => client.send(...args) });
  const conversation = client.follow(ID);
  await clock.pass(100);
  const presence = { agent: BEN, status: 'online' as PresenceStatus, capacity: 5, active: 1 };
  server.say({ type: 'presence', agents: [presence], snapshot: true });
  const hear = async () => {
    await clock.pass(100);
    guard.look(conversation);
    await clock.pass(100);
  };
  const write = (text: string) => {
    guard.writing(ID, 'message');
    drafts.write(ID, 'message', text);
  };
  return { clock, server, client, drafts, guard, hear, write };
}

test('an answer to what was seen goes out, and says what that was', async () => {
  const { server, guard, hear, write } = await make();
  server.write(ID, 'Hello?');
  await hear();
  write('Hi');
  expect(guard.send(ID, 'message', 'Hi')).toBe(true);
  await hear();
  expect(server.texts(ID)).toEqual(['Hello?', 'Hi']);
  const [send] = server.received.filter((frame) => frame.type === 'send');
  expect(send).toMatchObject({ if_head: 1 });
});

test('a reply begun before a colleague answered is held, and keeps its text', async () => {
  const { server, guard, drafts, hear, write } = await make();
  server.write(ID, 'Hello?');
  await hear();
  write('I was going to say');
  server.write(ID, 'All done', 'public', BEN);
  await hear();
  expect(guard.send(ID, 'message', 'I was going to say')).toBe(false);
  expect(guard.held.value).toMatchObject({ why: 'answered', who: 'Ben', entry: null });
  expect(drafts.of(ID).texts.message.value).toBe('I was going to say');
  guard.view();
  expect(guard.held.value).toBe(null);
  // Having looked, one may say it.
  expect(guard.send(ID, 'message', 'I was going to say')).toBe(true);
  await hear();
  expect(server.texts(ID).at(-1)).toBe('I was going to say');
});

test('sending anyway sends it once', async () => {
  const { server, guard, drafts, hear, write } = await make();
  write('Mine');
  server.write(ID, 'Theirs', 'public', BEN);
  await hear();
  guard.send(ID, 'message', 'Mine');
  guard.sendAnyway();
  await hear();
  expect(server.texts(ID)).toEqual(['Theirs', 'Mine']);
  expect(drafts.of(ID).texts.message.value).toBe('');
});

test('who writes while a colleague types is asked once', async () => {
  const { server, guard, hear, write } = await make();
  write('One');
  server.say({ type: 'typing', conversation: ID, from: BEN, on: true });
  await hear();
  expect(guard.send(ID, 'message', 'One')).toBe(false);
  expect(guard.held.value).toMatchObject({ why: 'typing', who: 'Ben' });
  guard.view();
  expect(guard.send(ID, 'message', 'One')).toBe(true);
});

test('notes are never held', async () => {
  const { server, guard, hear, write } = await make();
  write('x');
  server.write(ID, 'Theirs', 'public', BEN);
  await hear();
  expect(guard.send(ID, 'note', 'for us')).toBe(true);
});

test('what the server refuses because a colleague was quicker can be looked at or sent again', async () => {
  for (const anyway of [true, false]) {
    const { server, client, guard, drafts, hear, write } = await make();
    server.write(ID, 'Hello?');
    await hear();
    write('Late');
    server.refuse = 'stale_head';
    expect(guard.send(ID, 'message', 'Late')).toBe(true);
    server.write(ID, 'Quick', 'public', BEN);
    await hear();
    server.refuse = null;
    expect(guard.held.value).toMatchObject({ why: 'answered', who: 'Ben', text: 'Late' });
    if (anyway) guard.sendAnyway();
    else guard.view();
    await hear();
    expect(server.texts(ID)).toEqual(anyway ? ['Hello?', 'Quick', 'Late'] : ['Hello?', 'Quick']);
    expect(drafts.of(ID).texts.message.value).toBe(anyway ? '' : 'Late');
    expect(client.outbox.rows(ID).value).toEqual([]);
  }
});

test('a visitor who wrote meanwhile is no reason to stop: it goes out after all, in order', async () => {
  const { server, guard, hear, write } = await make();
  server.refuse = 'stale_head';
  for (const text of ['One', 'Two']) {
    write(text);
    guard.send(ID, 'message', text);
  }
  server.write(ID, 'And another thing');
  await hear();
  server.refuse = null;
  await hear();
  await hear();
  expect(guard.held.value).toBe(null);
  expect(server.texts(ID)).toEqual(['And another thing', 'One', 'Two']);
});
