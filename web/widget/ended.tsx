/** After the chat: how it was, and another. */

import type { JSX } from 'preact';
import { later } from './later.tsx';
import type { Widget } from './model.ts';
import { say } from './words.ts';

const Rate = later(() => import('./rate.tsx').then((part) => part.Rate));

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
