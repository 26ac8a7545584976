/** What can be done while no more may wait: fetched then. */

import type { JSX } from 'preact';
import type { Widget } from './model.ts';
import { say } from './words.ts';

/** Beside the composer: what is sent now is left, and what was refused can be. */
export function Full({ widget }: { widget: Widget }): JSX.Element {
  const { behavior = 'message', redirect_url } = widget.settings.value?.offline ?? {};
  if (!widget.chats.drafted) return <p class="ended">{say('later')}</p>;
  const asksEmail = behavior === 'form' && !widget.who.verified.value;
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        const email = new FormData(event.currentTarget).get('email');
        if (email !== null) widget.stored.answer({ email: String(email).trim() });
        widget.leave();
      }}
    >
      {behavior === 'redirect' && redirect_url ? (
        <a class="primary" href={redirect_url} target="_top">
          {say('elsewhere')}
        </a>
      ) : (
        <>
          {asksEmail && (
            <label>
              {say('email')}
              <input name="email" type="email" autocomplete="email" dir="auto" required />
            </label>
          )}
          <button type="submit" class="primary">
            {say('leave')}
          </button>
        </>
      )}
      <button type="button" class="second" onClick={() => widget.tryAgain()}>
        {say('try_again')}
      </button>
    </form>
  );
}
