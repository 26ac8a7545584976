/** All commands with their keys, and a dialog that gives one of them others. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import { Dialog } from '../../ui/dialog.tsx';
import { named } from '../../ui/hotkeys.ts';
import { Glyph } from '../../ui/icons.tsx';
import { Keys, keysInWords } from '../../ui/keys.tsx';
import type { Command } from '../commands.ts';
import {
  choose,
  extended,
  type Holder,
  holdersOf,
  isChord,
  KEYS_MAX,
  keymap,
  refusalOf,
  reset,
} from '../keymap.ts';
import type { Prefs } from '../prefs.ts';
import { useFound } from './findable.tsx';
import { Panel } from './parts.tsx';

interface PanelProps {
  prefs: Prefs;
  commands: readonly Command[];
}

export function ChosenKeysPanel({ prefs, commands }: PanelProps): JSX.Element {
  const editing = useSignal<Command | null>(null);
  const said = useSignal('');
  const chosen = prefs.keys.value;
  const groups = [...new Set(commands.map(({ group }) => group))];
  const say = ({ title, keys }: Command) => {
    said.value = `${plain(title)}: ${listOf(keys)}.`;
  };
  return (
    <Panel
      title="Keys"
      text={
        prefs.singleKeys.value
          ? 'Those with Ctrl, ⌘ or Alt work while you write, too; the others when you do not.'
          : 'Only those with Ctrl, ⌘ or Alt work: single-key shortcuts are switched off above.'
      }
    >
      {groups.map((group) => (
        <div key={group} class="key-group">
          <h4>{group}</h4>
          <ul class="chosen-keys" aria-label={`Keys: ${group}`}>
            {commands
              .filter((command) => command.group === group)
              .map((command) => (
                <KeysRow
                  key={command.title}
                  command={command}
                  onChange={() => {
                    editing.value = command;
                  }}
                />
              ))}
          </ul>
        </div>
      ))}
      <p role="status" class="soft small">
        {said.value}
      </p>
      <div class="buttons start">
        <button
          type="button"
          class="quiet"
          disabled={Object.keys(chosen).length === 0}
          onClick={() => {
            prefs.keys.value = {};
            said.value = 'All keys are as they come.';
          }}
        >
          Reset all keys
        </button>
      </div>
      {editing.value !== null && (
        <KeysDialog
          command={editing.value}
          prefs={prefs}
          commands={commands}
          onDone={say}
          onClose={() => {
            editing.value = null;
          }}
        />
      )}
    </Panel>
  );
}

function KeysRow({ command, onChange }: { command: Command; onChange(): void }): JSX.Element {
  const { title, group, keys } = command;
  const shown = useFound(title, group, ...keys.map(keysInWords));
  return (
    <li hidden={!shown}>
      <span class="grow">{plain(title)}</span>
      <span class="chosen-caps">
        {keys.length === 0 && <span class="soft small">no key</span>}
        {keys.map((one) => (
          <Keys key={one} keys={one} />
        ))}
      </span>
      <button
        type="button"
        class="quiet slim"
        aria-label={`Change the keys of ${plain(title)}`}
        onClick={onChange}
      >
        Change…
      </button>
    </li>
  );
}

interface KeysDialogProps extends PanelProps {
  command: Command;
  /** The keys are others now. */
  onDone(command: Command): void;
  onClose(): void;
}

function KeysDialog({ command, prefs, commands, onDone, onClose }: KeysDialogProps): JSX.Element {
  const pressed = useSignal('');
  const id = useId();
  const { title, keys, usual } = command;
  const chosen = prefs.keys.value;
  const wanted = pressed.value;
  const refused = wanted === '' ? null : refusalOf(wanted);
  const holders =
    wanted === '' || refused !== null ? [] : holdersOf(wanted, title, keymap(commands, chosen));
  const ready = wanted !== '' && refused === null && !keys.includes(wanted);
  const set = (next: readonly string[]) => {
    prefs.keys.value = choose(chosen, title, next);
    pressed.value = '';
    onDone(command);
  };
  const press = (event: KeyboardEvent) => {
    if (event.isComposing || ['Tab', 'Escape'].includes(event.key)) return;
    const key = named(event);
    // Enter goes on, as in any form, once there is something to go on with.
    if (key === null || event.repeat || (key === 'enter' && wanted !== '')) return;
    event.preventDefault();
    const clears = key === 'backspace' || key === 'delete';
    pressed.value = clears ? '' : extended(pressed.peek(), key);
  };
  return (
    <Dialog title={`Keys of ${plain(title)}`} onClose={onClose}>
      <ul class="chosen-keys" aria-label="Keys now">
        {keys.length === 0 && <li class="soft">No key</li>}
        {keys.map((one) => (
          <li key={one}>
            <span class="grow">
              <Keys keys={one} />
            </span>
            <button
              type="button"
              class="plain"
              aria-label={`Take away ${keysInWords(one)}`}
              onClick={() => {
                set(keys.filter((other) => other !== one));
                document.getElementById(id)?.focus();
              }}
            >
              <Glyph name="close" />
            </button>
          </li>
        ))}
      </ul>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!ready) return;
          set([wanted]);
          onClose();
        }}
      >
        <div class="field">
          <label for={id}>New key</label>
          <input
            id={id}
            class="input"
            data-focus
            dir="ltr"
            autocomplete="off"
            aria-describedby={`${id}-hint`}
            aria-invalid={refused !== null ? true : undefined}
            value={wanted === '' ? '' : keysInWords(wanted)}
            onKeyDown={press}
            // Whatever writes without a key, such as an input method, writes nothing here.
            onInput={(event) => {
              const shown = pressed.peek();
              event.currentTarget.value = shown === '' ? '' : keysInWords(shown);
            }}
          />
          <small id={`${id}-hint`}>
            Press it here; two keys after each other are a sequence. Backspace begins anew.
          </small>
        </div>
        <p
          role="status"
          class={refused !== null ? 'wrong' : holders.length > 0 ? 'notice' : 'soft'}
        >
          {tellOf(wanted, refused, holders, keys)}
        </p>
        <div class="buttons">
          <button
            type="button"
            class="quiet"
            disabled={!Object.hasOwn(chosen, title)}
            onClick={() => {
              prefs.keys.value = reset(chosen, title);
              onDone(command);
              onClose();
            }}
          >
            {`Reset to ${listOf(usual)}`}
          </button>
          {keys.length > 0 && (
            <button
              type="button"
              class="quiet"
              disabled={!ready || keys.length >= KEYS_MAX}
              onClick={() => {
                set([...keys, wanted]);
                onClose();
              }}
            >
              Add it
            </button>
          )}
          <button type="submit" class="primary" disabled={!ready}>
            {holders.length > 0 ? 'Take it' : 'Set it'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** What there is to say of what was pressed. */
export function tellOf(
  wanted: string,
  refused: string | null,
  holders: readonly Holder[],
  own: readonly string[],
): string {
  if (wanted === '') return '';
  const words = keysInWords(wanted);
  if (refused !== null) return `${words} cannot be chosen. ${refused}`;
  if (own.includes(wanted)) return `It has ${words} already.`;
  if (holders.length > 0) {
    const held = holders.map(({ title, keys }) =>
      keys === wanted
        ? `${plain(title)} has it now`
        : `${plain(title)} has ${keysInWords(keys)} now`,
    );
    return `${words}: ${held.join(', ')}, and would lose it.`;
  }
  return `${words} is free. It works ${isChord(wanted) ? 'while you write, too' : 'when you do not write'}.`;
}

function listOf(keys: readonly string[]): string {
  return keys.length === 0 ? 'no key' : keys.map(keysInWords).join(', ');
}

function plain(title: string): string {
  return title.replace('…', '');
}
