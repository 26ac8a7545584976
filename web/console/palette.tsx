/** Every command, conversation and colleague behind one field. */

import { useComputed, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { type Choice, Combobox } from '../ui/combobox.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { folded, rank } from '../ui/fuzzy.ts';
import { Avatar } from '../ui/parts.tsx';
import type { Command } from './commands.ts';
import type { Desk } from './desk.ts';
import { SETTINGS, type Shell } from './shell.ts';
import { lastLine, visitorName } from './words.ts';

interface PaletteProps {
  shell: Shell;
  desk: Desk;
  commands: readonly Command[];
  onClose(): void;
}

interface Entry {
  choice: Choice;
  folded: string;
  run(): void;
}

const SHOWN_MAX = 40;
const CONVERSATIONS_MAX = 12;

export function Palette({ shell, desk, commands, onClose }: PaletteProps): JSX.Element {
  const text = useSignal('');
  const actions = useMemo(() => commands.filter(applies).map(entryOf), []);
  const people = useMemo(() => conversationsOf(desk, shell), []);
  const found = useComputed(() => {
    const wanted = text.value;
    // Who has typed nothing yet sees all that can be done.
    if (wanted.trim() === '') return actions;
    const some = rank(wanted, actions, (entry) => entry.folded, SHOWN_MAX);
    return [...some, ...rank(wanted, people, (entry) => entry.folded, CONVERSATIONS_MAX)];
  });
  return (
    <Dialog title="Commands" heading={false} size="palette" onClose={onClose}>
      <Combobox
        label="Commands"
        placeholder="Type a command, a name, an address…"
        text={text.value}
        onText={(next) => {
          text.value = next;
        }}
        choices={found.value.map(({ choice }) => choice)}
        onChoose={(choice) => {
          onClose();
          found
            .peek()
            .find((entry) => entry.choice.id === choice.id)
            ?.run();
        }}
        empty="Nothing of that name."
      />
    </Dialog>
  );
}

function applies({ hidden, when }: Command): boolean {
  return hidden !== true && (when?.() ?? true);
}

function entryOf(command: Command): Entry {
  return {
    choice: {
      id: `command ${command.group} ${command.title}`,
      text: command.title,
      group: command.group,
      keys: command.keys[0],
    },
    folded: folded(`${command.title} ${command.group}`),
    run: command.run,
  };
}

/** Every conversation known here. */
function conversationsOf(desk: Desk, shell: Shell): Entry[] {
  const entries: Entry[] = [];
  const seen = new Set<string>();
  const { inbox } = desk;
  for (const id of [
    ...inbox.view('mine').ids,
    ...inbox.view('unassigned').ids,
    ...inbox.order.peek(),
  ]) {
    const card = desk.client.cards.of(id).peek();
    if (card === null || seen.has(id)) continue;
    seen.add(id);
    const name = visitorName(card);
    entries.push({
      choice: {
        id,
        text: name,
        detail: lastLine(card),
        group: 'Conversations',
        lead: <Avatar name={name} />,
      },
      folded: folded(`${name} ${card.visitor.email ?? ''} ${card.number} ${lastLine(card)}`),
      run: () => {
        if (shell.router.path.peek().startsWith(SETTINGS)) shell.router.go(`/console/c/${id}`);
        desk.selected.value = id;
      },
    });
  }
  return entries;
}
