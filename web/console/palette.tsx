/** Every command, conversation and visitor behind one field. */

import { useComputed, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Combobox } from '../ui/combobox.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Avatar } from '../ui/parts.tsx';
import type { Command } from './commands.ts';
import type { Desk } from './desk.ts';
import { CONVERSATIONS_MAX, entriesOf } from './entries.ts';
import type { Shell } from './shell.ts';

interface PaletteProps {
  shell: Shell;
  desk: Desk;
  commands: readonly Command[];
  onClose(): void;
}

const EMPTY = {
  ready: 'Nothing of that name.',
  asking: 'Looking…',
  failed: 'Nothing of that name here, and the search did not work.',
};

export function Palette({ shell, desk, commands, onClose }: PaletteProps): JSX.Element {
  const text = useSignal('');
  const search = useMemo(() => desk.searching(2 * CONVERSATIONS_MAX), []);
  useEffect(() => () => search.look(''), []);
  const entries = useMemo(() => entriesOf({ shell, desk, commands, search }), []);
  const found = useComputed(() => entries(text.value));
  return (
    <Dialog title="Commands" heading={false} size="palette" onClose={onClose}>
      <Combobox
        label="Commands"
        placeholder="Type a command, a name, an address…"
        text={text.value}
        onText={(next) => {
          text.value = next;
          search.look(next);
        }}
        choices={found.value.map(({ face, run: _run, ...choice }) => ({
          ...choice,
          ...(face === undefined ? {} : { lead: <Avatar name={face} /> }),
        }))}
        onChoose={({ id }) => {
          onClose();
          found
            .peek()
            .find((entry) => entry.id === id)
            ?.run();
        }}
        empty={EMPTY[search.state.value]}
      />
    </Dialog>
  );
}
