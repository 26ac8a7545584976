import { expect, test } from 'vitest';
import {
  choose,
  chosenIn,
  clash,
  extended,
  holdersOf,
  isChord,
  keymap,
  refusalOf,
  reset,
} from './keymap.ts';

const COMMANDS = [
  { title: 'Resolve', usual: ['e'] },
  { title: 'Reply', usual: ['r'] },
  { title: 'Inbox', usual: ['g i'] },
  { title: 'Mine', usual: ['g m', 'alt+4'] },
  { title: 'Sign out', usual: [] },
];
const now = (chosen = {}) => Object.fromEntries(keymap(COMMANDS, chosen));

test('usual keys, until one is chosen, which nobody else has then', () => {
  expect(now()).toMatchObject({ Resolve: ['e'], Mine: ['g m', 'alt+4'], 'Sign out': [] });
  const chosen = choose({}, 'Reply', ['e']);
  expect(now(chosen)).toMatchObject({ Reply: ['e'], Resolve: [] });
  const later = choose(chosen, 'Resolve', ['e', 'x']);
  expect(now(later)).toMatchObject({ Reply: [], Resolve: ['e', 'x'] });
});

test('the beginning of a sequence takes the sequences', () => {
  expect(now(choose({}, 'Reply', ['g']))).toMatchObject({
    Reply: ['g'],
    Inbox: [],
    Mine: ['alt+4'],
  });
  expect(now(choose({}, 'Reply', ['e e']))).toMatchObject({ Reply: ['e e'], Resolve: [] });
  expect(clash('g', 'g i')).toBe(true);
  expect(clash('g m', 'g i')).toBe(false);
  expect(clash('e', 'shift+e')).toBe(false);
});

test('no keys at all is a choice, and one command or all are as before again', () => {
  const none = choose({}, 'Resolve', []);
  expect(now(none)).toMatchObject({ Resolve: [] });
  expect(now(reset(none, 'Resolve'))).toEqual(now());
  // What another chose stays theirs.
  const taken = choose(choose({}, 'Resolve', ['x']), 'Reply', ['e']);
  expect(now(reset(taken, 'Resolve'))).toMatchObject({ Resolve: [], Reply: ['e'] });
  expect(now(reset(taken, 'Reply'))).toMatchObject({ Resolve: ['x'], Reply: ['r'] });
});

test('who has a key is told, but for who asks', () => {
  const map = keymap(COMMANDS, choose({}, 'Sign out', ['mod+shift+x']));
  expect(holdersOf('e', 'Reply', map)).toEqual([{ title: 'Resolve', keys: 'e' }]);
  expect(holdersOf('e', 'Resolve', map)).toEqual([]);
  expect(holdersOf('g', 'Reply', map)).toEqual([
    { title: 'Inbox', keys: 'g i' },
    { title: 'Mine', keys: 'g m' },
  ]);
  expect(holdersOf('mod+shift+x', 'Reply', map)).toEqual([
    { title: 'Sign out', keys: 'mod+shift+x' },
  ]);
  expect(holdersOf('z', 'Reply', map)).toEqual([]);
});

test.each([
  ['', 'g', 'g'],
  ['g', 'i', 'g i'],
  ['g i', 'x', 'x'],
  ['g', 'mod+k', 'mod+k'],
  ['mod+k', 'g', 'g'],
])('after %j the key %s makes %s', (before, pressed, after) => {
  expect(extended(before, pressed)).toBe(after);
});

test.each([
  'tab',
  'shift+tab',
  'escape',
  'enter',
  'space',
  'arrowdown',
  'mod+t',
  'mod+shift+n',
  'mod+w',
  'mod+1',
  'mod++',
  'mod+0',
  'mod+r',
  'f5',
  'mod+f',
  'mod+l',
  'alt+arrowleft',
  'alt+f4',
  'mod+c',
  'mod+shift+v',
  'mod+arrowleft',
  'alt+backspace',
  'mod+shift+i',
  'mod+alt+e',
  'capslock',
  'unidentified',
  'g enter',
  'g capslock',
])('%s is not free to choose, and why is said', (keys) => {
  expect(refusalOf(keys)).toMatch(/\.$/);
});

test.each([
  'x',
  'shift+x',
  '?',
  '+',
  'ö',
  'g x',
  'mod+k',
  'mod+shift+e',
  'mod+enter',
  'mod+shift+enter',
  'alt+1',
  'alt+arrowdown',
  'alt+x',
  'f2',
  'f8',
])('%s is', (keys) => {
  expect(refusalOf(keys)).toBe(null);
});

test('with Ctrl, Command or Alt a key works while one writes', () => {
  expect(['mod+k', 'alt+1', 'x', 'shift+x', 'g i'].map(isChord)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('what was kept is taken as far as it can be read', () => {
  const kept = { Resolve: ['x', 'mod+shift+e'], Reply: [], Mine: ['g q'] };
  expect(chosenIn(kept)).toEqual(kept);
  expect(
    chosenIn({ a: 'x', b: [1], c: ['x y z'], d: [''], e: Array(9).fill('x'), Fine: ['+'] }),
  ).toEqual({ Fine: ['+'] });
  for (const nothing of [undefined, null, 1, 'x', []]) expect(chosenIn(nothing)).toEqual({});
});
