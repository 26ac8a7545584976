/** Small dialogs that set one thing of a conversation. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Card, Priority } from '../client/frames.ts';
import { type Choice, Combobox } from '../ui/combobox.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { folded, rank } from '../ui/fuzzy.ts';
import { Avatar } from '../ui/parts.tsx';
import type { Desk } from './desk.ts';
import { byRoom, Face, loadOf } from './people.tsx';
import { PRIORITIES, visitorName } from './words.ts';

interface PickerProps {
  desk: Desk;
  card: Card;
  onClose(): void;
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

export function PriorityPicker({ desk, card, onClose }: PickerProps): JSX.Element {
  return (
    <Pick
      title={`Priority of ${visitorName(card)}`}
      placeholder="A priority…"
      choices={PRIORITIES.map(([id, text]) => ({
        id,
        text,
        detail: id === card.priority ? 'now' : undefined,
      }))}
      empty="There is no such priority."
      onClose={onClose}
      onPick={({ id }) => {
        if (id !== card.priority) void desk.acts.prioritize(card, id as Priority);
      }}
    />
  );
}

export function DepartmentPicker({ desk, card, onClose }: PickerProps): JSX.Element {
  const departments = desk.departments.value.map(({ id, name }) => ({
    id,
    text: name,
    detail: id === card.department ? 'now' : undefined,
  }));
  return (
    <Pick
      title={`Department of ${visitorName(card)}`}
      placeholder="A department…"
      choices={departments}
      empty="No department of that name."
      onClose={onClose}
      onPick={({ id }) => {
        if (id !== card.department) void desk.acts.file(card, id);
      }}
    />
  );
}

/** Chooses several; closing sets them. */
export function TagPicker({ desk, card, onClose }: PickerProps): JSX.Element {
  const text = useSignal('');
  const tags = useSignal<readonly string[]>(card.tags ?? []);
  const known = new Set(tags.value);
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
    const before = card.tags ?? [];
    const same =
      before.length === tags.value.length && before.every((tag) => tags.value.includes(tag));
    if (!same) void desk.acts.tag(card, [...tags.value]);
  };
  return (
    <Dialog title={`Tags of ${visitorName(card)}`} size="palette" onClose={save}>
      <Combobox
        label={`Tags of ${visitorName(card)}`}
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
