/**
 * Completes shortcodes of emoji in a field, after the APG pattern: the field keeps the focus, arrows
 * move, Enter and Tab choose, Escape closes. A shortcode that was turned down once is left alone.
 */

import { type Signal, signal, useSignal } from '@preact/signals';
import type { JSX, RefObject } from 'preact';
import { useId } from 'preact/hooks';
import { type Begun, begunAt, type Emoji, found, listIn, replaced } from './emoji.ts';

/** The list, once somebody has needed it. */
const list: Signal<readonly Emoji[] | null> = signal(null);
let asked = false;

function fetchList(): void {
  if (asked) return;
  asked = true;
  void import('./emoji-list.ts').then(
    ({ LIST }) => {
      list.value = listIn(LIST);
    },
    () => {
      // The next shortcode asks again.
      asked = false;
    },
  );
}

export interface EmojiField {
  /** What the field says of it. */
  aria: {
    'aria-autocomplete': 'list';
    'aria-controls': string | undefined;
    'aria-activedescendant': string | undefined;
  };
  /** Takes a key; says whether it was meant for the list. */
  press(event: KeyboardEvent): boolean;
  /** The text or the caret has changed. */
  look(): void;
  close(): void;
  /** The list, where there is one. */
  choices: JSX.Element;
}

export function useEmoji(
  field: RefObject<HTMLTextAreaElement | null>,
  write: (text: string) => void,
): EmojiField {
  const id = useId();
  const begun = useSignal<Begun | null>(null);
  const at = useSignal(0);
  /** Where the colon of a shortcode stands that was turned down. */
  const left = useSignal(-1);
  const code = begun.value;
  const choices = code === null ? [] : found(list.value ?? [], code.code);
  const active = Math.min(at.value, choices.length - 1);
  const look = () => {
    const element = field.current;
    if (element === null) return;
    const { value, selectionStart, selectionEnd } = element;
    const next = selectionStart === selectionEnd ? begunAt(value, selectionStart) : null;
    if (next === null || next.from !== left.peek()) left.value = -1;
    const shown = next !== null && next.from === left.peek() ? null : next;
    if (shown?.code !== begun.peek()?.code) at.value = 0;
    if (shown !== null) fetchList();
    begun.value = shown;
  };
  const choose = (emoji: Emoji) => {
    const element = field.current;
    if (element === null || code === null) return;
    const { text, caret } = replaced(element.value, code, emoji);
    begun.value = null;
    element.value = text;
    element.setSelectionRange(caret, caret);
    element.focus();
    write(text);
  };
  const press = (event: KeyboardEvent) => {
    const chosen = choices[active];
    if (chosen === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) {
      return false;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) at.value = (active + step + choices.length) % choices.length;
    else if (event.key === 'Enter' || event.key === 'Tab') choose(chosen);
    else if (event.key === 'Escape') {
      left.value = code?.from ?? -1;
      begun.value = null;
    } else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  const open = choices.length > 0;
  return {
    press,
    look,
    close: () => {
      begun.value = null;
    },
    aria: {
      'aria-autocomplete': 'list',
      'aria-controls': open ? id : undefined,
      'aria-activedescendant': open ? `${id}-${active}` : undefined,
    },
    choices: (
      <>
        <p class="sr" role="status">
          {open ? `${choices.length} emoji, arrows and Enter choose` : ''}
        </p>
        {open && (
          <div
            id={id}
            class="emoji"
            role="listbox"
            aria-label="Emoji"
            // The field keeps the focus: a click on the list must not take it.
            onMouseDown={(event) => event.preventDefault()}
          >
            {choices.map((emoji, idx) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: keys go to the field, which has the focus.
              // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus and names the active one.
              <div
                key={emoji.code}
                id={`${id}-${idx}`}
                class="option"
                role="option"
                aria-selected={idx === active}
                data-active={idx === active || undefined}
                onClick={() => choose(emoji)}
              >
                <span class="emoji-sign">{emoji.sign}</span>
                <span class="option-text">{`:${emoji.code}:`}</span>
              </div>
            ))}
          </div>
        )}
      </>
    ),
  };
}
