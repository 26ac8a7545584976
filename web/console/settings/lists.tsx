/** What every list of the settings is: things to look through, and a dialog that makes one more. */

import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Dialog } from '../../ui/dialog.tsx';
import { Glyph, type GlyphName } from '../../ui/icons.tsx';
import { inWords } from '../auth/words.ts';
import { Collection } from './collection.ts';
import { TextField } from './fields.tsx';
import { Loaded, Nothing, Search } from './parts.tsx';
import { isShortName, shortName } from './widget.ts';

/** A list that is loaded when its page is first shown. `words` are what a search looks at. */
export function useCollection<Item extends { id: string }>(
  fetch: () => Promise<Item[]>,
  words: (item: Item) => string,
): Collection<Item> {
  const things = useMemo(() => new Collection<Item>(fetch, words), []);
  useEffect(() => void things.load(), []);
  return things;
}

interface ThingListProps<Item extends { id: string }> {
  things: Collection<Item>;
  /** What they are, in the plural. */
  label: string;
  icon: GlyphName;
  /** Shown when there are none at all. */
  empty?: { title: string; text: ComponentChildren };
  /** What stands in the row of one. */
  row(item: Item): ComponentChildren;
  /** Whether one does not count at the moment. */
  off?(item: Item): boolean;
}

export function ThingList<Item extends { id: string }>(props: ThingListProps<Item>): JSX.Element {
  const { things, label, icon, empty, row, off } = props;
  const plural = label.toLowerCase();
  const none = things.items.value.length === 0;
  return (
    <Loaded
      state={things.state.value}
      refusal={things.refusal.value}
      trouble={things.trouble.value}
      onRetry={() => void things.load()}
    >
      <Search collection={things} label={`Search ${plural}`} />
      {things.found.value.length > 0 && (
        <ul class="things" aria-label={label}>
          {things.found.value.map((item) => (
            <li key={item.id} class={off?.(item) ? 'thing off' : 'thing'}>
              {row(item)}
            </li>
          ))}
        </ul>
      )}
      {none && empty !== undefined && (
        <Nothing icon={icon} title={empty.title}>
          {empty.text}
        </Nothing>
      )}
      {!none && things.found.value.length === 0 && (
        <Nothing icon="search" title="None found">
          {`Nothing like it among the ${plural}.`}
        </Nothing>
      )}
    </Loaded>
  );
}

interface AddButtonProps {
  text: string;
  adding: Signal<boolean>;
}

export function AddButton({ text, adding }: AddButtonProps): JSX.Element {
  return (
    <button
      type="button"
      class="primary"
      onClick={() => {
        adding.value = true;
      }}
    >
      <Glyph name="plus" />
      {text}
    </button>
  );
}

interface FormDialogProps {
  title: string;
  /** What the button does. */
  action: string;
  ready: boolean;
  /** What it rejects with is said in the dialog. */
  onSubmit(): Promise<void>;
  onClose(): void;
  children: ComponentChildren;
}

export function FormDialog(props: FormDialogProps): JSX.Element {
  const { title, action, ready, onSubmit, onClose, children } = props;
  const trouble = useSignal<string | null>(null);
  const busy = useSignal(false);
  const submit = async () => {
    if (!ready || busy.peek()) return;
    busy.value = true;
    trouble.value = null;
    try {
      await onSubmit();
    } catch (error) {
      trouble.value = inWords(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {children}
        <p role="alert" class="wrong">
          {trouble.value}
        </p>
        <div class="buttons">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!ready || busy.value}>
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export interface Named {
  name: string;
  id: string;
  ready: boolean;
  /** The field for the name, and the one for the short name. */
  nameField(hint?: string): JSX.Element;
  idField(hint: string): JSX.Element;
}

/** A name and the short name that follows it until somebody writes another. */
export function useNamed(): Named {
  const name = useSignal('');
  const written = useSignal<string | null>(null);
  const id = written.value ?? shortName(name.value);
  return {
    name: name.value.trim(),
    id,
    ready: name.value.trim() !== '' && isShortName(id),
    nameField: (hint) => (
      <TextField
        label="Name"
        hint={hint}
        value={name.value}
        focus
        onValue={(value) => {
          name.value = value;
        }}
      />
    ),
    idField: (hint) => (
      <TextField
        label="Short name"
        hint={hint}
        ltr
        value={id}
        wrong={id === '' || isShortName(id) ? null : 'Only a–z, 0–9, - and _.'}
        onValue={(value) => {
          written.value = value;
        }}
      />
    ),
  };
}
