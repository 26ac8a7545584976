/** All keys on one page. */

import type { JSX } from 'preact';
import { Dialog } from '../ui/dialog.tsx';
import { Keys } from '../ui/keys.tsx';
import type { Command } from './commands.ts';
import { SETTINGS, type Shell } from './shell.ts';

interface KeyboardProps {
  shell: Shell;
  commands: readonly Command[];
  onClose(): void;
}

/** Keys of fields and lists, which are no commands. */
const OTHERS: readonly [string, string][] = [
  ['enter', 'Send, in the field'],
  ['shift+enter', 'A new line, in the field'],
  ['arrowdown', 'Next row, in the list'],
  ['arrowup', 'Previous row, in the list'],
  ['shift+click', 'Select up to a row, on its box'],
];

export function Keyboard({ shell, commands, onClose }: KeyboardProps): JSX.Element {
  const { singleKeys } = shell.prefs;
  const groups = new Map<string, Command[]>();
  for (const command of commands) {
    if (command.keys.length === 0) continue;
    groups.set(command.group, [...(groups.get(command.group) ?? []), command]);
  }
  return (
    <Dialog title="Keys" size="wide" onClose={onClose}>
      <label class="check">
        <input
          type="checkbox"
          data-focus
          checked={singleKeys.value}
          onChange={(event) => {
            singleKeys.value = event.currentTarget.checked;
          }}
        />
        <span>
          Single-key shortcuts
          <small>Switched off, only keys with Ctrl, ⌘ or Alt do something.</small>
        </span>
      </label>
      <div class="key-groups">
        {[...groups].map(([name, members]) => (
          <section key={name} class={singleKeys.value ? undefined : 'chords'}>
            <h3>{name}</h3>
            <dl>
              {members.map((command) => (
                <div key={command.title}>
                  <dt>{command.title.replace('…', '')}</dt>
                  <dd>
                    {command.keys.map((keys) => (
                      <Keys key={keys} keys={keys} />
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>Fields and lists</h3>
          <dl>
            {OTHERS.map(([keys, text]) => (
              <div key={keys}>
                <dt>{text}</dt>
                <dd>
                  <Keys keys={keys} />
                </dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
      <p class="soft small">
        While conversations are selected in the list, Assign to me, Resolve, Tags, Priority,
        Department and Mark as unread are for all of them.
      </p>
      <div class="buttons">
        <a class="quiet" href={`${SETTINGS}/preferences`} onClick={onClose}>
          Change keys
        </a>
        <button type="button" class="primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
