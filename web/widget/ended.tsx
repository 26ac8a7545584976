/** After the chat: how it was, and another. Fetched when one has ended. */

import type { JSX } from 'preact';
import type { Widget } from './model.ts';
import { Rate } from './rate.tsx';
import { say } from './words.ts';

export function Ended({ widget }: { widget: Widget }): JSX.Element {
  const card = widget.card.value;
  const rated = card?.rating != null;
  const asks = !rated && card?.status === 'closed' && card.agent !== null;
  return (
    <div class="ended">
      <p role="status">{rated && say('thanks')}</p>
      {asks && <Rate widget={widget} />}
      <button
        type="button"
        class={asks ? 'second' : 'primary'}
        onClick={() => void widget.chats.startAgain()}
      >
        {say('again')}
      </button>
    </div>
  );
}
