/** Where to write to somebody who cannot wait: fetched while somebody waits. */

import { signal } from '@preact/signals-core';
import type { JSX } from 'preact';
import { opened } from './app.tsx';
import type { Widget } from './model.ts';
import { say } from './words.ts';

const failed = signal(false);

export function Reach({ widget }: { widget: Widget }): JSX.Element {
  const email = widget.reach.value;
  const leave = async (form: HTMLFormElement) => {
    const address = String(new FormData(form).get('email')).trim();
    failed.value = !(await widget.introduce({ email: address }));
    if (failed.peek()) return;
    widget.stored.answer({ email: address });
    // The field is gone; the focus goes back to where the visitor writes.
    opened.value += 1;
  };
  if (email) {
    return (
      <p class="ended" role="status" dir="auto">
        {say('reached', { email })}
      </p>
    );
  }
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        void leave(event.currentTarget);
      }}
    >
      <label>
        {say('reach')}
        <input name="email" type="email" autocomplete="email" dir="auto" required />
      </label>
      {failed.value && (
        <p class="hint bad" role="alert">
          {say('not_sent')}
        </p>
      )}
      <button type="submit" class="second">
        {say('reach_send')}
      </button>
    </form>
  );
}
