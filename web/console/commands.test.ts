import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import type { Card } from '../client/frames.ts';
import { card } from '../test/fake/cards.ts';
import { MemoryStore } from '../test/fake/ports.ts';
import { type Command, commandsOf, keyOf } from './commands.ts';
import type { Desk } from './desk.ts';
import { choose, refusalOf } from './keymap.ts';
import type { Deed } from './many.ts';
import { Marks } from './marks.ts';
import { Picked } from './picked.ts';
import { openPrefs } from './prefs.ts';
import { type Role, rank } from './session.ts';
import type { Shell } from './shell.ts';

const ME = { id: 'me', name: 'Ada', role: 'agent' as const };

/** The commands of a desk with this conversation open, and what of the desk they called. */
async function make(open: Card | null, path = '/console', role: Role = 'agent') {
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
    inbox: { count: () => 3, choose: (name: string) => note(`choose ${name}`)() },
    filtering: {
      searches: signal(false),
      now: signal(null),
      narrow: (name: string) => note(`narrow to ${name}`)(),
    },
    marks: new Marks(new MemoryStore()),
    markUnread: note('markUnread'),
    picked: new Picked(signal(['c', 'd'])),
    pick: (id: string, range: boolean) => note(range ? `pick up to ${id}` : `pick ${id}`)(),
    doPicked: (deed: Deed) => note(deed.done('some'))(),
    acts: {
      taking: note('taking'),
      refuse: note('refuse'),
      reopen: note('reopen'),
      unassign: note('unassign'),
    },
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
    router: { path: signal(path), go: (to: string) => note(`go ${to}`)() },
    prefs: await openPrefs(new MemoryStore()),
    session: {
      signOut: note('signOut'),
      may: (least: Role) => rank(role) >= rank(least),
      me: signal({ tenant: { id: 'default' } }),
    },
  };
  const commands = commandsOf({
    shell: shell as unknown as Shell,
    desk: desk as unknown as Desk,
    open: ({ name }) => note(`open ${name}`)(),
    focus: (place) => note(`focus ${place}`)(),
    toggleContext: note('toggleContext'),
    row: () => open?.id ?? null,
    save: ({ name }) => note(`save ${name}`)(),
  });
  const can = commands.filter(({ when }) => when?.() ?? true);
  const press = (keys: string) => {
    const found = commands.find((command) => command.keys.includes(keys) && command.applies());
    found?.pressed();
    return found?.title ?? null;
  };
  return { commands, can, called, press, prefs: shell.prefs, picked: desk.picked, desk };
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

test('each page of the settings that one may open has a command', async () => {
  const pages = async (role: Role) => {
    const { can, called } = await make(null, '/console', role);
    const found = can.filter(({ group }) => group === 'Settings');
    for (const { run } of found) run();
    return found.map(({ title }, idx) => `${title}: ${called[idx]}`);
  };
  const audit = 'Audit log: go /console/settings/audit';
  const own = [
    'Your profile: go /console/settings/profile',
    'Preferences: go /console/settings/preferences',
  ];
  expect(await pages('agent')).toEqual(own);
  const kept = [
    'First steps: go /console/settings',
    'People: go /console/settings/people',
    'Departments: go /console/settings/departments',
    'Widgets: go /console/settings/widgets',
    'API keys: go /console/settings/keys',
  ];
  expect(await pages('admin')).toEqual([...kept, audit, ...own]);
  const all = [...kept, 'Tenants: go /console/settings/tenants', audit, ...own];
  expect(await pages('owner')).toEqual(all);
});

test('a search can be saved unless it is', async () => {
  const { commands, called, desk } = await make(null);
  const save = commands.find(({ title }) => title === 'Save this filter…');
  expect(save?.when?.()).toBe(false);
  desk.filtering.searches.value = true;
  expect(save?.when?.()).toBe(true);
  save?.run();
  expect(called).toEqual(['open save-filter']);
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
    'choose mine',
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

test('every key that is written down has its command', async () => {
  const { commands } = await make(mine);
  const written: [string, string][] = [
    ['j', 'Next conversation'],
    ['k', 'Previous conversation'],
    ['escape', 'Back to the list'],
    ['r', 'Reply'],
    ['n', 'Internal note'],
    ['a', 'Assign to…'],
    ['i', 'Assign to me'],
    ['t', 'Transfer…'],
    ['e', 'Resolve'],
    ['shift+e', 'Reopen'],
    ['l', 'Tags…'],
    ['u', 'Mark as unread'],
    ['x', 'Select'],
    ['shift+x', 'Select up to here'],
    ['/', 'Search'],
    ['[', 'My previous conversation'],
    [']', 'My next conversation'],
    ['alt+arrowup', 'My previous conversation'],
    ['alt+arrowdown', 'My next conversation'],
    ['g i', 'Inbox'],
    ['g m', 'Mine'],
    ['g u', 'Unassigned'],
    ['g s', 'Settings'],
    ['mod+enter', 'Send'],
    ['mod+shift+enter', 'Send and resolve'],
    ['alt+1', 'All'],
    ['alt+5', 'Closed'],
    ['.', 'Context pane'],
    ['mod+k', 'All commands'],
    ['?', 'Keys'],
  ];
  for (const [keys, title] of written) {
    expect(commands.find((command) => command.usual.includes(keys))?.title).toBe(title);
  }
});

test('the keys of a list narrow what is looked for to it', async () => {
  const { press, called, desk } = await make(null);
  for (const keys of ['alt+5', 'g m']) press(keys);
  expect(called).toEqual(['choose closed', 'choose mine']);
  called.length = 0;
  desk.filtering.searches.value = true;
  for (const keys of ['alt+5', 'g m', 'alt+1']) press(keys);
  expect(called).toEqual(['narrow to closed', 'narrow to mine', 'narrow to all']);
});

test('while some are selected their keys are for all of them, until Escape', async () => {
  const { press, called, picked, can } = await make(mine);
  picked.toggle('c');
  picked.toggle('d');
  for (const keys of ['e', 'l', 'i', 'u']) press(keys);
  expect(called).toEqual([
    'Resolved some',
    'open tags',
    'Assigned some to you',
    'markUnread',
    'markUnread',
  ]);
  // A button of the open conversation is for that one all the same.
  picked.toggle('c');
  called.length = 0;
  can.find(({ title }) => title === 'Resolve')?.run();
  expect(called).toEqual(['resolve']);
  expect(press('escape')).toBe('Back to the list');
  expect(picked.ids.value).toEqual([]);
  expect(called).toEqual(['resolve']);
});

test('keys for several mean nothing in the settings', async () => {
  const { press, called, picked } = await make(mine, '/console/settings/people');
  picked.toggle('c');
  for (const keys of ['e', 'i', 'x', 'u', 'escape']) expect(press(keys), keys).toBe(null);
  expect(called).toEqual([]);
});

test('what is marked can be unmarked, and the row at hand is picked', async () => {
  const { press, called } = await make(mine);
  expect(press('shift+u')).toBe(null);
  expect([press('u'), press('x'), press('shift+x')]).toEqual([
    'Mark as unread',
    'Select',
    'Select up to here',
  ]);
  expect(called).toEqual(['markUnread', 'focus list', 'pick c', 'pick up to c']);
});
