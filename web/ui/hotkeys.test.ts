import { expect, test } from 'vitest';
import { FakeClock } from '../test/fake/ports.ts';
import { Hotkeys, named, type Pressed } from './hotkeys.ts';

const NOTHING: Pressed = {
  key: '',
  code: '',
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  isComposing: false,
  repeat: false,
};

function key(name: string, more: Partial<Pressed> = {}): Pressed {
  const code = /^[a-z]$/i.test(name) ? `Key${name.toUpperCase()}` : '';
  return { ...NOTHING, key: name, code, ...more };
}

function make() {
  const done: string[] = [];
  const clock = new FakeClock();
  let open = true;
  const bindings = ['j', 'g', 'g i', 'g m', 'mod+k', 'shift+e', 'e', '?', 'alt+1'].map((keys) => ({
    keys,
    run: () => void done.push(keys),
    when: () => keys !== 'e' || open,
  }));
  const hotkeys = new Hotkeys(clock, () => bindings.filter(({ keys }) => keys !== 'g'));
  const closeAll = () => {
    open = false;
  };
  return { hotkeys, clock, done, closeAll };
}

test.each([
  [key('j'), 'j'],
  [key('J', { shiftKey: true }), 'shift+j'],
  [key('k', { ctrlKey: true }), 'mod+k'],
  [key('k', { metaKey: true }), 'mod+k'],
  [key('?', { shiftKey: true }), '?'],
  // Alt on a Mac makes other signs; the place of the key counts.
  [key('¡', { altKey: true, code: 'Digit1' }), 'alt+1'],
  // On a Cyrillic layout `j` is `о`.
  [key('о', { code: 'KeyJ' }), 'j'],
  [key('Shift', { shiftKey: true }), null],
  [key('ArrowUp', { altKey: true }), 'alt+arrowup'],
])('%j is %s', (event, name) => {
  expect(named(event)).toBe(name);
});

test('a sequence is two keys within a moment', async () => {
  const { hotkeys, clock, done } = make();
  expect(hotkeys.press(key('g'), false)).toBe(true);
  hotkeys.press(key('i'), false);
  hotkeys.press(key('g'), false);
  await clock.pass(2_000);
  expect(hotkeys.press(key('i'), false)).toBe(false);
  hotkeys.press(key('g'), false);
  hotkeys.press(key('j'), false);
  expect(done).toEqual(['g i', 'j']);
});

test('who writes keeps the letters, and chords work all the same', () => {
  const { hotkeys, done } = make();
  expect(hotkeys.press(key('j'), true)).toBe(false);
  expect(hotkeys.press(key('k', { ctrlKey: true }), true)).toBe(true);
  expect(hotkeys.press(key('k', { ctrlKey: true, isComposing: true }), true)).toBe(false);
  expect(done).toEqual(['mod+k']);
});

test('single keys can be switched off', () => {
  const { hotkeys, done } = make();
  hotkeys.singles = false;
  hotkeys.press(key('j'), false);
  hotkeys.press(key('?', { shiftKey: true }), false);
  hotkeys.press(key('¡', { altKey: true, code: 'Digit1' }), false);
  expect(done).toEqual(['alt+1']);
});

test('a key that does not apply is left to others', () => {
  const { hotkeys, done, closeAll } = make();
  closeAll();
  expect(hotkeys.press(key('e'), false)).toBe(false);
  expect(hotkeys.press(key('E', { shiftKey: true }), false)).toBe(true);
  expect(done).toEqual(['shift+e']);
});
