/** Where replies and notes are written. A note looks like nothing a visitor will ever see. */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Card } from '../client/frames.ts';
import { Glyph } from '../ui/icons.tsx';
import { Keys } from '../ui/keys.tsx';
import { Tabs } from '../ui/tabs.tsx';
import { duration } from '../ui/time.ts';
import { now } from './clock.ts';
import { type Command, keyOf } from './commands.ts';
import type { Desk } from './desk.ts';
import type { Mode } from './drafts.ts';
import { useEmoji } from './emoji-field.tsx';
import { focusNow, focusOn } from './panels.ts';
import { visitorName } from './words.ts';

const MODES: { name: Mode; text: string }[] = [
  { name: 'message', text: 'Reply' },
  { name: 'note', text: 'Internal note' },
];

interface ComposeProps {
  desk: Desk;
  card: Card;
  commands: readonly Command[];
}

export function Compose({ desk, card, commands }: ComposeProps): JSX.Element {
  const draft = desk.drafts.of(card.id);
  const mode = draft.mode.value;
  const note = mode === 'note';
  return (
    <div class={note ? 'write noting' : 'write'}>
      <HeldReply desk={desk} card={card} />
      <Tabs
        label="What to write"
        id="write"
        tabs={MODES}
        selected={mode}
        onSelect={(next) => {
          draft.mode.value = next;
        }}
      />
      <div role="tabpanel" id="write-panel" aria-labelledby={`write-${mode}`}>
        {note || card.status === 'active' ? (
          <Field key={mode} desk={desk} card={card} mode={mode} commands={commands} />
        ) : (
          <CannotReply desk={desk} card={card} />
        )}
      </div>
    </div>
  );
}

function CannotReply({ desk, card }: { desk: Desk; card: Card }): JSX.Element {
  const waiting = card.status === 'waiting';
  const busy = desk.acts.busy.value.has(card.id);
  return (
    <div class="cannot">
      <p>
        {waiting
          ? 'Nobody answers this yet. It is yours once you take it.'
          : 'This conversation is closed. Reopen it to reply.'}
      </p>
      {card.status !== 'archived' && (
        <button
          type="button"
          class="primary"
          disabled={busy}
          onClick={() => void (waiting ? desk.take(card) : desk.acts.reopen(card))}
        >
          {waiting ? 'Take and reply' : 'Reopen and reply'}
        </button>
      )}
    </div>
  );
}

function Field({ desk, card, mode, commands }: ComposeProps & { mode: Mode }): JSX.Element {
  const finish = keyOf(commands, 'Send and resolve');
  const note = mode === 'note';
  const text = desk.drafts.of(card.id).texts[mode].value;
  const bytesMax = desk.client.textBytes.value;
  const tooLong = text.length * 3 > bytesMax && new TextEncoder().encode(text).length > bytesMax;
  const empty = text.trim() === '';
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // It may have got the focus, or kept it from the conversation before.
    if (document.activeElement === field.current) desk.drafts.enter(card.id);
    return () => desk.drafts.leave(card.id);
  }, [desk, card.id]);
  const emoji = useEmoji(field, (next) => desk.write(card.id, mode, next));
  const send = () => {
    if (!empty && !tooLong) desk.send(card.id, mode, text.trim());
  };
  return (
    <form
      class="compose"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {emoji.choices}
      <textarea
        ref={field}
        {...emoji.aria}
        data-place="composer"
        aria-label={note ? 'Internal note' : 'Reply'}
        aria-invalid={tooLong}
        placeholder={note ? 'For your colleagues only…' : `Write to ${visitorName(card)}…`}
        rows={2}
        dir="auto"
        value={text}
        onInput={(event) => {
          desk.write(card.id, mode, event.currentTarget.value);
          emoji.look();
        }}
        onKeyUp={emoji.look}
        onClick={emoji.look}
        onFocus={() => desk.drafts.enter(card.id)}
        onBlur={() => {
          desk.drafts.leave(card.id);
          emoji.close();
        }}
        onKeyDown={(event) => {
          if (event.isComposing || emoji.press(event)) return;
          if (event.key === 'Escape') {
            event.stopPropagation();
            focusNow('heading');
            return;
          }
          const plain = !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey;
          if (event.key !== 'Enter' || !plain) return;
          event.preventDefault();
          send();
        }}
      />
      <div class="compose-foot">
        <span class="hint">
          {note ? (
            <>
              <Glyph name="lock" />
              The visitor never sees notes
            </>
          ) : (
            finish !== undefined && (
              <>
                <Keys keys={finish} />
                <span>send and resolve</span>
              </>
            )
          )}
        </span>
        <button
          type="submit"
          class={note ? 'primary noted' : 'primary'}
          disabled={empty || tooLong}
        >
          {note ? 'Add note' : 'Send reply'}
        </button>
      </div>
      {tooLong && (
        <p class="too-long" role="alert">
          This is longer than one message can be.
        </p>
      )}
    </form>
  );
}

/** A colleague was quicker, or is about to be. */
function HeldReply({ desk, card }: { desk: Desk; card: Card }): JSX.Element | null {
  const held = desk.guard.held.value;
  if (held === null || held.conversation !== card.id) return null;
  const ago = duration(Math.max(0, now.value - held.at));
  return (
    <div class="strip warn" role="alert">
      <Glyph name="alert" />
      <span class="grow">
        {held.why === 'answered'
          ? `${held.who} replied ${ago === 'now' ? 'just now' : `${ago} ago`}. Your reply was not sent.`
          : `${held.who} is typing a reply right now. Yours was not sent.`}
      </span>
      <button
        type="button"
        class="quiet slim"
        onClick={() => {
          desk.guard.view();
          focusOn('composer');
        }}
      >
        {held.why === 'answered' ? 'View' : 'Wait'}
      </button>
      <button type="button" class="quiet slim" onClick={() => desk.guard.sendAnyway()}>
        Send anyway
      </button>
    </div>
  );
}
