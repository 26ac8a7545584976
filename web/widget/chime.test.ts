import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { KeyStore } from '../client/ports.ts';
import { MemoryStore } from '../test/fake/ports.ts';

/** How many tones were played, of which each chime has two. */
let tones = 0;
/** What a page waits for that may not sound. */
let allowed: Promise<void>;

class FakeAudio {
  currentTime = 0;
  resume = () => allowed;
  destination = {};
  createGain = () => ({
    gain: { setValueAtTime: () => {}, exponentialRampToValueAtTime: () => {} },
    connect: () => {},
  });
  createOscillator = () => ({
    frequency: { value: 0 },
    connect: (to: object) => to,
    start: () => {
      tones += 1;
    },
    stop: () => {},
  });
}

beforeEach(() => {
  tones = 0;
  allowed = Promise.resolve();
  vi.useFakeTimers();
  vi.stubGlobal('AudioContext', FakeAudio);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A page of its own, with the storage of its site. */
async function page(store: KeyStore): Promise<(event?: string) => Promise<void>> {
  vi.resetModules();
  const { chime } = await import('./chime.ts');
  return (event) => chime({ store }, event);
}

test('of several pages of a site one sounds', async () => {
  const store = new MemoryStore();
  const pages = [await page(store), await page(store), await page(store)];
  const all = pages.map((chime) => chime('event-2'));
  expect(tones).toBe(0);
  await vi.advanceTimersByTimeAsync(1_000);
  await Promise.all(all);
  expect(tones).toBe(2);
  const again = pages.map((chime) => chime('event-3'));
  await vi.advanceTimersByTimeAsync(1_000);
  await Promise.all(again);
  expect(tones).toBe(4);
});

test('a page that is slow to begin is silent where another has sounded', async () => {
  const store = new MemoryStore();
  const [quick, slow] = [await page(store), await page(store)];
  for (const event of ['event-2', 'event-3']) {
    tones = 0;
    const asked = [quick(event)];
    await vi.advanceTimersByTimeAsync(700);
    expect(tones).toBe(2);
    asked.push(slow(event), slow('event-1'));
    await vi.advanceTimersByTimeAsync(1_000);
    await Promise.all(asked);
    expect(tones).toBe(2);
  }
});

test.each([
  ['event-2', 0],
  ['event-3', 0],
  ['event-1', 2],
])('an event is not heard when another page has read it: %s', async (read, heard) => {
  const store = new MemoryStore();
  const chime = await page(store);
  await store.set('read', 'event-0');
  const asked = chime('event-2');
  await vi.advanceTimersByTimeAsync(300);
  await store.set('read', read);
  await vi.advanceTimersByTimeAsync(1_000);
  await asked;
  expect(tones).toBe(heard);
});

test('who turns the sound on hears it at once', async () => {
  const chime = await page(new MemoryStore());
  await chime();
  expect(tones).toBe(2);
});

test('a page that may not sound leaves it to one that may, and makes up for nothing', async () => {
  const store = new MemoryStore();
  const [may, mayNot] = [await page(store), await page(store)];
  let click = () => {};
  const asked = may('event-1');
  allowed = new Promise((resolve) => {
    click = resolve;
  });
  const waits = mayNot('event-1');
  await vi.advanceTimersByTimeAsync(10_000);
  await asked;
  expect(tones).toBe(2);
  click();
  await waits;
  expect(tones).toBe(2);
});

test('a browser that cannot sound is silent, and leaves it to one that can', async () => {
  const store = new MemoryStore();
  const can = await page(store);
  const cannot = await page(store);
  vi.stubGlobal('AudioContext', undefined);
  await expect(cannot('event-1')).resolves.toBeUndefined();
  vi.stubGlobal('AudioContext', FakeAudio);
  allowed = Promise.reject(new DOMException('no device', 'InvalidStateError'));
  await expect(cannot('event-1')).resolves.toBeUndefined();
  expect(store.texts.size).toBe(0);
  allowed = Promise.resolve();
  const asked = can('event-1');
  await vi.advanceTimersByTimeAsync(1_000);
  await asked;
  expect(tones).toBe(2);
});

test('where nothing can be kept each page sounds for itself', async () => {
  const denied: KeyStore = {
    get: async () => null,
    set: async () => {},
    remove: async () => {},
    keys: async () => [],
  };
  const pages = [await page(denied), await page(denied)];
  const all = pages.map((chime) => chime('event-1'));
  await vi.advanceTimersByTimeAsync(1_000);
  await Promise.all(all);
  expect(tones).toBe(4);
});
