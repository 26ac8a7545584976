/** After the chat: how it was, and another. */

import { signal } from '@preact/signals-core';
import type { JSX } from 'preact';
import { Icon } from './icons.tsx';
import type { Widget } from './model.ts';
import { say } from './words.ts';

const STARS = [1, 2, 3, 4, 5];

/** What is chosen and not sent yet. */
const chosen = signal(0);

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
        onClick={() => {
          chosen.value = 0;
          void widget.startAgain();
        }}
      >
        {say('again')}
      </button>
    </div>
  );
}

function Rate({ widget }: { widget: Widget }): JSX.Element {
  const score = chosen.value;
  return (
    <form
      class="rate"
      onSubmit={(event) => {
        event.preventDefault();
        const comment = new FormData(event.currentTarget).get('comment');
        void widget.rate(score, String(comment ?? '').trim());
      }}
    >
      <fieldset>
        <legend>{say('rate')}</legend>
        {STARS.map((star) => (
          <label key={star} class={star <= score ? 'star on' : 'star'}>
            <input
              type="radio"
              name="score"
              value={star}
              checked={star === score}
              onChange={() => {
                chosen.value = star;
              }}
            />
            <span class="sr">{say('stars', { n: star })}</span>
            <Icon name="star" />
          </label>
        ))}
      </fieldset>
      {score > 0 && (
        <>
          <textarea
            name="comment"
            rows={2}
            dir="auto"
            aria-label={say('comment')}
            placeholder={say('comment')}
          />
          <button type="submit" class="primary">
            {say('rate_send')}
          </button>
        </>
      )}
    </form>
  );
}
