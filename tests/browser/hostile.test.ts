/**
 * Hostile strings through every field that a visitor, an agent or an administrator can set, shown
 * in the widget, the console and its notices: none executes. A careless page for each proves that
 * an execution would be seen.
 */

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { carelessPage, type Hostile, hostileStrings } from './kit/hostile.ts';
import { Agent, type Profile, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

/** Of the careless pages, at least this share must execute. */
const CONTROL_MIN = 0.8;
const NAME_BYTES_MAX = 200;
const LABEL_BYTES_MAX = 64;

const stage = setStage();
/** Whatever asks it for anything was made to by a hostile string. */
let canary: Site;
const asked: string[] = [];
let strings: Hostile[] = [];

beforeAll(async () => {
  canary = await Site.open((path) => {
    asked.push(path);
    return '';
  });
  strings = hostileStrings(canary.address);
});

beforeEach(() => {
  asked.length = 0;
});

afterAll(() => canary.close());

/** Counts executions in every frame of a profile, by the number of the string. */
async function watch(profile: Profile): Promise<Set<number>> {
  const hits = new Set<number>();
  await profile.context.exposeFunction('hit', (id: unknown) => void hits.add(Number(id)));
  profile.context.on('page', (page) => {
    page.on('dialog', (dialog) => {
      hits.add(-1);
      void dialog.dismiss();
    });
  });
  return hits;
}

test('there are at least 300, all different', () => {
  expect(strings.length).toBeGreaterThanOrEqual(300);
  expect(new Set(strings.map(({ text }) => text)).size).toBe(strings.length);
});

test('a careless page executes them, and the harness sees it', async () => {
  const site = await Site.open(() => '<main></main>');
  const profile = await stage.profile();
  // Careless pages fail in many ways.
  profile.expect(/(?:)/);
  const hits = await watch(profile);
  const page = await profile.context.newPage();
  await page.goto(site.address);
  for (let first = 0; first < strings.length; first += 50) {
    const pages = strings.slice(first, first + 50).map(carelessPage);
    await page.evaluate(async (documents) => {
      const main = document.querySelector('main') as HTMLElement;
      main.replaceChildren();
      const frames = documents.map((text) => {
        const frame = document.createElement('iframe');
        frame.srcdoc = text;
        return frame;
      });
      const loaded = frames.map((frame) => {
        return new Promise((resolve) => {
          frame.onload = resolve;
          setTimeout(resolve, 3_000);
        });
      });
      main.append(...frames);
      await Promise.all(loaded);
      for (const frame of frames) {
        for (const element of frame.contentDocument?.querySelectorAll('*') ?? []) {
          for (const name of ['mouseover', 'pointerdown', 'focus']) {
            element.dispatchEvent(new Event(name));
          }
          if (element instanceof (frame.contentWindow as typeof window & Window).HTMLElement) {
            element.click();
          }
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }, pages);
  }
  for (const path of asked) hits.add(Number(/^\/frame\/(\d+)$/.exec(path)?.[1] ?? Number.NaN));
  await site.close();
  const share = strings.filter(({ id }) => hits.has(id)).length / strings.length;
  const missed = strings.filter(({ id }) => !hits.has(id)).map(({ text }) => text);
  expect(share, `not executed: ${missed.slice(0, 20).join('\n')}`).toBeGreaterThanOrEqual(
    CONTROL_MIN,
  );
}, 120_000);

/** What a page must not contain, whatever it was given. */
async function carefullyMade(page: Page): Promise<void> {
  for (const frame of page.frames()) {
    const bad = await frame.evaluate(() => {
      const isBad = (element: Element) =>
        [...element.attributes].some(({ name }) => /^on/i.test(name)) ||
        (element instanceof HTMLAnchorElement &&
          !['https:', 'http:', 'mailto:', 'tel:', ''].includes(element.protocol)) ||
        (element instanceof HTMLScriptElement && !element.src.startsWith(location.origin));
      return [...document.querySelectorAll('*')].filter(isBad).map(({ outerHTML }) => outerHTML);
    });
    expect(bad, frame.url()).toEqual([]);
  }
}

type Call = (
  method: string,
  path: string,
  body: object,
  headers?: Record<string, string>,
) => Promise<{
  status: number;
  body: { [name: string]: unknown };
  etag: string | null;
}>;

/** Calls as Ada, an admin of the demo. */
async function asAda(): Promise<Call> {
  let token = '';
  const call: Call = async (method, path, body, headers = {}) => {
    const response = await fetch(stage.server.address + path, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.json().catch(() => ({}));
    return { status: response.status, body: answer, etag: response.headers.get('etag') };
  };
  token = String((await call('POST', '/v1/demo/sign-in', { as: 'ada' })).body.token);
  return call;
}

/** For each, a few at once. */
async function each<Item>(items: readonly Item[], run: (item: Item) => Promise<void>) {
  for (let first = 0; first < items.length; first += 8) {
    await Promise.all(items.slice(first, first + 8).map(run));
  }
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}

/** Begins a conversation as a visitor whose every field is the string. */
async function begin({ id, text }: Hostile): Promise<string> {
  const ask = async (contact: object, page: string) => {
    const response = await fetch(`${stage.server.address}/v1/conversations`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        // A header takes neither line ends nor what is beyond Latin.
        'user-agent': text.replaceAll(/[^\x20-\x7e]/g, '?'),
      },
      body: JSON.stringify({
        widget: 'demo',
        subject: text,
        contact,
        context: { page, referrer: page, title: text, locale: text },
        fields: { [`f${id}`]: text, [text.slice(0, 60)]: text },
        message: { text: `m${id}: ${text}` },
      }),
    });
    return { status: response.status, body: (await response.json()) as { id: string } };
  };
  // What the server does not take as an address it refuses; the rest must still be shown.
  const contacts = [
    { name: text, email: `${text}@x.example`, phone: text },
    { name: text, email: `${text}@x.example` },
    { name: text, phone: text },
    { name: text },
    {},
  ];
  for (const page of [text, `https://shop.example/?${encodeURIComponent(text)}`]) {
    for (const contact of contacts) {
      const { status, body } = await ask(contact, page);
      if (status === 201) return body.id;
    }
  }
  throw new Error(`no conversation begins with ${JSON.stringify(text)}`);
}

test('none executes in the console, whoever set it', async () => {
  const profile = await stage.profile();
  profile.expect(/Failed to load resource/);
  const hits = await watch(profile);
  const call = await asAda();
  const conversations: { id: string; hostile: Hostile }[] = [];
  await each(strings, async (hostile) => {
    conversations.push({ id: await begin(hostile), hostile });
  });
  let taken = 0;
  const tally = ({ status }: { status: number }) => {
    if (status < 300) taken += 1;
  };
  await each(conversations, async ({ id, hostile }) => {
    const { text } = hostile;
    tally(await call('POST', `/v1/conversations/${id}/notes`, { text: `n${hostile.id}: ${text}` }));
    if (bytes(text) <= LABEL_BYTES_MAX) {
      tally(await call('PATCH', `/v1/conversations/${id}`, { tags: [text] }));
    }
  });
  const names = strings.filter(({ text }) => bytes(text) <= NAME_BYTES_MAX);
  await each(names, async ({ id, text: name }) => {
    const email = `h${id}@x.example`;
    const title = bytes(name) <= LABEL_BYTES_MAX ? { title: name } : {};
    const agent = { external_id: `h${id}`, name, email, role: 'agent', ...title };
    tally(await call('POST', '/v1/agents', agent));
    tally(await call('POST', '/v1/departments', { id: `h${id}`, name }));
    tally(await call('POST', '/v1/keys', { name, scopes: ['agents:read'] }));
    tally(await call('POST', '/v1/widgets', { id: `h${id}`, settings: { name } }));
  });
  expect(taken).toBeGreaterThan(strings.length * 2);

  const ada = await Agent.open(profile, stage.server.address, 'Ada');
  const go = (id: string) =>
    ada.page.evaluate((path) => {
      history.pushState({ at: 1 }, '', path);
      dispatchEvent(new PopStateEvent('popstate', { state: { at: 1 } }));
    }, `/console/c/${id}`);
  for (const { id, hostile } of conversations) {
    await go(id);
    await ada.log.getByText(`m${hostile.id}:`).first().waitFor();
    await carefullyMade(ada.page);
  }
  // What a site says that its visitor did; as many at once as are shown.
  const visitor = await Visitor.open(profile, `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Where I am');
  await visitor.log.getByText('Sent').waitFor();
  const found = async () => {
    const { body } = await call('GET', '/v1/conversations?q=Where+I+am', {});
    return (body.items as { id: string }[])[0]?.id;
  };
  await expect.poll(found).toBeDefined();
  await go((await found()) ?? '');
  await ada.log.getByText('Where I am').waitFor();
  const steps = ada.page.locator('.trail');
  for (let first = 0; first < strings.length; first += 7) {
    const did = strings.slice(first, first + 7).map(({ id, text }) => `d${id}: ${text}`);
    await visitor.page.evaluate((texts) => {
      const { switchboard } = window as unknown as { switchboard(...said: string[]): void };
      for (const text of texts) switchboard('track', text);
    }, did);
    const last = strings[Math.min(first + 6, strings.length - 1)];
    await steps.getByText(`d${last?.id}:`).waitFor();
    await carefullyMade(ada.page);
  }
  for (const place of ['people', 'departments', 'keys', 'widgets']) {
    await ada.page.goto(`${stage.server.address}/console/settings/${place}`);
    await ada.page.getByRole('main').getByRole('listitem').nth(50).waitFor();
    await carefullyMade(ada.page);
    const field = ada.page.getByRole('searchbox');
    for (const { text } of strings.slice(0, 20)) await field.fill(text);
  }
  await carefullyMade(ada.page);
  expect([...hits]).toEqual([]);
  expect(asked).toEqual([]);
}, 600_000);

interface Shown {
  title: string;
  body: string;
}

/** What must not reach a place that takes only text: it would steer the line that it stands in. */
const STEERING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066\u2067]/u;
/** The mark around a name, which may be there once and closed once. */
const ISOLATE = /^\u2068[^\u2068\u2069]*\u2069 is waiting$/;

test('none executes in notifications, and none steers the line it stands in', async () => {
  const profile = await stage.profile();
  const hits = await watch(profile);
  await profile.context.addInitScript(() => {
    // The blank page that a tab begins with has no storage.
    if (location.protocol !== 'http:') return;
    localStorage.setItem(
      'switchboard:console:prefs',
      JSON.stringify({ desktop: { waiting: true, assigned: false, reply: false } }),
    );
    const shown: object[] = [];
    /** Shows nothing and keeps what it was given. */
    class Recorded {
      static permission = 'granted';
      constructor(title: unknown, options: { body?: unknown }) {
        shown.push({ title, body: options.body });
      }
    }
    Object.assign(window, { Notification: Recorded, shown });
    Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
  });
  const ada = await Agent.open(profile, stage.server.address, 'Ada');
  await ada.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  const read = () => ada.page.evaluate(() => (window as unknown as { shown: Shown[] }).shown);
  const call = await asAda();
  // A list is live up to a length, so those that were announced make place for others.
  for (let first = 0; first < strings.length; first += 100) {
    const batch = strings.slice(first, first + 100);
    const ids: string[] = [];
    await each(batch, async (hostile) => {
      ids.push(await begin(hostile));
    });
    await expect.poll(async () => (await read()).length).toBe(first + batch.length);
    await each(ids, async (id) => {
      expect((await call('POST', `/v1/conversations/${id}/close`, {})).status).toBe(200);
    });
    await ada.page.getByText('Nobody is waiting').waitFor();
  }
  const shown = await read();
  for (const { id } of strings) {
    expect(shown.filter(({ body }) => body.startsWith(`m${id}: `))).toHaveLength(1);
  }
  // There is something to keep away.
  expect(strings.some(({ text }) => STEERING.test(text))).toBe(true);
  expect(shown.filter(({ title, body }) => STEERING.test(title + body))).toEqual([]);
  expect(shown.filter(({ title }) => !ISOLATE.test(title))).toEqual([]);
  await carefullyMade(ada.page);
  expect([...hits]).toEqual([]);
  expect(asked).toEqual([]);
}, 300_000);

test('none executes in the widget, whoever set it', async () => {
  const profile = await stage.profile();
  profile.expect(/Failed to load resource/);
  const hits = await watch(profile);
  const call = await asAda();
  const visitor = await Visitor.open(profile, `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Show me everything');
  await visitor.sees('Show me everything');
  let id = '';
  await expect
    .poll(async () => {
      const { body } = await call('GET', '/v1/conversations?q=Show+me+everything', {});
      id = (body.items as { id: string }[])[0]?.id ?? '';
      return id;
    })
    .not.toBe('');
  await call('POST', `/v1/conversations/${id}/accept`, {});
  for (const hostile of strings) {
    const sent = await call('POST', `/v1/conversations/${id}/messages`, {
      text: `m${hostile.id}: ${hostile.text}`,
    });
    expect(sent.status).toBe(201);
  }
  const last = strings.at(-1);
  await visitor.log.getByText(`m${last?.id}:`).waitFor();
  await carefullyMade(visitor.page);

  // Everything an administrator can write into a widget, a batch at a time.
  const short = strings.filter(({ text }) => bytes(text) <= 150).map(({ text }) => text);
  let saved = 0;
  for (let first = 0; first < short.length; first += 40) {
    const batch = short.slice(first, first + 40);
    const [title, welcome, away, ...choices] = batch;
    const fields = choices.slice(0, 7).map((label, at) => ({
      name: `q${at}`,
      label,
      kind: at === 0 ? 'choice' : 'text',
      ...(at === 0 ? { choices: [...new Set(choices.slice(7, 36).map((one) => one.trim()))] } : {}),
    }));
    const { etag, body: before } = await call('GET', '/v1/widgets/demo/settings', {});
    const settings = {
      ...(before.settings as object),
      name: title,
      welcome: welcome?.replaceAll(/[^\P{Cc}\n\t]/gu, ''),
      offline_message: away?.replaceAll(/[^\P{Cc}\n\t]/gu, ''),
      theme: { title },
      prechat: { fields },
    };
    const answer = await call('PUT', '/v1/widgets/demo/settings', settings, {
      'if-match': etag ?? '*',
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    saved += batch.length;
    const other = await profile.context.newPage();
    await other.goto(`${stage.server.address}/demo`);
    await other.evaluate(() => localStorage.clear());
    await other.reload();
    await other.getByRole('button', { name: /chat/i }).click();
    await other.frameLocator('iframe').getByRole('textbox').first().waitFor();
    await carefullyMade(other);
    await other.close();
  }
  expect(saved).toBeGreaterThanOrEqual(300);
  expect([...hits]).toEqual([]);
  expect(asked).toEqual([]);
}, 600_000);
