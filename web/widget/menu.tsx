/** What can be set, and what is kept: fetched when the menu is opened. */

import type { JSX } from 'preact';
import type { Widget } from './model.ts';
import { say, type Words } from './words.ts';

export function Items({ widget }: { widget: Widget }): JSX.Element {
  const running = widget.conversation.value !== null && widget.stage.value === 'write';
  const sound = widget.stored.sound.value;
  const item = (word: keyof Words, run: () => void) => (
    <button
      type="button"
      onClick={(event) => {
        event.currentTarget.closest('details')?.removeAttribute('open');
        run();
      }}
    >
      {say(word)}
    </button>
  );
  return (
    <div>
      <label>
        <input
          type="checkbox"
          checked={sound}
          onChange={() => {
            widget.hear(!sound);
          }}
        />
        {say('sound')}
      </label>
      {widget.card.value !== null && item('download', () => save(widget))}
      {running && item('end', () => void widget.end())}
      <p>
        <b>{say('privacy')}</b>
        {say('kept')}
      </p>
    </div>
  );
}

function save(widget: Widget): void {
  widget.notice.value = null;
  import('./download.ts')
    .then((part) => part.download(widget))
    .catch(() => {
      widget.notice.value = 'no_file';
    });
}
