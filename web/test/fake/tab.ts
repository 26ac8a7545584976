/** A tab of a page: a client over the fake server, which can die and be opened again. */

import { AgentClient } from '../../client/agent.ts';
import { claimDevice } from '../../client/device.ts';
import type { Locks } from '../../client/ports.ts';
import { type FakeClock, idsFrom, type MemoryLocks, type MemoryStore } from './ports.ts';
import type { FakeServer } from './server.ts';

export interface World {
  clock: FakeClock;
  server: FakeServer;
  store: MemoryStore;
  locks: MemoryLocks;
  random(): number;
}

export interface Tab {
  client: AgentClient;
  /** Dies without a word: nothing is saved or sent any more. */
  die(): void;
}

let tabs = 0;

export async function openTab(world: World): Promise<Tab> {
  const locks: Locks & { die(): void } = world.locks.tab();
  const newId = idsFrom(`tab${++tabs}`);
  let alive = true;
  const ports = {
    clock: {
      now: () => world.clock.now(),
      after: (ms: number, run: () => void) => world.clock.after(ms, () => alive && run()),
    },
    open: world.server.open,
    random: world.random,
    newId,
    store: {
      get: (key: string) => world.store.get(key),
      set: async (key: string, text: string) => {
        if (alive) await world.store.set(key, text);
      },
      remove: (key: string) => world.store.remove(key),
      keys: (prefix: string) => world.store.keys(prefix),
    },
    locks,
  };
  const devices = await claimDevice(ports.store, locks, newId);
  const client = new AgentClient({
    ports,
    devices,
    side: 'agent',
    credentials: async () => ({ token: 'token', expiresAt: null }),
  });
  await client.restore();
  client.connect();
  return {
    client,
    die: () => {
      client.stop();
      alive = false;
      locks.die();
    },
  };
}
