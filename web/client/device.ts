/**
 * A device id stands for one outbox. A tab claims one by lock and keeps it while it lives; a tab
 * that finds none free makes its own. What a dead tab left unsent is found by the next one.
 */

import { holdsEntries } from './outbox.ts';
import type { Cancel, KeyStore, Locks } from './ports.ts';

const PREFIX = 'outbox:';

export interface Device {
  id: string;
  release: Cancel;
}

export interface Claimed {
  own: Device;
  /** Outboxes of dead tabs that hold something; ours to send and to release. */
  orphans: Device[];
}

/** Where the outbox of a device is kept. */
export function outboxKey(device: string): string {
  return PREFIX + device;
}

export async function claimDevice(
  store: KeyStore,
  locks: Locks,
  newId: () => string,
): Promise<Claimed> {
  const free: Device[] = [];
  for (const key of (await store.keys(PREFIX)).sort()) {
    const id = key.slice(PREFIX.length);
    const release = await locks.claim(key);
    if (release !== null) free.push({ id, release });
  }
  const own = free.shift() ?? (await makeDevice(store, locks, newId()));
  const orphans: Device[] = [];
  for (const device of free) {
    // Read after the claim: before it, the other tab could still write.
    if (holdsEntries(await store.get(outboxKey(device.id)))) {
      orphans.push(device);
    } else {
      await store.remove(outboxKey(device.id));
      device.release();
    }
  }
  return { own, orphans };
}

async function makeDevice(store: KeyStore, locks: Locks, id: string): Promise<Device> {
  const release = await locks.claim(outboxKey(id));
  // Nobody waits for it: whatever is stored or read next is so after it.
  void store.set(outboxKey(id), '[]');
  return { id, release: release ?? (() => {}) };
}
