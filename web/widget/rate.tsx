/** How it was. */

import { signal } from '@preact/signals-core';
import type { JSX } from 'preact';
import { Icon } from './icons.tsx';
import type { Widget } from './model.ts';
import { say } from './words.ts';

const STARS = [1, 2, 3, 4, 5];

/** What is chosen and not sent yet, and for which chat. */
const chosen = signal({ chat: '', score: 0 });

export function Rate({ widget }: { widget: Widget }): JSX.Element {
  const chat = widget.conversation.value?.id ?? '';
  const score = chosen.value.chat === chat ? chosen.value.score : 0;
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
                chosen.value = { chat, score: star };
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
