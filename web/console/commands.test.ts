import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import type { Card } from '../client/frames.ts';
import { card } from '../test/fake/cards.ts';
import { MemoryStore } from '../test/fake/ports.ts';
import { type Command, commandsOf, keyOf } from './commands.ts';
import type { Desk } from './desk.ts';
import { choose, refusalOf } from './keymap.ts';
import { openPrefs } from './prefs.ts';
import type { Shell } from './shell.ts';

const ME = { id: 'me', name: 'Ada', role: 'agent' as const };

/** The commands of a desk with this conversation open, and what of the desk they called. */
async function make(open: Card | null, path = '/console') {
  const called: string[] = [];
  const note = (name: string) => () => {
    called.push(name);
  };
  const desk = {
    me: ME,
    card: open,
    selected: signal(open?.id ?? null),
    departments: signal([{ id: 'sales', name: 'Sales' }]),
    status: signal('online'),
    inbox: { count: () => 3, choose: note('choose') },
    acts: { refuse: note('refuse'), reopen: note('reopen'), unassign: note('unassign') },
    mayMove: ({ agent }: Card) => agent === null || agent.id === ME.id,
    take: note('take'),
    finish: (_: Card, how: string) => note(how)(),
    step: note('step'),
    stepMine: note('stepMine'),
    takeNext: note('takeNext'),
    setStatus: note('setStatus'),
    textFile: async () => ({ name: 'talk.txt', text: '' }),
  };
  const shell = {
    router: { path: signal(path), go: note('go') },
    prefs: await openPrefs(new MemoryStore()),
    session: { signOut: note('signOut') },
  };
  const commands = commandsOf({
    shell: shell as unknown as Shell,
    desk: desk as unknown as Desk,
    open: ({ name }) => note(`open ${name}`)(),
    focus: (place) => note(`focus ${place}`)(),
    toggleContext: note('toggleContext'),
    save: ({ name }) => note(`save ${name}`)(),
  });
  const can = commands.filter(({ when }) => when?.() ?? true);
  const press = (keys: string) => {
    const found = can.find((command) => command.keys.includes(keys));
    found?.run();
    return found?.title ?? null;
  };
  return { commands, can, called, press, prefs: shell.prefs };
}

const mine = card('c', { status: 'active', agent: { id: 'me', name: 'Ada' } });
const titles = (commands: readonly Command[]) => commands.map(({ title }) => title);

test('no two commands share a key or a name', async () => {
  const { commands } = await make(mine);
  const keys = commands.flatMap((command) => command.keys);
  expect(new Set(keys).size).toBe(keys.length);
  expect(new Set(titles(commands)).size).toBe(commands.length);
});

test.each([
  ['who waits', card('c'), ['Assign to me', 'Transfer…', 'Resolve'], ['Reopen', 'Hand back']],
  ['mine', mine, ['Transfer…', 'Resolve', 'Return to the queue'], ['Assign to me', 'Hand back']],
  ['handed to me', { ...mine, transferred: true }, ['Hand back'], ['Reopen']],
  [
    'a colleague’s',
    card('c', { status: 'active', agent: { id: 'ben', name: 'Ben' } }),
    ['Assign to me', 'Internal note'],
    ['Transfer…', 'Assign to…', 'Return to the queue'],
  ],
  ['closed', card('c', { status: 'closed' }), ['Reopen', 'Tags…'], ['Resolve', 'Priority…']],
  ['archived', card('c', { status: 'archived' }), [], ['Reopen', 'Tags…', 'Resolve']],
  ['none', null, ['Accept next', 'New chat…'], ['Resolve', 'Reply', 'Tags…']],
])('of a conversation that is %s', async (_, open, offered, hidden) => {
  const { can } = await make(open);
  for (const title of offered) expect(titles(can)).toContain(title);
  for (const title of hidden) expect(titles(can)).not.toContain(title);
});

test('keys of conversations mean nothing in the settings', async () => {
  const { press, called } = await make(mine, '/console/settings/people');
  for (const keys of ['e', 'j', '/', 'r', 't']) expect(press(keys), keys).toBe(null);
  expect(called).toEqual([]);
  expect(press('g i')).toBe('Inbox');
  expect(press('mod+k')).toBe('All commands');
});

test('the transcript comes as a file', async () => {
  const { can, called } = await make(mine);
  can.find(({ title }) => title === 'Download the transcript')?.run();
  await expect.poll(() => called).toEqual(['save talk.txt']);
});

test('each key does what it says', async () => {
  const { press, called } = await make(mine);
  for (const keys of ['e', 't', 'l', '.', '/', 'shift+a', ']', '?', 'g m']) press(keys);
  expect(called).toEqual([
    'resolve',
    'open transfer',
    'open tags',
    'toggleContext',
    'focus search',
    'takeNext',
    'stepMine',
    'open keys',
    'choose',
  ]);
});

test('no usual key is one that the browser needs', async () => {
  const { commands } = await make(mine);
  const refused = commands.flatMap(({ usual }) => usual.filter((keys) => refusalOf(keys) !== null));
  // It only leaves the conversation when nothing is open that it would close.
  expect(refused).toEqual(['escape']);
});

test('chosen keys do what the usual ones did, everywhere at once', async () => {
  const { commands, press, called, prefs } = await make(mine);
  prefs.keys.value = choose({}, 'Resolve', ['mod+shift+e', 't']);
  expect(press('e')).toBe(null);
  expect(press('t')).toBe('Resolve');
  expect(press('mod+shift+e')).toBe('Resolve');
  expect(called).toEqual(['resolve', 'resolve']);
  expect(keyOf(commands, 'Resolve')).toBe('mod+shift+e');
  expect(keyOf(commands, 'Transfer…')).toBe(undefined);
  const keys = commands.flatMap((command) => command.keys);
  expect(new Set(keys).size).toBe(keys.length);
  prefs.keys.value = {};
  expect(press('e')).toBe('Resolve');
  expect(press('t')).toBe('Transfer…');
});
