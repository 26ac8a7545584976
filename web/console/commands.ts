/**
 * Everything a person can do, once: the palette lists it, keys run it, the help shows its keys.
 * Without a DOM.
 */

import { computed } from '@preact/signals-core';
import type { Card } from '../client/frames.ts';
import type { TextFile } from '../ui/transcript-file.ts';
import type { Desk } from './desk.ts';
import type { Mode } from './drafts.ts';
import { FILTERS, type FilterName } from './inbox.ts';
import { keymap } from './keymap.ts';
import { closeAll, type Deed, resolveAll, takeAll } from './many.ts';
import type { ManyPanel, Panel, Place } from './panels.ts';
import { pathOfSettings, SETTINGS_PAGES } from './settings-pages.ts';
import { INBOX, SETTINGS, type Shell } from './shell.ts';

export interface Command {
  title: string;
  group: 'Conversation' | 'List' | 'Write' | 'Go to' | 'Settings' | 'Console';
  /** All keys that run it now, as they were chosen; the first is shown in menus. */
  keys: readonly string[];
  /** The keys that it comes with. */
  usual: readonly string[];
  /** Whether it applies now; without it always. */
  when?(): boolean;
  run(): void;
  /** What its keys do instead while conversations are selected in the list. */
  many?(): void;
  /** Keys only: a palette has no use for it. */
  hidden?: boolean;
}

/** A command with what its keys do now. */
export interface KeyCommand extends Command {
  /** Whether its keys do anything now. */
  applies(): boolean;
  pressed(): void;
}

export interface CommandPorts {
  shell: Shell;
  desk: Desk;
  /** The conversation at hand: the one whose row has the focus, else the open one. */
  row(): string | null;
  open(panel: Panel): void;
  focus(place: Place): void;
  toggleContext(): void;
  /** Gives a file to the person. */
  save(file: TextFile): void;
}

export const FILTER_NAMES: Record<FilterName, string> = {
  all: 'All',
  unassigned: 'Unassigned',
  active: 'Active',
  mine: 'Mine',
  closed: 'Closed',
};

const FILTER_KEYS: Partial<Record<FilterName, string>> = { mine: 'g m', unassigned: 'g u' };

/** A command as it is written down here: its keys are the usual ones. */
type Plain = Omit<Command, 'usual'>;

/** All commands. Whoever reads the keys of one is told of a change, as with any signal. */
export function commandsOf(ports: CommandPorts): readonly KeyCommand[] {
  const usual = plainCommands(ports).map(({ keys, ...rest }) => ({ ...rest, usual: keys }));
  const map = computed(() => keymap(usual, ports.shell.prefs.keys.value));
  const { picked } = ports.desk;
  const { path } = ports.shell.router;
  const many = ({ many: run }: Pick<Plain, 'many'>) =>
    picked.ids.value.length > 0 && !path.value.startsWith(SETTINGS) ? run : undefined;
  return usual.map((command) => ({
    ...command,
    applies: () => many(command) !== undefined || (command.when?.() ?? true),
    pressed: () => (many(command) ?? command.run)(),
    get keys() {
      return map.value.get(command.title) ?? [];
    },
  }));
}

function plainCommands(ports: CommandPorts): Plain[] {
  const { shell, desk, row, open, focus, toggleContext, save } = ports;
  const { prefs, router } = shell;
  const card = () => desk.card;
  const inInbox = () => !router.path.value.startsWith(SETTINGS);
  const has = (fits: (card: Card) => boolean) => () => {
    const now = card();
    return inInbox() && now !== null && fits(now);
  };
  const marked = (is: boolean) => () => {
    const id = row();
    return inInbox() && id !== null && desk.marks.ids.value.has(id) === is;
  };
  const pick = (range: boolean) => {
    const id = row();
    if (id !== null) desk.pick(id, range);
  };
  const isOpen = (now: Card) => now.status === 'waiting' || now.status === 'active';
  const on = (run: (card: Card) => void) => () => {
    const now = card();
    if (now !== null) run(now);
  };
  const about = (name: Extract<Panel, { conversation: string }>['name']) =>
    on((now) => open({ name, conversation: now.id }));
  const aboutOne = (name: ManyPanel['name']) =>
    on((now) => open({ name, conversations: [now.id] }));
  const write = (mode: Mode) =>
    on((now) => {
      desk.drafts.of(now.id).mode.value = mode;
      focus('composer');
    });
  const mine = (now: Card) => now.agent?.id === desk.me.id;
  const each = (deed: Deed) => () => void desk.doPicked(deed);
  const aboutPicked = (name: ManyPanel['name']) => () => {
    open({ name, conversations: desk.picked.ids.peek() });
  };
  return [
    // Conversation
    {
      title: 'Assign to me',
      group: 'Conversation',
      keys: ['i'],
      when: has((now) => isOpen(now) && !mine(now)),
      run: on((now) => void desk.take(now)),
      many: each(takeAll(desk.acts, desk.me.id)),
    },
    {
      title: 'Assign to…',
      group: 'Conversation',
      keys: ['a'],
      when: has((now) => isOpen(now) && desk.mayMove(now)),
      run: about('assign'),
    },
    {
      title: 'Transfer…',
      group: 'Conversation',
      keys: ['t'],
      when: has((now) => isOpen(now) && desk.mayMove(now)),
      run: about('transfer'),
    },
    {
      title: 'Hand back',
      group: 'Conversation',
      keys: [],
      when: has((now) => now.transferred && now.status === 'active' && mine(now)),
      run: on((now) => void desk.acts.refuse(now)),
    },
    {
      title: 'Return to the queue',
      group: 'Conversation',
      keys: [],
      when: has((now) => now.status === 'active' && desk.mayMove(now)),
      run: on((now) => void desk.acts.unassign(now)),
    },
    {
      title: 'Resolve',
      group: 'Conversation',
      keys: ['e'],
      when: has(isOpen),
      run: on((now) => void desk.finish(now, 'resolve')),
      many: each(resolveAll),
    },
    {
      title: 'Close without resolving',
      group: 'Conversation',
      keys: [],
      when: has(isOpen),
      run: on((now) => void desk.finish(now, 'close')),
      many: each(closeAll),
    },
    {
      title: 'Reopen',
      group: 'Conversation',
      keys: ['shift+e'],
      when: has((now) => now.status === 'closed'),
      run: on((now) => void desk.acts.reopen(now)),
    },
    {
      title: 'Tags…',
      group: 'Conversation',
      keys: ['l'],
      when: has((now) => now.status !== 'archived'),
      run: aboutOne('tags'),
      many: aboutPicked('tags'),
    },
    {
      title: 'Priority…',
      group: 'Conversation',
      keys: ['p'],
      when: has(isOpen),
      run: aboutOne('priority'),
      many: aboutPicked('priority'),
    },
    {
      title: 'Department…',
      group: 'Conversation',
      keys: ['d'],
      when: () => has(isOpen)() && desk.departments.value.length > 0,
      run: aboutOne('department'),
      many: aboutPicked('department'),
    },
    {
      title: 'Mark as unread',
      group: 'Conversation',
      keys: ['u'],
      when: marked(false),
      run: () => {
        const id = row();
        if (id === null) return;
        const wasOpen = desk.selected.peek() === id;
        desk.markUnread(id);
        if (wasOpen) focus('list');
      },
      many: () => {
        for (const id of desk.picked.ids.peek()) desk.markUnread(id);
        desk.picked.clear();
      },
    },
    {
      title: 'Mark as read',
      group: 'Conversation',
      keys: ['shift+u'],
      when: marked(true),
      run: () => {
        const id = row();
        if (id !== null) desk.marks.set(id, false);
      },
      many: () => {
        for (const id of desk.picked.ids.peek()) desk.marks.set(id, false);
        desk.picked.clear();
      },
    },
    {
      title: 'Download the transcript',
      group: 'Conversation',
      keys: [],
      when: has(() => true),
      run: on((now) => void desk.textFile(now).then((file) => file && save(file))),
    },
    {
      title: 'Context pane',
      group: 'Conversation',
      keys: ['.'],
      when: has(() => true),
      run: toggleContext,
    },
    // Write
    { title: 'Reply', group: 'Write', keys: ['r'], when: has(() => true), run: write('message') },
    {
      title: 'Internal note',
      group: 'Write',
      keys: ['n'],
      when: has(() => true),
      run: write('note'),
    },
    {
      title: 'Send',
      group: 'Write',
      keys: ['mod+enter'],
      hidden: true,
      when: has(() => true),
      run: on((now) => sendDraft(desk, now)),
    },
    {
      title: 'Send and resolve',
      group: 'Write',
      keys: ['mod+shift+enter'],
      hidden: true,
      when: has((now) => now.status === 'active'),
      run: on((now) => {
        if (sendDraft(desk, now)) desk.finishWhenSent(now);
      }),
    },
    {
      title: 'Undo send',
      group: 'Write',
      keys: ['z', 'alt+z'],
      when: () => inInbox() && desk.unsent !== null,
      run: () => {
        const entry = desk.unsent;
        if (entry !== null && desk.undo(entry)) focus('composer');
      },
    },
    // List
    {
      title: 'Next conversation',
      group: 'List',
      keys: ['j'],
      when: inInbox,
      run: () => desk.step(1),
    },
    {
      title: 'Previous conversation',
      group: 'List',
      keys: ['k'],
      when: inInbox,
      run: () => desk.step(-1),
    },
    {
      title: 'My next conversation',
      group: 'List',
      keys: [']', 'alt+arrowdown'],
      when: inInbox,
      run: () => desk.stepMine(1),
    },
    {
      title: 'My previous conversation',
      group: 'List',
      keys: ['[', 'alt+arrowup'],
      when: inInbox,
      run: () => desk.stepMine(-1),
    },
    {
      title: 'Accept next',
      group: 'List',
      keys: ['shift+a'],
      when: () => inInbox() && desk.inbox.count('unassigned') > 0,
      run: () => void desk.takeNext(),
    },
    {
      title: 'New chat…',
      group: 'List',
      keys: ['c'],
      run: () => open({ name: 'new-chat' }),
    },
    { title: 'Search', group: 'List', keys: ['/'], when: inInbox, run: () => focus('search') },
    {
      title: 'Save this filter…',
      group: 'List',
      keys: [],
      when: () => inInbox() && desk.filtering.searches.value && desk.filtering.now.value === null,
      run: () => open({ name: 'save-filter' }),
    },
    {
      title: 'Select',
      group: 'List',
      keys: ['x'],
      hidden: true,
      when: () => inInbox() && row() !== null,
      run: () => pick(false),
    },
    {
      title: 'Select up to here',
      group: 'List',
      keys: ['shift+x'],
      hidden: true,
      when: () => inInbox() && row() !== null,
      run: () => pick(true),
    },
    {
      title: 'Back to the list',
      group: 'List',
      keys: ['escape'],
      hidden: true,
      when: () => inInbox() && desk.selected.value !== null,
      // First what is selected, then the conversation.
      many: () => desk.picked.clear(),
      run: () => {
        desk.selected.value = null;
        focus('list');
      },
    },
    // Go to
    { title: 'Inbox', group: 'Go to', keys: ['g i'], run: () => void router.go(INBOX) },
    ...FILTERS.map((name, idx): Plain => {
      const keys = [FILTER_KEYS[name], `alt+${idx + 1}`].filter((one) => one !== undefined);
      return {
        title: FILTER_NAMES[name],
        group: 'Go to',
        keys,
        run: () => {
          if (!inInbox()) router.go(INBOX);
          // As the lists above a search do.
          if (desk.filtering.searches.peek()) desk.filtering.narrow(name);
          else desk.inbox.choose(name);
        },
      };
    }),
    {
      title: 'Settings',
      group: 'Go to',
      keys: ['g s'],
      run: () => void router.go(pathOfSettings('preferences')),
    },
    // Settings
    ...SETTINGS_PAGES.filter(({ may }) => may(shell)).map(
      ({ name, title }): Plain => ({
        title,
        group: 'Settings',
        keys: [],
        run: () => void router.go(pathOfSettings(name)),
      }),
    ),
    // Console
    {
      title: 'All commands',
      group: 'Console',
      keys: ['mod+k'],
      hidden: true,
      run: () => open({ name: 'palette' }),
    },
    { title: 'Keys', group: 'Console', keys: ['?'], run: () => open({ name: 'keys' }) },
    {
      title: 'Light colors',
      group: 'Console',
      keys: [],
      when: () => prefs.theme.value !== 'light',
      run: () => {
        prefs.theme.value = 'light';
      },
    },
    {
      title: 'Dark colors',
      group: 'Console',
      keys: [],
      when: () => prefs.theme.value !== 'dark',
      run: () => {
        prefs.theme.value = 'dark';
      },
    },
    {
      title: 'Colors of the system',
      group: 'Console',
      keys: [],
      when: () => prefs.theme.value !== 'system',
      run: () => {
        prefs.theme.value = 'system';
      },
    },
    ...(['online', 'away', 'busy', 'offline'] as const).map(
      (status): Plain => ({
        title: `Set me ${status}`,
        group: 'Console',
        keys: [],
        when: () => desk.status.value !== status,
        run: () => void desk.setStatus(status),
      }),
    ),
    {
      title: 'Sign out',
      group: 'Console',
      keys: [],
      run: () => {
        desk.leave();
        void shell.session.signOut();
      },
    },
  ];
}

/** The first key of a command, for a hint. */
export function keyOf(commands: readonly Command[], title: string): string | undefined {
  return commands.find((command) => command.title === title)?.keys[0];
}

/** Sends what is written, as what it is written as; says whether there was something. */
function sendDraft(desk: Desk, card: Card): boolean {
  const draft = desk.drafts.of(card.id);
  const mode = draft.mode.peek();
  const text = draft.texts[mode].peek().trim();
  if (text === '' || (mode === 'message' && card.status !== 'active')) return false;
  return desk.send(card.id, mode, text);
}
