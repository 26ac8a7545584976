import { expect, test } from 'vitest';
import { FakeClock } from '../test/fake/ports.ts';
import { FakeServer } from '../test/fake/server.ts';
import { Connection } from './connection.ts';
import type { Credentials } from './ports.ts';

const HOUR_MS = 3_600_000;

function makeConnection(lifetimeMs: number) {
  const clock = new FakeClock();
  const server = new FakeServer(clock);
  const lost: number[] = [];
  const state = {
    /** What asking for credentials does: give them, fail for now, or for good. */
    credentials: 'give' as 'give' | 'fail' | 'refuse',
    asked: 0,
  };
  const connection = new Connection({
    clock,
    open: server.open,
    random: () => 0.5,
    device: 'device',
    credentials: async (): Promise<Credentials | null> => {
      state.asked += 1;
      if (state.credentials === 'fail') throw new Error('unreachable');
      if (state.credentials === 'refuse') return null;
      return { token: `token-${state.asked}`, expiresAt: clock.now() + lifetimeMs };
    },
    onReady: () => {},
    onFrame: () => {},
    onLost: () => lost.push(clock.now()),
  });
  const tokens = () =>
    server.received.flatMap((frame) => (frame.type === 'hello' ? [frame.token] : []));
  return { clock, server, connection, state, lost, tokens };
}

test('a token is renewed on the same socket before it ends, again and again', async () => {
  const { clock, connection, lost, tokens } = makeConnection(HOUR_MS);
  connection.start();
  await clock.pass(HOUR_MS - 61_000);
  expect(tokens()).toEqual(['token-1']);
  await clock.pass(2_000);
  expect(tokens()).toEqual(['token-1', 'token-2']);
  await clock.pass(2 * HOUR_MS);
  expect(tokens().length).toBe(4);
  expect(lost).toEqual([]);
});

test('a renewal that fails is tried again while the token holds', async () => {
  const { clock, connection, state, lost, tokens } = makeConnection(HOUR_MS);
  connection.start();
  await clock.pass(1_000);
  state.credentials = 'fail';
  await clock.pass(HOUR_MS - 61_000 + 25_000);
  state.credentials = 'give';
  await clock.pass(20_000);
  expect(tokens().length).toBe(2);
  expect(lost).toEqual([]);
});

test('without credentials for now it tries later; without any it stops', async () => {
  const { clock, connection, state, tokens } = makeConnection(HOUR_MS);
  state.credentials = 'fail';
  connection.start();
  await clock.pass(20_000);
  expect(state.asked).toBeGreaterThan(2);
  expect(connection.link.peek().state).toMatch(/waiting|connecting/);
  state.credentials = 'give';
  await clock.pass(30_000);
  expect(tokens().length).toBe(1);
  state.credentials = 'refuse';
  connection.stop();
  connection.start();
  await clock.pass(1_000);
  expect(connection.link.peek()).toEqual({ state: 'stopped', code: 4500 });
});

test('a server that accepts and says nothing is given up', async () => {
  const { clock, server, connection } = makeConnection(HOUR_MS);
  server.mute = true;
  connection.start();
  await clock.pass(9_900);
  expect(connection.link.peek().state).toBe('connecting');
  server.mute = false;
  await clock.pass(1_000);
  expect(connection.link.peek().state).toBe('ready');
});

test('pings are answered, and nonsense is passed over', async () => {
  const { clock, server, connection, lost } = makeConnection(HOUR_MS);
  connection.start();
  await clock.pass(100);
  server.say({ type: 'ping' });
  for (const odd of [{ type: 'sparkle' }, { no: 'type' }, []]) server.say(odd as never);
  await clock.pass(100);
  expect(server.received.filter((frame) => frame.type === 'pong').length).toBe(1);
  expect(connection.link.peek().state).toBe('ready');
  expect(lost).toEqual([]);
});
