import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import type { Link } from '../client/connection.ts';
import { Problem } from '../client/http.ts';
import { FakeClock, MemoryStore, settle } from '../test/fake/ports.ts';
import { openPrefs, type Prefs, rereadPrefs } from './prefs.ts';
import { Profile } from './profile.ts';

/** More than a change waits for others to go with it. */
const SAVED_MS = 1_000;
/** More than what failed waits for its next try. */
const RETRIED_MS = 31_000;

type Values = Record<string, unknown>;
type Said = { body?: { values: Values } };

/** One person's preferences as the server keeps them, and whoever is told of changes. */
class FakeProfile {
  version = 0;
  values: Values = {};
  readonly requests: string[] = [];
  failure: Problem | null = null;
  readonly told: ReturnType<typeof signal<number>>[] = [];

  async ask(method: string, _path: string, { body }: Said = {}): Promise<unknown> {
    this.requests.push(method === 'GET' ? 'GET' : JSON.stringify(body?.values));
    await settle();
    if (this.failure !== null) throw this.failure;
    if (body !== undefined) {
      this.values = { ...this.values, ...structuredClone(body.values) };
      this.version += 1;
      for (const told of this.told) told.value = this.version;
    }
    return { body: { version: this.version, values: structuredClone(this.values) } };
  }
}

interface Page {
  prefs: Prefs;
  profile: Profile;
  clock: FakeClock;
  refused: number;
  link(ready: boolean): Promise<void>;
}

/** One browser; its pages share what it keeps. */
class Browser {
  readonly store = new MemoryStore();
  readonly #server: FakeProfile;

  constructor(server: FakeProfile) {
    this.#server = server;
  }

  of(person: string): MemoryStore {
    const { texts } = this.store;
    const own = new MemoryStore();
    const prefix = `${person}:`;
    own.get = async (key) => texts.get(prefix + key) ?? null;
    own.set = async (key, text) => void texts.set(prefix + key, text);
    own.remove = async (key) => void texts.delete(prefix + key);
    own.keys = async (start) =>
      [...texts.keys()]
        .filter((key) => key.startsWith(prefix + start))
        .map((key) => key.slice(prefix.length));
    return own;
  }

  async open(person = 'ada', ready = true): Promise<Page> {
    const prefs = await openPrefs(this.store);
    const clock = new FakeClock();
    const link = signal({ state: ready ? 'ready' : 'waiting' } as Link);
    const told = signal(0);
    this.#server.told.push(told);
    const page: Page = {
      prefs,
      clock,
      refused: 0,
      profile: await Profile.open({
        prefs,
        person,
        store: this.of(person),
        clock,
        ask: ((method: string, path: string, asking?: Said) =>
          this.#server.ask(method, path, asking)) as never,
        link,
        told,
        onRefused: () => {
          page.refused += 1;
        },
      }),
      link: async (is) => {
        link.value = { state: is ? 'ready' : 'waiting' } as Link;
        await clock.pass(0);
        await clock.pass(0);
      },
    };
    await clock.pass(0);
    await clock.pass(0);
    return page;
  }
}

test('what is changed here is saved after a pause, all of it together, and only that', async () => {
  const server = new FakeProfile();
  const page = await new Browser(server).open();
  for (const seconds of [1, 2, 3]) page.prefs.undoS.value = seconds;
  page.prefs.theme.value = 'dark';
  page.prefs.volume.value = 0.1;
  page.prefs.listPx.value = 500;
  expect(server.requests).toEqual(['GET']);
  await page.clock.pass(SAVED_MS);
  expect(server.requests).toEqual(['GET', '{"undoS":3,"theme":"dark"}']);
});

test('a page shows at once what the same person changes elsewhere, and asks once', async () => {
  const server = new FakeProfile();
  const [here, there] = [await new Browser(server).open(), await new Browser(server).open()];
  server.requests.length = 0;
  here.prefs.theme.value = 'dark';
  await here.clock.pass(SAVED_MS);
  await there.clock.pass(0);
  expect(there.prefs.theme.value).toBe('dark');
  // One saves, the other reads; neither does so again because of what it is told.
  await Promise.all([here.clock.pass(RETRIED_MS), there.clock.pass(RETRIED_MS)]);
  expect(server.requests).toEqual(['{"theme":"dark"}', 'GET']);
});

test('two browsers that change two things lose neither; in one thing the later counts', async () => {
  const server = new FakeProfile();
  const [here, there] = [await new Browser(server).open(), await new Browser(server).open()];
  here.prefs.theme.value = 'dark';
  here.prefs.undoS.value = 4;
  there.prefs.density.value = 'compact';
  there.prefs.undoS.value = 8;
  await here.clock.pass(SAVED_MS);
  await there.clock.pass(SAVED_MS);
  await here.clock.pass(0);
  for (const { prefs } of [here, there]) {
    expect([prefs.theme.value, prefs.density.value, prefs.undoS.value]).toEqual([
      'dark',
      'compact',
      8,
    ]);
  }
});

test('what is changed offline counts here, outlives the page, and is saved with the next connection', async () => {
  const server = new FakeProfile();
  const browser = new Browser(server);
  const page = await browser.open();
  await page.link(false);
  server.failure = new Problem(0, 'unreachable');
  page.prefs.theme.value = 'dark';
  await page.clock.pass(SAVED_MS);
  expect(page.prefs.theme.value).toBe('dark');
  page.profile.close();
  server.failure = null;
  // Elsewhere somebody changes the same, and something else, before this one is back.
  server.values = { theme: 'light', density: 'compact' };
  server.version = 5;

  const later = await browser.open();
  expect([later.prefs.theme.value, later.prefs.density.value]).toEqual(['dark', 'compact']);
  expect(server.values).toEqual({ theme: 'dark', density: 'compact' });
  expect([...browser.store.texts.keys()]).toEqual(['prefs']);
});

test('a page that was away reads what it missed, also when the server was set back', async () => {
  const server = new FakeProfile();
  const page = await new Browser(server).open();
  page.prefs.theme.value = 'dark';
  await page.clock.pass(SAVED_MS);
  await page.link(false);
  server.values = { undoS: 7 };
  server.version = 0;
  server.requests.length = 0;
  await page.link(true);
  expect([page.prefs.theme.value, page.prefs.undoS.value]).toEqual(['system', 7]);
  expect(server.requests).toEqual(['GET']);
});

test('what failed is tried again, and what is refused for good is not', async () => {
  const server = new FakeProfile();
  const page = await new Browser(server).open();
  server.failure = new Problem(503, 'busy');
  page.prefs.theme.value = 'dark';
  await page.clock.pass(SAVED_MS);
  server.failure = null;
  await page.clock.pass(RETRIED_MS);
  expect(server.values).toEqual({ theme: 'dark' });
  server.failure = new Problem(422, 'invalid');
  page.prefs.keys.value = { Resolve: ['x'] };
  await page.clock.pass(SAVED_MS);
  server.requests.length = 0;
  await page.clock.pass(RETRIED_MS);
  expect([page.refused, server.requests]).toEqual([1, []]);
  expect(page.prefs.keys.value).toEqual({ Resolve: ['x'] });
});

test('what is of another version or nonsense is as usual here, and stays there', async () => {
  const server = new FakeProfile();
  server.values = { theme: 7, sounds: { waiting: 'drop' }, hologram: true, undoS: 5 };
  server.version = 3;
  const page = await new Browser(server).open();
  expect([page.prefs.theme.value, page.prefs.sounds.value.waiting, page.prefs.undoS.value]).toEqual(
    ['system', 'chime', 5],
  );
  await page.clock.pass(RETRIED_MS);
  expect(server.requests).toEqual(['GET']);
});

test('two people of one browser each have what is theirs', async () => {
  const server = new FakeProfile();
  const browser = new Browser(server);
  const ada = await browser.open('ada');
  ada.prefs.theme.value = 'dark';
  ada.prefs.volume.value = 0.2;
  await ada.clock.pass(SAVED_MS);
  ada.profile.close();
  const ofBen = new FakeProfile();
  ofBen.failure = new Problem(0, 'unreachable');
  const next = new Browser(ofBen);
  for (const [key, text] of browser.store.texts) next.store.texts.set(key, text);
  const ben = await next.open('ben');
  // Before the server has answered, too; the speakers are the same.
  expect([ben.prefs.theme.value, ben.prefs.volume.value]).toEqual(['system', 0.2]);
  ofBen.failure = null;
  await ben.clock.pass(RETRIED_MS);
  expect(ofBen.values).toEqual({});
});

test('what a browser kept before there were profiles is taken along, unless the profile knows better', async () => {
  const server = new FakeProfile();
  server.values = { density: 'comfortable' };
  server.version = 1;
  const browser = new Browser(server);
  await browser.store.set('prefs', '{"theme":"dark","density":"compact","undoS":0}');
  const page = await browser.open();
  expect(server.values).toEqual({ density: 'comfortable', theme: 'dark' });
  expect(page.prefs.density.value).toBe('comfortable');
});

test('what another tab of the browser changed is saved by that tab alone', async () => {
  const server = new FakeProfile();
  const browser = new Browser(server);
  const [tab, other] = [await browser.open(), await browser.open()];
  server.requests.length = 0;
  tab.prefs.theme.value = 'dark';
  await rereadPrefs(other.prefs, browser.store);
  expect(other.prefs.theme.value).toBe('dark');
  await other.clock.pass(SAVED_MS);
  expect(server.requests).toEqual([]);
  await tab.clock.pass(SAVED_MS);
  expect(server.requests[0]).toBe('{"theme":"dark"}');
});
