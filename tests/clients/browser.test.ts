/**
 * Pages of another origin in a real browser: `fetch`, `WebSocket` and socket.io-client. What a page
 * may do depends on its origin alone.
 */

import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launch } from '../browser/kit/people.ts';
import type { Server } from '../browser/kit/server.ts';
import { Site } from '../browser/kit/site.ts';
import { serve, token } from './kit.ts';

const IO = `${import.meta.dirname}/node_modules/socket.io-client/dist/socket.io.min.js`;

/** What the pages have of socket.io-client, which they load as a script. */
declare const io: typeof import('socket.io-client').io;

let browser: Browser;
let server: Server;
let listed: Site;
let unlisted: Site;
let context: BrowserContext;

beforeAll(async () => {
  browser = await launch();
  [listed, unlisted] = await Promise.all([Site.open(() => ''), Site.open(() => '')]);
  const ours = Object.fromEntries(
    ['PHASE5', 'FULLMAG', 'GES', 'TMS', 'LOCALPRO'].map((dialect) => [
      `SWITCHBOARD_DIALECTS_${dialect}_ORIGINS`,
      listed.address,
    ]),
  );
  server = await serve(ours);
  await allowNobody();
});

afterAll(async () => {
  await server.stop();
  await Promise.all([browser.close(), listed.close(), unlisted.close()]);
});

beforeEach(async () => {
  context = await browser.newContext();
});

afterEach(() => context.close());

/** The demo's widget is for every page of this machine; it is for none of them now. */
async function allowNobody(): Promise<void> {
  const path = `${server.address}/v1/widgets/demo/settings`;
  const headers = { authorization: `Bearer ${token('9', 'admin')}`, 'if-match': '*' };
  const { settings } = (await (await fetch(path, { headers })).json()) as { settings: object };
  const body = JSON.stringify({ ...settings, allowed_origins: ['https://shop.example'] });
  const json = { ...headers, 'content-type': 'application/json' };
  const answer = await fetch(path, { method: 'PUT', headers: json, body });
  expect(answer.status, await answer.text()).toBe(200);
}

async function open(site: Site): Promise<Page> {
  const page = await context.newPage();
  await page.goto(site.address);
  await page.addScriptTag({ path: IO });
  return page;
}

/** Starts a chat of GES, answers it as an admin, and reads it: or says why it may not. */
function byFetch(page: Page): Promise<string> {
  return page.evaluate(
    async ({ address, bearer }) => {
      const json = { 'content-type': 'application/json' };
      const ask = async (path: string, init: RequestInit = {}) => {
        const answer = await fetch(address + path, { credentials: 'include', ...init });
        if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
        return (await answer.json()).data;
      };
      try {
        const said = JSON.stringify({ visitorName: 'A page', message: 'question' });
        const chat = await ask('/api/v1/chat', { method: 'POST', headers: json, body: said });
        await ask('/api/v1/admin/chat', {
          method: 'PATCH',
          headers: { ...json, authorization: `Bearer ${bearer}` },
          body: JSON.stringify({ chatId: chat.id, status: 'ACTIVE' }),
        });
        const read = await ask(`/api/v1/chat?sessionId=${chat.sessionId}`);
        return `${read.status}: ${read.messages[0].message}`;
      } catch (error) {
        return String(error);
      }
    },
    { address: server.address, bearer: token('3', 'agent') },
  );
}

/** Talks on a WebSocket of TMS: says what comes back to a ping, or that it ended. */
function byWebSocket(page: Page): Promise<string> {
  return page.evaluate(
    ({ address, bearer }) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(`${address.replace('http', 'ws')}/v1/chat/ws?token=${bearer}`);
        socket.onopen = () => socket.send('{"type":"ping"}');
        socket.onmessage = (event) => resolve(JSON.parse(event.data).type);
        socket.onclose = () => resolve('closed');
      }),
    { address: server.address, bearer: token('1', 'customer') },
  );
}

/**
 * Begins a session of LocalPro under a label that its cookie alone opens, and is answered by an
 * agent in the same page: says what each heard and how the session reads, or why it may not.
 */
function byLocalpro(page: Page, credentials: RequestCredentials = 'include'): Promise<string> {
  return page.evaluate(
    async ({ address, bearer, credentials }) => {
      const json = { 'content-type': 'application/json' };
      const ask = async (path: string, said?: object, headers: object = json) => {
        const sent = said && { method: 'POST', headers, body: JSON.stringify(said) };
        const answer = await fetch(address + path, { credentials, ...(sent as RequestInit) });
        if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
        return (await answer.json()).data;
      };
      const sockets = `${address.replace('http', 'ws')}/ws/live-chat`;
      const hears = (socket: WebSocket, type: string) =>
        new Promise<{ message: { content: string } }>((resolve, reject) => {
          socket.addEventListener('message', (event) => {
            const frame = JSON.parse(event.data);
            if (frame.type === type) resolve(frame);
          });
          socket.addEventListener('close', () => reject(new Error(`no ${type}`)));
        });
      try {
        const desk = new WebSocket(`${sockets}?admin=true&userId=3`, ['bearer', bearer]);
        await hears(desk, 'connection_established');
        const sessionId = `session-${Date.now()}`;
        const sessions = '/api/live-chat/sessions';
        const user = { name: 'A page', email: 'page@example.com' };
        await ask(sessions, { sessionId, user });
        // Without the cookie this is refused already.
        await ask(`${sessions}/${sessionId}`);
        const chat = new WebSocket(`${sockets}?sessionId=${sessionId}`);
        await hears(chat, 'connection_established');
        const asked = hears(desk, 'user_message');
        const answered = hears(chat, 'agent_message');
        await ask(`${sessions}/${sessionId}/messages`, { content: 'question' });
        const question = (await asked).message.content;
        const reply = `/api/admin/live-chat/sessions/${sessionId}/reply`;
        await ask(reply, { content: 'answer' }, { ...json, authorization: `Bearer ${bearer}` });
        const answer = (await answered).message.content;
        const read: { type: string }[] = await ask(`${sessions}/${sessionId}/messages`);
        return `${question}, ${answer}: ${read.map(({ type }) => type)}`;
      } catch (error) {
        return String(error);
      }
    },
    { address: server.address, bearer: token('3', 'support'), credentials },
  );
}

/** Enters a namespace: says how, or why not. */
function bySocketIo(page: Page, namespace: string, transports: string[]): Promise<string> {
  return page.evaluate(
    ({ url, bearer, transports }) =>
      new Promise<string>((resolve) => {
        const socket = io(url, {
          auth: { token: bearer },
          transports,
          reconnection: false,
          withCredentials: true,
        });
        socket.once('connect', async () => {
          const answer = await socket.emitWithAck('no:such_event', {});
          if (transports.length > 1 && socket.io.engine.transport.name === 'polling') {
            await new Promise((done) => socket.io.engine.once('upgrade', done));
          }
          resolve(`${socket.io.engine.transport.name}: ${answer.message}`);
          socket.disconnect();
        });
        socket.once('connect_error', (error) => resolve(error.message));
      }),
    { url: server.address + namespace, bearer: token('1', 'customer'), transports },
  );
}

describe('a page whose origin is on the lists', () => {
  test('asks and is answered, with preflights', async () => {
    expect(await byFetch(await open(listed))).toBe('ACTIVE: question');
  });

  test('opens a WebSocket', async () => {
    expect(await byWebSocket(await open(listed))).toBe('pong');
  });

  test('begins a session, shows its cookie with requests and on the socket', async () => {
    const page = await open(listed);
    expect(await byLocalpro(page)).toBe('question, answer: system,user,agent');
    // The label alone opens nothing.
    expect(await byLocalpro(page, 'omit')).toMatch(/: 404$/);
  });

  test.each([['/'], ['/chat']])('enters %s over every transport', async (namespace) => {
    const page = await open(listed);
    for (const [transports, used] of [
      [['websocket'], 'websocket'],
      [['polling'], 'polling'],
      [['polling', 'websocket'], 'websocket'],
    ] as const) {
      const said = await bySocketIo(page, namespace, [...transports]);
      expect(said).toBe(`${used}: there is no such event`);
    }
  });
});

describe('a page whose origin is on no list', () => {
  test('may not read what it asked', async () => {
    expect(await byFetch(await open(unlisted))).toMatch(/^TypeError: Failed to fetch/);
  });

  test('has no desk and begins no session', async () => {
    expect(await byLocalpro(await open(unlisted))).toBe('Error: no connection_established');
  });

  test('opens no WebSocket', async () => {
    expect(await byWebSocket(await open(unlisted))).toBe('closed');
  });

  test.each([['/'], ['/chat']])('does not enter %s', async (namespace) => {
    const page = await open(unlisted);
    for (const transport of ['websocket', 'polling']) {
      expect(await bySocketIo(page, namespace, [transport])).toMatch(
        /^(websocket|xhr poll) error$/,
      );
    }
  });
});
