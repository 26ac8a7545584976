import { type Signal, signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import type { Link } from '../client/connection.ts';
import { Problem } from '../client/http.ts';
import { FakeClock, MemoryStore, settle } from '../test/fake/ports.ts';
import { Drafts, isEmpty, same, type Words } from './drafts.ts';
import { KeptDrafts } from './kept-drafts.ts';

/** More than words wait for others to go with them. */
const SAVED_MS = 1_100;
const RETRIED_MS = 31_000;

type Said = { body?: Words & { age_ms: number } };

/** One person's drafts as the server keeps them, and whoever is told of changes. */
class FakeServer {
  version = 0;
  readonly clock = new FakeClock();
  readonly kept = new Map<string, Words & { at: number }>();
  readonly requests: string[] = [];
  failure: Problem | null = null;
  readonly told: Signal<number>[] = [];

  async ask(method: string, path: string, { body }: Said = {}): Promise<unknown> {
    const id = path.split('/')[5] ?? '';
    this.requests.push(method === 'GET' ? 'GET' : `${id} ${body?.message}|${body?.note}`);
    await settle();
    if (this.failure !== null) throw this.failure;
    if (body !== undefined) this.#put(id, body, this.clock.now() - body.age_ms);
    const items = [...this.kept].map(([conversation, draft]) => ({ ...draft, conversation }));
    const draft = items.find(({ conversation }) => conversation === id) ?? null;
    return { body: { version: this.version, items, draft } };
  }

  #put(id: string, words: Words, at: number): void {
    const before = this.kept.get(id);
    if (before === undefined ? isEmpty(words) : before.at > at || same(before, words)) return;
    if (isEmpty(words)) this.kept.delete(id);
    else this.kept.set(id, { ...words, at });
    this.version += 1;
    for (const told of this.told) told.value = this.version;
  }
}

interface Page {
  drafts: Drafts;
  refused: number;
  link(ready: boolean): Promise<void>;
  close(): void;
}

async function open(server: FakeServer, store = new MemoryStore(), ready = true): Promise<Page> {
  const { clock } = server;
  const drafts = new Drafts(store, clock);
  await drafts.restore();
  const link = signal({ state: ready ? 'ready' : 'waiting' } as Link);
  const told = signal(server.version);
  server.told.push(told);
  const kept = new KeptDrafts({
    drafts,
    clock,
    ask: ((method: string, path: string, asking?: Said) =>
      server.ask(method, path, asking)) as never,
    link,
    told,
    onRefused: () => {
      page.refused += 1;
    },
  });
  const page: Page = {
    drafts,
    refused: 0,
    link: async (is) => {
      link.value = { state: is ? 'ready' : 'waiting' } as Link;
      await pass(server, 0);
    },
    close: () => kept.close(),
  };
  await pass(server, 0);
  return page;
}

/** Lets time pass, with all that is asked and answered then. */
async function pass({ clock }: FakeServer, ms: number): Promise<void> {
  await clock.pass(ms);
  for (let turn = 0; turn < 12; turn += 1) await clock.pass(0);
}

const reply = ({ drafts }: Page, id = 'a') => drafts.of(id).texts.message.value;

test('what is written on one page is on the others after a pause, and gone when it was sent', async () => {
  const server = new FakeServer();
  const [desk, laptop] = [await open(server), await open(server)];
  server.requests.length = 0;
  desk.drafts.of('a').since = 4;
  for (const text of ['D', 'De', 'Dear']) desk.drafts.write('a', 'message', text);
  desk.drafts.of('b').mode.value = 'note';
  desk.drafts.write('b', 'note', 'ask');
  await pass(server, SAVED_MS);
  // The other page reads once for what came while it was reading.
  expect(server.requests).toEqual(['a Dear|', 'GET', 'b |ask', 'GET']);
  expect(reply(laptop)).toBe('Dear');
  expect(laptop.drafts.of('a').since).toBe(4);
  expect(laptop.drafts.of('b').mode.value).toBe('note');
  expect([...laptop.drafts.held.value]).toEqual(['a', 'b']);
  laptop.drafts.write('a', 'message', '');
  await pass(server, 50);
  expect(reply(desk)).toBe('');
  expect([...server.kept.keys()]).toEqual(['b']);
});

test('what is sent before it was saved costs no request', async () => {
  const server = new FakeServer();
  const page = await open(server);
  server.requests.length = 0;
  page.drafts.write('a', 'message', 'Thanks');
  page.drafts.write('a', 'message', '');
  await pass(server, SAVED_MS);
  expect(server.requests).toEqual([]);
  expect(page.drafts.unsaved.size).toBe(0);
});

test('what is sent while it is being saved is taken back', async () => {
  const server = new FakeServer();
  const page = await open(server);
  page.drafts.write('a', 'message', 'Thanks');
  const ask = server.ask.bind(server);
  server.ask = async (...said) => {
    server.ask = ask;
    page.drafts.write('a', 'message', '');
    return ask(...said);
  };
  await pass(server, SAVED_MS);
  expect(server.kept.size).toBe(0);
  expect(reply(page)).toBe('');
});

test('what was written without a connection is saved with the next, by another page as well', async () => {
  const server = new FakeServer();
  const store = new MemoryStore();
  const page = await open(server, store);
  server.failure = new Problem(0, 'unreachable');
  await page.link(false);
  page.drafts.write('a', 'message', 'Half a');
  await pass(server, SAVED_MS);
  page.close();
  const later = await open(server, store, false);
  expect(reply(later)).toBe('Half a');
  server.failure = null;
  await later.link(true);
  await pass(server, RETRIED_MS);
  expect(server.kept.get('a')?.message).toBe('Half a');
});

test('of two texts the one that was written later stays, whoever connects last', async () => {
  const server = new FakeServer();
  const [desk, laptop] = [await open(server), await open(server)];
  await desk.link(false);
  server.failure = new Problem(0, 'unreachable');
  desk.drafts.write('a', 'message', 'older');
  await pass(server, SAVED_MS);
  server.failure = null;
  laptop.drafts.write('a', 'message', 'newer');
  await pass(server, SAVED_MS);
  await desk.link(true);
  await pass(server, RETRIED_MS);
  expect([reply(desk), reply(laptop)]).toEqual(['newer', 'newer']);
});

test('nothing is changed under the hands: later words come when they leave, or lose to new ones', async () => {
  const server = new FakeServer();
  const [desk, laptop] = [await open(server), await open(server)];
  for (const id of ['a', 'b']) {
    server.failure = new Problem(0, 'unreachable');
    await desk.link(false);
    desk.drafts.enter(id);
    desk.drafts.write(id, 'message', 'older');
    await pass(server, SAVED_MS);
    server.failure = null;
    laptop.drafts.write(id, 'message', 'newer');
    await pass(server, SAVED_MS);
    await desk.link(true);
    await pass(server, RETRIED_MS);
    expect(reply(desk, id)).toBe('older');
    if (id === 'b') desk.drafts.write(id, 'message', 'older and newest');
    desk.drafts.leave(id);
    await pass(server, SAVED_MS);
  }
  expect([reply(desk, 'a'), reply(laptop, 'a')]).toEqual(['newer', 'newer']);
  expect([reply(desk, 'b'), reply(laptop, 'b')]).toEqual(['older and newest', 'older and newest']);
});

test('a field that one only stands in shows what is written elsewhere', async () => {
  const server = new FakeServer();
  const [desk, laptop] = [await open(server), await open(server)];
  desk.drafts.enter('a');
  laptop.drafts.write('a', 'message', 'from the laptop');
  await pass(server, SAVED_MS);
  expect(reply(desk)).toBe('from the laptop');
});

test('who leaves a field has its words saved at once', async () => {
  const server = new FakeServer();
  const page = await open(server);
  page.drafts.enter('a');
  page.drafts.write('a', 'message', 'Dear');
  page.drafts.leave('a');
  await pass(server, 0);
  expect(server.kept.get('a')?.message).toBe('Dear');
});

test('what the server refuses stays here, is told once, and tried again when it is written again', async () => {
  const server = new FakeServer();
  const page = await open(server);
  server.failure = new Problem(422, 'invalid');
  page.drafts.write('a', 'message', 'too long');
  await pass(server, SAVED_MS);
  page.drafts.write('a', 'message', 'too long still');
  await pass(server, SAVED_MS);
  expect(page.refused).toBe(1);
  server.failure = null;
  await page.link(false);
  await page.link(true);
  expect(reply(page)).toBe('too long still');
  page.drafts.write('a', 'message', 'short');
  await pass(server, SAVED_MS);
  expect(server.kept.get('a')?.message).toBe('short');
});

test('what this browser kept before the server kept any is taken along, and loses to what is there', async () => {
  const server = new FakeServer();
  await server.ask('PUT', '/v1/agents/me/drafts/a', {
    body: { mode: 'message', message: 'there', note: '', since: 0, age_ms: 0 },
  });
  const store = new MemoryStore();
  for (const id of ['a', 'b']) {
    await store.set(`draft:${id}`, '{"mode":"message","message":"kept","note":""}');
  }
  const page = await open(server, store);
  await pass(server, SAVED_MS);
  expect([reply(page, 'a'), reply(page, 'b')]).toEqual(['there', 'kept']);
  expect(server.kept.get('b')?.message).toBe('kept');
});
