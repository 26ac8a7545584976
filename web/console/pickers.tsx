/** Small dialogs that set one thing of a conversation. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Card, Priority } from '../client/frames.ts';
import { type Choice, Combobox } from '../ui/combobox.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { folded, rank } from '../ui/fuzzy.ts';
import { Avatar } from '../ui/parts.tsx';
import type { Desk } from './desk.ts';
import { fileAll, prioritizeAll, tagAll } from './many.ts';
import { byRoom, Face, loadOf } from './people.tsx';
import { PRIORITIES, visitorName } from './words.ts';

interface PickerProps {
  desk: Desk;
  card: Card;
  onClose(): void;
}

interface ManyPickerProps {
  desk: Desk;
  /** At least one. */
  cards: readonly [Card, ...Card[]];
  onClose(): void;
}

/** Whose it is: "Maya", or "3 conversations". */
function owners([first, ...others]: ManyPickerProps['cards']): string {
  return others.length === 0 ? visitorName(first) : `${others.length + 1} conversations`;
}

const SHOWN_MAX = 50;

interface PickProps {
  title: string;
  placeholder: string;
  choices: readonly Choice[];
  empty: string;
  onPick(choice: Choice): void;
  onClose(): void;
}

/** Chooses one and is gone. */
function Pick({ title, placeholder, choices, empty, onPick, onClose }: PickProps): JSX.Element {
  const text = useSignal('');
  const textOf = (choice: Choice) => folded(`${choice.text} ${choice.detail ?? ''}`);
  return (
    <Dialog title={title} size="palette" onClose={onClose}>
      <Combobox
        label={title}
        placeholder={placeholder}
        text={text.value}
        onText={(next) => {
          text.value = next;
        }}
        choices={rank(text.value, choices, textOf, SHOWN_MAX)}
        onChoose={(choice) => {
          onClose();
          onPick(choice);
        }}
        empty={empty}
      />
    </Dialog>
  );
}

export function AssignPicker({ desk, card, onClose }: PickerProps): JSX.Element {
  const others = [...desk.colleagues.value].sort(byRoom);
  const choices: Choice[] = others
    .filter(({ agent }) => agent.id !== card.agent?.id)
    .map((presence) => ({
      id: presence.agent.id,
      text: presence.agent.name,
      detail: loadOf(presence),
      lead: <Face presence={presence} />,
    }));
  if (card.agent?.id !== desk.me.id) {
    const lead = <Avatar name={desk.me.name} />;
    choices.unshift({ id: desk.me.id, text: 'Me', detail: desk.me.name, lead });
  }
  return (
    <Pick
      title={`Assign ${visitorName(card)} to`}
      placeholder="A colleague…"
      choices={choices}
      empty="No colleague of that name."
      onClose={onClose}
      onPick={({ id }) => {
        const colleague = others.find(({ agent }) => agent.id === id);
        if (colleague === undefined) void desk.take(card);
        else void desk.acts.assign(card, colleague.agent);
      }}
    />
  );
}

export function PriorityPicker({ desk, cards, onClose }: ManyPickerProps): JSX.Element {
  const now = (id: string) => cards.every(({ priority }) => priority === id);
  return (
    <Pick
      title={`Priority of ${owners(cards)}`}
      placeholder="A priority…"
      choices={PRIORITIES.map(([id, text]) => ({
        id,
        text,
        detail: now(id) ? 'now' : undefined,
      }))}
      empty="There is no such priority."
      onClose={onClose}
      onPick={({ id }) => {
        if (now(id)) return;
        const [card, ...others] = cards;
        if (others.length > 0) void desk.doPicked(prioritizeAll(id as Priority));
        else void desk.acts.prioritize(card, id as Priority);
      }}
    />
  );
}

export function DepartmentPicker({ desk, cards, onClose }: ManyPickerProps): JSX.Element {
  const now = (id: string) => cards.every(({ department }) => department === id);
  const departments = desk.departments.value.map(({ id, name }) => ({
    id,
    text: name,
    detail: now(id) ? 'now' : undefined,
  }));
  return (
    <Pick
      title={`Department of ${owners(cards)}`}
      placeholder="A department…"
      choices={departments}
      empty="No department of that name."
      onClose={onClose}
      onPick={({ id }) => {
        if (now(id)) return;
        const [card, ...others] = cards;
        if (others.length > 0) void desk.doPicked(fileAll(id));
        else void desk.acts.file(card, id);
      }}
    />
  );
}

/** Chooses several; closing sets them. Of several conversations, those that all of them have. */
export function TagPicker({ desk, cards, onClose }: ManyPickerProps): JSX.Element {
  const text = useSignal('');
  const [card, ...others] = cards;
  const before = (card.tags ?? []).filter((tag) =>
    others.every(({ tags }) => (tags ?? []).includes(tag)),
  );
  const tags = useSignal<readonly string[]>(before);
  const known = new Set([...tags.value, ...cards.flatMap((one) => one.tags ?? [])]);
  for (const id of desk.inbox.order.value) {
    for (const tag of desk.client.cards.of(id).peek()?.tags ?? []) known.add(tag);
  }
  const wanted = text.value.trim();
  const found = rank(wanted, [...known].sort(), folded, SHOWN_MAX);
  const choices: Choice[] = found.map((tag) => ({
    id: tag,
    text: tag,
    chosen: tags.value.includes(tag),
  }));
  if (wanted !== '' && !known.has(wanted)) {
    choices.push({ id: wanted, text: `New tag “${wanted}”`, chosen: false });
  }
  const save = () => {
    onClose();
    const added = tags.value.filter((tag) => !before.includes(tag));
    const removed = before.filter((tag) => !tags.value.includes(tag));
    if (added.length + removed.length === 0) return;
    if (others.length > 0) void desk.doPicked(tagAll(added, removed));
    else void desk.acts.tag(card, [...tags.value]);
  };
  return (
    <Dialog title={`Tags of ${owners(cards)}`} size="palette" onClose={save}>
      <Combobox
        label={`Tags of ${owners(cards)}`}
        placeholder="Find or make a tag…"
        many
        text={text.value}
        onText={(next) => {
          text.value = next;
        }}
        choices={choices}
        onChoose={({ id, chosen }) => {
          tags.value = chosen ? tags.value.filter((tag) => tag !== id) : [...tags.value, id];
          text.value = '';
        }}
        empty="No tags yet. Write one and press Enter."
      />
      <div class="palette-foot">
        <button type="button" class="primary slim" onClick={save}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
