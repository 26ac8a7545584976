import { expect, test } from 'vitest';
import { MemoryStore } from '../test/fake/ports.ts';
import { openPrefs, rereadPrefs } from './prefs.ts';

test('what is liked is kept', async () => {
  const store = new MemoryStore();
  const prefs = await openPrefs(store);
  expect(store.texts.size).toBe(0);
  prefs.theme.value = 'dark';
  prefs.sounds.value = { ...prefs.sounds.value, reply: 'none' };
  const later = await openPrefs(store);
  expect(later.theme.value).toBe('dark');
  expect(later.sounds.value).toMatchObject({ reply: 'none', waiting: 'chime' });
});

test('chosen keys are kept, and what is no key is not', async () => {
  const store = new MemoryStore();
  const prefs = await openPrefs(store);
  expect(prefs.keys.value).toEqual({});
  prefs.keys.value = { Resolve: ['x'], Reply: [] };
  expect((await openPrefs(store)).keys.value).toEqual({ Resolve: ['x'], Reply: [] });
  await store.set('prefs', '{"keys":{"Resolve":"x","Reply":["q"]}}');
  expect((await openPrefs(store)).keys.value).toEqual({ Reply: ['q'] });
});

test.each(['', '{', 'null', '[]', '{"theme":1,"sounds":{"reply":"drop"},"volume":"loud"}'])(
  'what cannot be read is as usual: %j',
  async (kept) => {
    const store = new MemoryStore();
    await store.set('prefs', kept);
    const prefs = await openPrefs(store);
    expect(prefs.theme.value).toBe('system');
    expect(prefs.sounds.value.waiting).toBe('chime');
    expect(prefs.volume.value).toBe(0.6);
  },
);

test('what another tab changes counts here, and is not written again', async () => {
  const store = new MemoryStore();
  const [tab, other] = [await openPrefs(store), await openPrefs(store)];
  const { keys } = tab;
  const before = keys.value;
  other.volume.value = 0.2;
  other.theme.value = 'dark';
  const kept = store.texts.get('prefs');
  await rereadPrefs(tab, store);
  expect([tab.volume.value, tab.theme.value]).toEqual([0.2, 'dark']);
  expect(keys.value).toBe(before);
  expect(store.texts.get('prefs')).toBe(kept);
});
