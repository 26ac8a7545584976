import { expect, test } from 'vitest';
import { tellOf } from './chosen-keys.tsx';

test.each([
  ['', null, [], [], ''],
  ['mod+t', 'Tabs need it.', [], [], 'Ctrl+T cannot be chosen. Tabs need it.'],
  ['e', null, [], ['e'], 'It has E already.'],
  ['x', null, [], [], 'X is free. It works when you do not write.'],
  ['mod+shift+x', null, [], [], 'Ctrl+Shift+X is free. It works while you write, too.'],
  ['e', null, [{ title: 'Resolve', keys: 'e' }], [], 'E: Resolve has it now, and would lose it.'],
  [
    'g',
    null,
    [
      { title: 'Inbox', keys: 'g i' },
      { title: 'Tags…', keys: 'g' },
    ],
    [],
    'G: Inbox has G then I now, Tags has it now, and would lose it.',
  ],
] as const)('of %j is said what has it or needs it', (wanted, refused, holders, own, text) => {
  expect(tellOf(wanted, refused, holders, own)).toBe(text);
});
