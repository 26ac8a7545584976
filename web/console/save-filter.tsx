/** Keeps what is looked for under a name. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Dialog } from '../ui/dialog.tsx';
import { type Filtering, NAME_MAX } from './filtering.ts';
import { focusOn } from './panels.ts';

interface SaveFilterProps {
  filtering: Filtering;
  onClose(): void;
}

export function SaveFilter({ filtering, onClose }: SaveFilterProps): JSX.Element {
  const name = useSignal('');
  const trouble = useSignal<string | null>(null);
  const keep = () => {
    trouble.value = filtering.refusal(name.peek());
    if (trouble.peek() !== null) return;
    filtering.keep(name.peek());
    onClose();
    focusOn('search');
  };
  return (
    <Dialog title="Save this filter" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          keep();
        }}
      >
        <label class="field">
          Name
          <input
            type="text"
            data-focus
            autocomplete="off"
            dir="auto"
            maxLength={NAME_MAX}
            value={name.value}
            onInput={(event) => {
              name.value = event.currentTarget.value;
            }}
          />
        </label>
        <p class="wrong" role="alert">
          {trouble.value}
        </p>
        <div class="buttons">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
