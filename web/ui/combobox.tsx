/**
 * A field with a list under it, after the APG pattern for comboboxes: the field keeps the focus,
 * arrows move through the list, Enter chooses. The list is always open; put it into a dialog.
 */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Glyph } from './icons.tsx';
import { Keys } from './keys.tsx';

export interface Choice {
  id: string;
  text: string;
  /** Soft words after the text. */
  detail?: string | undefined;
  keys?: string | undefined;
  /** A picture before the text. */
  lead?: JSX.Element;
  /** Of several that may be chosen: whether it is. */
  chosen?: boolean;
  /** Choices under one heading stand together. */
  group?: string;
}

interface ComboboxProps {
  label: string;
  placeholder: string;
  text: string;
  onText(text: string): void;
  choices: readonly Choice[];
  onChoose(choice: Choice): void;
  /** Shown instead of the list when there is none. */
  empty: ComponentChildren;
  /** More than one may be chosen. */
  many?: boolean;
}

export function Combobox(props: ComboboxProps): JSX.Element {
  const { label, placeholder, text, onText, choices, onChoose, empty, many = false } = props;
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const at = useSignal(0);
  const idx = Math.min(at.value, choices.length - 1);
  useLayoutEffect(() => {
    list.current?.querySelector('[data-active]')?.scrollIntoView({ block: 'nearest' });
  }, [idx, choices]);
  const step = (key: string): number | null => {
    const last = choices.length - 1;
    if (key === 'ArrowDown') return idx >= last ? 0 : idx + 1;
    if (key === 'ArrowUp') return idx <= 0 ? last : idx - 1;
    if (key === 'PageDown') return Math.min(last, idx + 8);
    if (key === 'PageUp') return Math.max(0, idx - 8);
    return null;
  };
  return (
    <div class="combobox">
      <div class="combobox-field">
        <Glyph name="search" />
        <input
          type="text"
          role="combobox"
          aria-label={label}
          aria-expanded={choices.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={idx >= 0 ? `${id}-${idx}` : undefined}
          placeholder={placeholder}
          autocomplete="off"
          spellcheck={false}
          data-focus
          value={text}
          onInput={(event) => {
            at.value = 0;
            onText(event.currentTarget.value);
          }}
          onKeyDown={(event) => {
            if (event.isComposing) return;
            const to = step(event.key);
            const choice = choices[idx];
            if (to !== null) {
              event.preventDefault();
              at.value = to;
            } else if (event.key === 'Enter' && choice !== undefined) {
              event.preventDefault();
              onChoose(choice);
            }
          }}
        />
      </div>
      <div
        ref={list}
        id={`${id}-list`}
        class="combobox-list"
        role="listbox"
        aria-label={label}
        aria-multiselectable={many || undefined}
        hidden={choices.length === 0}
        // The field keeps the focus: a click on the list must not take it.
        onMouseDown={(event) => event.preventDefault()}
      >
        {grouped(choices).map(({ name, members }) => (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset is no part of a listbox.
          <div key={name} role="group" aria-label={name === '' ? label : name}>
            {name !== '' && (
              <p class="combobox-group" aria-hidden="true">
                {name}
              </p>
            )}
            {members.map(({ choice, place }) => (
              <Option
                key={choice.id}
                id={`${id}-${place}`}
                choice={choice}
                active={place === idx}
                many={many}
                onHover={() => {
                  at.value = place;
                }}
                onChoose={() => onChoose(choice)}
              />
            ))}
          </div>
        ))}
      </div>
      {choices.length === 0 && (
        <div class="combobox-empty" role="status">
          {empty}
        </div>
      )}
    </div>
  );
}

interface OptionProps {
  id: string;
  choice: Choice;
  active: boolean;
  many: boolean;
  onHover(): void;
  onChoose(): void;
}

function Option({ id, choice, active, many, onHover, onChoose }: OptionProps): JSX.Element {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys go to the field, which has the focus.
    // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus and names the active one.
    <div
      id={id}
      class="option"
      role="option"
      aria-selected={many ? choice.chosen === true : active}
      data-active={active || undefined}
      onPointerMove={active ? undefined : onHover}
      onClick={onChoose}
    >
      {many && (
        <span class={choice.chosen ? 'tick on' : 'tick'}>
          {choice.chosen && <Glyph name="check" />}
        </span>
      )}
      {choice.lead}
      <span class="option-text">{choice.text}</span>
      {choice.detail !== undefined && <span class="option-detail">{choice.detail}</span>}
      {choice.keys !== undefined && <Keys keys={choice.keys} />}
    </div>
  );
}

interface Group {
  name: string;
  members: { choice: Choice; place: number }[];
}

function grouped(choices: readonly Choice[]): Group[] {
  const groups: Group[] = [];
  choices.forEach((choice, place) => {
    const name = choice.group ?? '';
    let group = groups.at(-1);
    if (group?.name !== name) {
      group = { name, members: [] };
      groups.push(group);
    }
    group.members.push({ choice, place });
  });
  return groups;
}
