/** The dialogs above the pages: pickers, transfer, new chat, the palette and the list of keys. */

import type { JSX } from 'preact';
import type { Command } from './commands.ts';
import type { Desk } from './desk.ts';
import { Keyboard } from './keyboard.tsx';
import { NewChat } from './new-chat.tsx';
import { Palette } from './palette.tsx';
import { type ManyPanel, panel } from './panels.ts';
import { AssignPicker, DepartmentPicker, PriorityPicker, TagPicker } from './pickers.tsx';
import { SaveFilter } from './save-filter.tsx';
import type { Shell } from './shell.ts';
import { TransferDialog } from './transfer.tsx';

interface PanelsProps {
  shell: Shell;
  desk: Desk;
  commands: readonly Command[];
}

export function Panels({ shell, desk, commands }: PanelsProps): JSX.Element | null {
  const open = panel.value;
  if (open === null) return null;
  const close = () => {
    panel.value = null;
  };
  switch (open.name) {
    case 'palette':
      return <Palette shell={shell} desk={desk} commands={commands} onClose={close} />;
    case 'keys':
      return <Keyboard shell={shell} commands={commands} onClose={close} />;
    case 'new-chat':
      return <NewChat shell={shell} desk={desk} onClose={close} />;
    case 'save-filter':
      return <SaveFilter filtering={desk.filtering} onClose={close} />;
    case 'tags':
    case 'priority':
    case 'department':
      return <Many desk={desk} panel={open} onClose={close} />;
    default:
      break;
  }
  const card = desk.client.cards.of(open.conversation).value;
  if (card === null) return null;
  const about = { desk, card, onClose: close };
  switch (open.name) {
    case 'transfer':
      return <TransferDialog {...about} />;
    case 'assign':
      return <AssignPicker {...about} />;
  }
}

interface ManyProps {
  desk: Desk;
  panel: ManyPanel;
  onClose(): void;
}

/** What is set for one conversation or for several. */
function Many({ desk, panel: { name, conversations }, onClose }: ManyProps): JSX.Element | null {
  const cards = conversations.flatMap((id) => desk.client.cards.of(id).value ?? []);
  const [first, ...others] = cards;
  if (first === undefined) return null;
  const about = { desk, cards: [first, ...others] as const, onClose };
  switch (name) {
    case 'tags':
      return <TagPicker {...about} />;
    case 'priority':
      return <PriorityPicker {...about} />;
    case 'department':
      return <DepartmentPicker {...about} />;
  }
}
