import { expect, test } from 'vitest';
import { MemoryStorage } from '../test/fake/storage.ts';
import { Refusal } from './api.ts';
import { type Me, type Request, Session } from './session.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const ADA: Me['principal'] = { kind: 'agent', id: 'a', name: 'Ada', role: 'admin' };

interface Asked {
  path: string;
  token: string | undefined;
  csrf: string | undefined;
}

/** A server on which Ada has a cookie session, and whose clock is told. */
function makeServer() {
  const server = {
    asked: [] as Asked[],
    now: NOW,
    status: 200,
    request: (async (_method, path, _asking, { token, csrf }) => {
      server.asked.push({ path, token, csrf });
      if (server.status !== 200) throw new Refusal(server.status, 'refused', '', null);
      const expires_at = new Date(server.now + 3_600_000).toISOString();
      const answers: Record<string, object> = {
        '/v1/auth/me': { principal: ADA, csrf: 'csrf-1' },
        '/v1/demo/sign-in': { token: `token-${server.asked.length}`, expires_at, principal: ADA },
        '/v1/stream/tickets': { ticket: `sbt_${server.asked.length}`, expires_at },
      };
      return { body: answers[path] ?? {}, etag: null };
    }) as Request,
  };
  return server;
}

function makeHint(signedIn: boolean) {
  const hint = {
    signedIn,
    get: () => hint.signedIn,
    set: (on: boolean) => {
      hint.signedIn = on;
    },
  };
  return hint;
}

test('nobody is asked for when nobody ever signed in here', async () => {
  const server = makeServer();
  const session = new Session(server.request, new MemoryStorage(), makeHint(false), () => NOW);
  await session.begin();
  expect(session.state.value).toBe('out');
  expect(server.asked).toEqual([]);
});

test('a cookie session comes back after a reload, and its requests carry its word against forgery', async () => {
  const server = makeServer();
  const session = new Session(server.request, new MemoryStorage(), makeHint(true), () => NOW);
  await session.begin();
  expect(session.me.value?.principal).toEqual(ADA);
  await session.ask('PUT', '/v1/agents/me/status', { body: {} });
  expect(server.asked.at(-1)).toMatchObject({ token: undefined, csrf: 'csrf-1' });
  expect(await session.credentials()).toEqual({ token: 'sbt_3', expiresAt: null });
  expect(session.may('admin')).toBe(true);
  expect(session.may('owner')).toBe(false);
});

test('a session that ended elsewhere ends here with the first request', async () => {
  const server = makeServer();
  const hint = makeHint(true);
  const session = new Session(server.request, new MemoryStorage(), hint, () => NOW);
  await session.begin();
  server.status = 401;
  await expect(session.ask('GET', '/v1/agents')).rejects.toMatchObject({ status: 401 });
  expect(session.state.value).toBe('out');
  expect(hint.signedIn).toBe(false);
});

test('a server that does not answer is no reason to be signed out', async () => {
  const server = makeServer();
  const hint = makeHint(true);
  const session = new Session(server.request, new MemoryStorage(), hint, () => NOW);
  server.status = 0;
  await session.begin();
  expect(session.state.value).toBe('unreachable');
  expect(hint.signedIn).toBe(true);
  await expect(session.ask('GET', '/v1/agents')).rejects.toMatchObject({ status: 0 });
  server.status = 200;
  await session.begin();
  expect(session.state.value).toBe('in');
});

test('a person of the demo is of this tab, and the token is renewed before it ends', async () => {
  const server = makeServer();
  const tab = new MemoryStorage();
  const session = new Session(server.request, tab, makeHint(false), () => server.now);
  await session.signInDemo('ada');
  expect(session.me.value?.principal.name).toBe('Ada');
  const again = new Session(server.request, tab, makeHint(false), () => server.now);
  await again.begin();
  expect(again.state.value).toBe('in');
  expect((await again.credentials())?.token).toBe('token-1');
  server.now += 3_590_000;
  expect((await again.credentials())?.token).toBe('token-2');
  await again.signOut();
  expect(again.state.value).toBe('out');
  const later = new Session(server.request, tab, makeHint(false), () => server.now);
  await later.begin();
  expect(later.state.value).toBe('out');
});
