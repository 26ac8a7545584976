/** What can be done with all conversations that are selected in the list. */

import type { JSX } from 'preact';
import { Glyph } from '../ui/icons.tsx';
import { withKeys } from '../ui/keys.tsx';
import { Menu } from '../ui/menu.tsx';
import { type Command, keyOf } from './commands.ts';
import type { Desk } from './desk.ts';
import { focusOn } from './panels.ts';

interface PickedBarProps {
  desk: Desk;
  commands: readonly Command[];
}

/** What has a button; the menu has the others. */
const SHOWN = ['Assign to me', 'Resolve'];
const MORE = [
  'Close without resolving',
  'Tags…',
  'Priority…',
  'Department…',
  'Mark as unread',
  'Mark as read',
];

export function PickedBar({ desk, commands }: PickedBarProps): JSX.Element {
  const count = desk.picked.ids.value.length;
  const clear = () => {
    desk.picked.clear();
    focusOn('list');
  };
  const named = (titles: readonly string[]) =>
    commands.filter(({ title, many }) => titles.includes(title) && many !== undefined);
  const departments = desk.departments.value.length > 0;
  return (
    <>
      <p class="sr" role="status">
        {count > 0 ? `${count} selected` : ''}
      </p>
      {count > 0 && (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields.
        <div
          class="picked-bar"
          role="group"
          aria-label="Selected conversations"
          onKeyDown={(event) => {
            if (event.key !== 'Escape' || event.defaultPrevented) return;
            event.preventDefault();
            event.stopPropagation();
            clear();
          }}
        >
          <strong class="grow" aria-hidden="true">{`${count} selected`}</strong>
          {named(SHOWN).map(({ title, keys, many }) => (
            <button
              key={title}
              type="button"
              class="quiet slim"
              title={withKeys(title, keys[0])}
              onClick={() => {
                many?.();
                focusOn('list');
              }}
            >
              {title}
            </button>
          ))}
          <Menu
            label="More for the selected"
            align="end"
            groups={[
              named(MORE)
                .filter(({ title }) => departments || title !== 'Department…')
                .map(({ title, keys, many }) => ({
                  text: title,
                  keys: keys[0],
                  onSelect: () => many?.(),
                })),
            ]}
          >
            <Glyph name="more" />
          </Menu>
          <button
            type="button"
            class="plain"
            aria-label="Clear the selection"
            title={withKeys('Clear the selection', keyOf(commands, 'Back to the list'))}
            onClick={clear}
          >
            <Glyph name="close" />
          </button>
        </div>
      )}
    </>
  );
}
