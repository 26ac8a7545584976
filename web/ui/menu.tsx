/** A button with a menu, after the APG pattern, in the top layer by the Popover API. */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useId, useRef } from 'preact/hooks';
import { Glyph, type GlyphName } from './icons.tsx';
import { Keys } from './keys.tsx';
import { place, type Side } from './place.ts';

export interface MenuItem {
  text: string;
  icon?: GlyphName;
  /** The keys that do the same, as in `hotkeys.ts`. */
  keys?: string | undefined;
  /** Given: the item is a choice among its neighbors, and whether it is the one. */
  checked?: boolean;
  danger?: boolean;
  onSelect(): void;
}

/** Groups of items; a line is drawn between groups. */
export type MenuGroups = readonly (readonly MenuItem[])[];

interface MenuProps {
  /** The name of the button and of the menu. */
  label: string;
  class?: string;
  align?: Side;
  groups: MenuGroups;
  children: ComponentChildren;
}

export function Menu(props: MenuProps): JSX.Element {
  const { label, groups, align = 'start', children } = props;
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const id = useId();
  // A page may have hundreds of menus: what is in one is drawn when somebody comes near it.
  const near = useSignal(false);
  const come = () => {
    near.value = true;
  };
  const items = () => [...(menu.current?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])];
  const open = (at: number) => {
    menu.current?.showPopover();
    items().at(at)?.focus();
  };
  const close = () => {
    menu.current?.hidePopover();
    button.current?.focus();
  };
  const move = (event: KeyboardEvent) => {
    const all = items();
    const from = all.indexOf(document.activeElement as HTMLElement);
    const to = target(event.key, from, all);
    if (event.key === 'Tab') menu.current?.hidePopover();
    if (to === null) return;
    event.preventDefault();
    all.at(to)?.focus();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        class={props.class ?? 'plain'}
        aria-haspopup="menu"
        aria-expanded={false}
        aria-controls={id}
        aria-label={label}
        title={label}
        popovertarget={id}
        onPointerEnter={come}
        onFocus={come}
        onClick={come}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
          event.preventDefault();
          open(event.key === 'ArrowDown' ? 0 : -1);
        }}
      >
        {children}
      </button>
      <div
        ref={menu}
        id={id}
        class="menu"
        popover="auto"
        role="menu"
        tabIndex={-1}
        aria-label={label}
        onToggle={(event) => {
          const opened = event.newState === 'open';
          button.current?.setAttribute('aria-expanded', String(opened));
          if (!opened || button.current === null || menu.current === null) return;
          place(button.current, menu.current, align);
          if (!menu.current.contains(document.activeElement)) {
            (items().find((item) => item.ariaChecked === 'true') ?? items()[0])?.focus();
          }
        }}
        onKeyDown={move}
      >
        {(near.value ? groups : []).map((group, idx) => (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset is no part of a menu.
          <div key={idx} role="group" class="menu-group">
            {group.map((item) => (
              // biome-ignore lint/a11y/useAriaPropsSupportedByRole: checked is for the radio items alone.
              <button
                key={item.text}
                type="button"
                class={item.danger ? 'menu-item danger' : 'menu-item'}
                role={item.checked === undefined ? 'menuitem' : 'menuitemradio'}
                aria-checked={item.checked}
                tabIndex={-1}
                onClick={() => {
                  close();
                  item.onSelect();
                }}
              >
                {item.icon !== undefined && <Glyph name={item.icon} />}
                <span class="grow">{item.text}</span>
                {item.keys !== undefined && <Keys keys={item.keys} />}
                {item.checked && <Glyph name="check" />}
              </button>
            ))}
          </div>
        ))}
      </div>
    </>
  );
}

/** Where a key leads in a menu; `null` when it leads nowhere. */
function target(key: string, from: number, all: readonly HTMLElement[]): number | null {
  if (key === 'ArrowDown') return (from + 1) % all.length;
  if (key === 'ArrowUp') return (from - 1 + all.length) % all.length;
  if (key === 'Home') return 0;
  if (key === 'End') return -1;
  if ([...key].length !== 1 || key === ' ') return null;
  const starts = (item: HTMLElement) =>
    (item.textContent ?? '').trim().toLowerCase().startsWith(key.toLowerCase());
  const after = all.findIndex((item, idx) => idx > from && starts(item));
  const found = after >= 0 ? after : all.findIndex(starts);
  return found >= 0 ? found : null;
}
