import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import type { PresenceStatus } from '../client/frames.ts';
import { FakeClock } from '../test/fake/ports.ts';
import { Idle, WARNING_MS } from './idle.ts';

const MINUTE_MS = 60_000;

/** A browser with a person in it; the server does as it is asked, and tells every tab. */
function make(chosen: PresenceStatus | null = 'online', minutes = 10) {
  const clock = new FakeClock();
  const status = signal<PresenceStatus | null>(chosen);
  const preference = signal(minutes);
  const set: PresenceStatus[] = [];
  const tabs: Idle[] = [];
  let text: string | null = null;
  const open = () => {
    const tab: Idle = new Idle({
      clock,
      minutes: preference,
      status,
      setStatus: (next) => {
        set.push(next);
        status.value = next;
      },
      shared: {
        get: () => text,
        set: (next) => {
          if (next === text) return;
          text = next;
          for (const other of tabs) if (other !== tab) other.heard();
        },
      },
    });
    tabs.push(tab);
    return tab;
  };
  const shut = (tab: Idle) => {
    tab.close();
    tabs.splice(tabs.indexOf(tab), 1);
  };
  return { clock, status, preference, set, open, shut };
}

test('first a warning, a minute later away, and back with the first touch', async () => {
  const { clock, set, open } = make();
  const tab = open();
  await clock.pass(10 * MINUTE_MS - 1);
  expect(tab.warning.value).toBe(null);
  await clock.pass(1);
  expect(tab.warning.value).toBe(clock.now() + WARNING_MS);
  await clock.pass(WARNING_MS - 1);
  expect(set).toEqual([]);
  await clock.pass(1);
  expect([set, tab.warning.value]).toEqual([['away'], null]);
  await clock.pass(60 * MINUTE_MS);
  expect(set).toEqual(['away']);
  tab.touched();
  expect(set).toEqual(['away', 'online']);
  await clock.pass(10 * MINUTE_MS);
  expect(tab.warning.value).not.toBe(null);
});

test('a touch takes the warning away, and counts anew', async () => {
  const { clock, set, open } = make();
  const tab = open();
  await clock.pass(10 * MINUTE_MS + 30_000);
  tab.touched();
  expect(tab.warning.value).toBe(null);
  await clock.pass(9 * MINUTE_MS);
  expect([set, tab.warning.value]).toEqual([[], null]);
});

test('who was busy is busy again', async () => {
  const { clock, set, open } = make('busy');
  const tab = open();
  await clock.pass(11 * MINUTE_MS);
  tab.touched();
  expect(set).toEqual(['away', 'busy']);
});

test.each<PresenceStatus>(['away', 'offline'])('who chose to be %s stays so', async (chosen) => {
  const { clock, set, open } = make(chosen);
  const tab = open();
  await clock.pass(60 * MINUTE_MS);
  tab.touched();
  expect([set, tab.warning.value]).toEqual([[], null]);
});

test('what was chosen elsewhere meanwhile stays', async () => {
  const { clock, status, set, open } = make();
  const tab = open();
  await clock.pass(11 * MINUTE_MS);
  status.value = 'offline';
  tab.touched();
  expect(set).toEqual(['away']);
});

test('a touch in one tab counts in the other, and takes its warning away', async () => {
  const { clock, set, open } = make();
  const [one, other] = [open(), open()];
  await clock.pass(9 * MINUTE_MS);
  one.touched();
  await clock.pass(5 * MINUTE_MS);
  expect(other.warning.value).toBe(null);
  await clock.pass(5 * MINUTE_MS);
  expect([one.warning.value, other.warning.value]).not.toContain(null);
  other.touched();
  expect([one.warning.value, other.warning.value]).toEqual([null, null]);
  expect(set).toEqual([]);
});

test('two tabs set away once, and either brings back', async () => {
  const { clock, set, open } = make();
  const [, other] = [open(), open()];
  await clock.pass(12 * MINUTE_MS);
  expect(set).toEqual(['away']);
  other.touched();
  expect(set).toEqual(['away', 'online']);
});

test('a page that is loaded anew brings back whom the one before set away', async () => {
  const { clock, set, open, shut } = make();
  shut(open());
  const tab = open();
  await clock.pass(11 * MINUTE_MS);
  shut(tab);
  const next = open();
  expect(set).toEqual(['away']);
  next.touched();
  expect(set).toEqual(['away', 'online']);
});

test('many touches are told seldom', async () => {
  const { clock, open } = make();
  const tab = open();
  let told = 0;
  const other = open();
  other.heard = () => {
    told += 1;
  };
  for (let n = 0; n < 100; n += 1) {
    tab.touched();
    await clock.pass(100);
  }
  expect(told).toBeGreaterThan(0);
  expect(told).toBeLessThanOrEqual(2);
});

test('never is never, and a setting counts from now on', async () => {
  const { clock, preference, set, open } = make('online', 0);
  const tab = open();
  await clock.pass(60 * MINUTE_MS);
  expect([set, tab.warning.value]).toEqual([[], null]);
  preference.value = 10;
  expect(tab.warning.value).toBe(clock.now() + WARNING_MS);
  tab.touched();
  preference.value = 0;
  await clock.pass(60 * MINUTE_MS);
  expect(set).toEqual([]);
});

test.each(['', '{', '[]', '{"touchedAt":"x","before":"admin"}', '{"touchedAt":9e15}'])(
  'what cannot be read is nothing: %j',
  async (kept) => {
    const clock = new FakeClock();
    const set: PresenceStatus[] = [];
    const tab = new Idle({
      clock,
      minutes: signal(5),
      status: signal<PresenceStatus | null>('online'),
      setStatus: (next) => set.push(next),
      shared: { get: () => kept, set: () => {} },
    });
    tab.touched();
    await clock.pass(5 * MINUTE_MS);
    expect(tab.warning.value).not.toBe(null);
    expect(set).toEqual([]);
  },
);
