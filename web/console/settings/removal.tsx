/** The dialog that removes a widget: what happens then, and its name as the proof that it is meant. */

import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from './fields.tsx';
import { when } from './parts.tsx';
import { type Removable, Removal, type RemovalPorts } from './removal.ts';

interface RemoveProps extends RemovalPorts {
  widget: Removable;
  /** The sites on which it is shown. */
  origins: readonly string[];
  onRemoved(name: string): void;
  onClose(): void;
}

export function RemoveDialog(props: RemoveProps): JSX.Element {
  const { widget, origins, remove, load, onRemoved, onClose } = props;
  const removal = useMemo(() => new Removal(widget, { remove, load }), []);
  const name = removal.name.value;
  const changed = removal.changed.value;
  const submit = async () => {
    if (await removal.remove()) onRemoved(name);
  };
  return (
    <Dialog title={`Remove ${name}?`} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <ul class="effects">
          <li>{goneText(origins)}</li>
          <li>Its identity keys end: what your server signed with them is refused.</li>
          <li>The connections of visitors who came in with such a token are closed at once.</li>
          <li>
            Conversations that came through it go on, here and for visitors without an account.
          </li>
        </ul>
        <p class="soft">This cannot be undone.</p>
        <div role="alert">
          {changed !== null && (
            <p class="notice">
              {`${changed.by ?? 'Somebody else'} changed it meanwhile${changed.at === null ? '' : ` (${when(changed.at)})`}, so it was not removed. If it is still to go, remove it anyway.`}
            </p>
          )}
          {removal.trouble.value !== null && <p class="wrong">{removal.trouble.value}</p>}
        </div>
        <TextField
          label="Name of the widget"
          hint={
            <>
              {'Write '}
              <bdi>
                <strong>{name}</strong>
              </bdi>
              {' to remove it.'}
            </>
          }
          focus
          value={removal.typed.value}
          onValue={(value) => {
            removal.typed.value = value;
          }}
        />
        <div class="buttons">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class="primary danger"
            disabled={!removal.ready.value || removal.busy.value}
          >
            {changed === null ? 'Remove it' : 'Remove it anyway'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function goneText(origins: readonly string[]): string {
  const where = origins.length === 0 ? '' : ` from ${origins.join(', ')}`;
  return `It disappears${where} at once, for everybody.`;
}
