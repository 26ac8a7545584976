import { expect, test } from 'vitest';
import { FakeServer, refuse } from '../test/fake/api.ts';
import { Refusal } from './api.ts';
import { type Me, Session } from './session.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');

function me(changes: Partial<Me> = {}): Me {
  return {
    principal: { kind: 'agent', id: 'a', name: 'Ada', role: 'admin' },
    tenant: { id: 'default', name: 'Fern & Field' },
    email: 'ada@example.com',
    csrf: 'proof-1',
    via: 'cookie',
    ...changes,
  };
}

function makeStorage() {
  const texts = new Map<string, string>();
  return {
    texts,
    getItem: (key: string) => texts.get(key) ?? null,
    setItem: (key: string, text: string) => void texts.set(key, text),
    removeItem: (key: string) => void texts.delete(key),
  };
}

function makeSession(server: FakeServer, storage = makeStorage()) {
  const clock = { now: NOW };
  const session = new Session(server.request, storage, () => clock.now);
  return { session, storage, clock };
}

const nobody = { me: null, demo: false, setup: false };

test('at the beginning the server says who we are and how one may come in', async () => {
  for (const [value, phase] of [
    [{ ...nobody, me: me() }, 'in'],
    [{ ...nobody, setup: true }, 'out'],
  ] as const) {
    const { session } = makeSession(new FakeServer().on('GET /v1/auth', () => ({ body: value })));
    expect(session.state.peek()).toBe('asking');
    await session.begin();
    expect(session.state.peek()).toBe(phase);
    expect(session.ways.peek()).toEqual({ demo: false, setup: value.setup });
  }
  const { session } = makeSession(new FakeServer().on('GET /v1/auth', () => refuse(0, '')));
  await session.begin();
  expect(session.state.peek()).toBe('unreachable');
});

test('every request carries the proof, and a change its version', async () => {
  const server = new FakeServer()
    .on('POST /v1/auth/login', () => ({ body: me() }))
    .on('GET /v1/agents', () => ({ body: [] }))
    .on('PATCH /v1/agents/b', () => ({ etag: '"2"', value: {} }));
  const { session } = makeSession(server);
  await session.signIn('ada@example.com', 'open sesame please');
  await session.ask('GET', '/v1/agents');
  const reply = await session.ask('PATCH', '/v1/agents/b', { body: {}, ifMatch: '"1"' });
  expect(reply.etag).toBe('"2"');
  const [login, read, change] = server.asked;
  expect(login?.body).toEqual({ email: 'ada@example.com', password: 'open sesame please' });
  expect(read?.proof.csrf).toBe('proof-1');
  expect(change).toMatchObject({ proof: { csrf: 'proof-1' }, ifMatch: '"1"' });
});

test('an end of the sign-in keeps the person, and coming back as them is a renewal', async () => {
  const server = new FakeServer()
    .on('GET /v1/auth', () => ({ body: { ...nobody, me: me() } }))
    .on('GET /v1/agents', () => refuse(401, 'unauthenticated'));
  const { session } = makeSession(server);
  await session.begin();
  await expect(session.ask('GET', '/v1/agents')).rejects.toBeInstanceOf(Refusal);
  expect(session.state.peek()).toBe('expired');
  expect(session.me.peek()?.principal.name).toBe('Ada');
  server.on('POST /v1/auth/login', () => ({ body: me({ csrf: 'proof-2' }) }));
  await session.signIn('ada@example.com', 'open sesame please');
  expect(session.state.peek()).toBe('in');
  expect(session.renewals.peek()).toBe(1);
});

test('somebody else who signs in after the end is no renewal', async () => {
  const server = new FakeServer()
    .on('GET /v1/auth', () => ({ body: { ...nobody, me: me() } }))
    .on('POST /v1/auth/login', () => ({
      body: me({ principal: { kind: 'agent', id: 'b', name: 'Ben', role: 'agent' } }),
    }));
  const { session } = makeSession(server);
  await session.begin();
  session.expired();
  await session.signIn('ben@example.com', 'open sesame please');
  expect(session.renewals.peek()).toBe(0);
  expect(session.me.peek()?.principal.name).toBe('Ben');
});

test('a wrong password ends nothing', async () => {
  const server = new FakeServer()
    .on('GET /v1/auth', () => ({ body: nobody }))
    .on('POST /v1/auth/login', () => refuse(401, 'bad_credentials'));
  const { session } = makeSession(server);
  await session.begin();
  await expect(session.signIn('a@b.c', 'x')).rejects.toMatchObject({ code: 'bad_credentials' });
  expect(session.state.peek()).toBe('out');
});

test('a wrong current password ends nothing either', async () => {
  const server = new FakeServer()
    .on('GET /v1/auth', () => ({ body: { ...nobody, me: me() } }))
    .on('PUT /v1/auth/password', () => refuse(401, 'bad_credentials'));
  const { session } = makeSession(server);
  await session.begin();
  await expect(session.ask('PUT', '/v1/auth/password', { body: {} })).rejects.toThrow();
  expect(session.state.peek()).toBe('in');
});

test('a proof made old by another tab is fetched anew, and the request goes through', async () => {
  const server = new FakeServer()
    .on('POST /v1/auth/login', () => ({ body: me() }))
    .on('GET /v1/auth', () => ({ body: { ...nobody, me: me({ csrf: 'proof-2' }) } }))
    .on('PATCH /v1/agents/me', ({ proof }) =>
      proof.csrf === 'proof-2' ? { body: 'done' } : refuse(403, 'csrf'),
    );
  const { session } = makeSession(server);
  await session.signIn('ada@example.com', 'open sesame please');
  expect((await session.ask('PATCH', '/v1/agents/me', { body: {} })).body).toBe('done');
  const other = me({ principal: { kind: 'agent', id: 'b', name: 'Ben', role: 'agent' } });
  server.on('GET /v1/auth', () => ({ body: { ...nobody, me: other } }));
  server.on('PATCH /v1/agents/me', () => refuse(403, 'csrf'));
  await expect(session.ask('PATCH', '/v1/agents/me', { body: {} })).rejects.toThrow();
  expect(session.state.peek()).toBe('expired');
});

test('the socket gets a ticket; a refused one ends the sign-in, a lost one does not', async () => {
  const server = new FakeServer()
    .on('GET /v1/auth', () => ({ body: { ...nobody, me: me() } }))
    .on('POST /v1/stream/tickets', () => ({ body: { ticket: 'sbt_1' } }));
  const { session } = makeSession(server);
  expect(await session.credentials()).toBe(null);
  await session.begin();
  expect(await session.credentials()).toEqual({ token: 'sbt_1', expiresAt: null });
  server.on('POST /v1/stream/tickets', () => refuse(503, 'busy'));
  await expect(session.credentials()).rejects.toThrow();
  expect(session.state.peek()).toBe('in');
  server.on('POST /v1/stream/tickets', () => refuse(401, 'unauthenticated'));
  expect(await session.credentials()).toBe(null);
  expect(session.state.peek()).toBe('expired');
});

test('the demo is kept for the tab, used while it holds, and renewed as the same person', async () => {
  let issued = 0;
  const { session, storage, clock } = makeSession(new FakeServer());
  const server = new FakeServer()
    .on('POST /v1/demo/sign-in', () => {
      issued += 1;
      const expires_at = new Date(clock.now + 3_600_000).toISOString();
      return { body: { token: `token-${issued}`, expires_at } };
    })
    .on('GET /v1/auth/me', () => ({ body: me({ csrf: null, via: 'token' }) }))
    .on('GET /v1/auth', () => ({
      body: { ...nobody, demo: true, me: me({ csrf: null, via: 'token' }) },
    }));
  expect(session.state.peek()).toBe('asking');
  const now = () => clock.now;
  const first = new Session(server.request, storage, now);
  await first.signInDemo('ada');
  const again = new Session(server.request, storage, now);
  await again.begin();
  expect(again.state.peek()).toBe('in');
  expect((await again.credentials())?.token).toBe('token-1');
  clock.now += 3_590_000;
  expect((await again.credentials())?.token).toBe('token-2');
  expect(server.asked.at(-1)?.body).toEqual({ as: 'ada' });
  await again.signOut();
  expect(again.state.peek()).toBe('out');
  expect(storage.texts.size).toBe(0);
});

test('signing out tells the server, and is true here even when that fails', async () => {
  const server = new FakeServer()
    .on('GET /v1/auth', () => ({ body: { ...nobody, me: me() } }))
    .on('POST /v1/auth/logout', () => refuse(0, ''));
  const { session } = makeSession(server);
  await session.begin();
  expect(await session.signOut()).toBe(false);
  expect(server.routes.at(-1)).toBe('POST /v1/auth/logout');
  expect(session.state.peek()).toBe('out');
  expect(session.me.peek()).toBe(null);
});

test('a role may what the ones below it may', async () => {
  const server = new FakeServer().on('GET /v1/auth', () => ({ body: { ...nobody, me: me() } }));
  const { session } = makeSession(server);
  expect(session.may('agent')).toBe(false);
  await session.begin();
  expect(
    (['agent', 'supervisor', 'admin', 'owner'] as const).map((role) => session.may(role)),
  ).toEqual([true, true, true, false]);
});
