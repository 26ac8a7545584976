/** Begins a conversation with a customer, who meets it live or by a link. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Card } from '../client/frames.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Glyph } from '../ui/icons.tsx';
import { Patience } from '../ui/lazy.tsx';
import { quotable } from './api.ts';
import type { Desk } from './desk.ts';
import type { Shell } from './shell.ts';

interface NewChatProps {
  shell: Shell;
  desk: Desk;
  onClose(): void;
}

interface Widget {
  id: string;
  name?: string | null;
}

interface Begun extends Card {
  /** For the customer, once; `null` when they were told or will find it. */
  link: string | null;
  /** Whether they are here and were told. */
  live: boolean;
}

const MAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

export function NewChat({ shell, desk, onClose }: NewChatProps): JSX.Element {
  const begun = useSignal<Begun | null>(null);
  const open = (card: Begun) => {
    onClose();
    shell.router.go('/console');
    desk.selected.value = card.id;
  };
  if (begun.value !== null) {
    const card = begun.value;
    return (
      <Dialog title="The chat is open" onClose={() => open(card)}>
        <LinkToCopy shell={shell} link={card.link ?? ''} />
        <div class="buttons">
          <button type="button" class="primary" onClick={() => open(card)}>
            Open the conversation
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="New chat" onClose={onClose}>
      <Form
        shell={shell}
        onClose={onClose}
        onBegun={(card) => {
          desk.client.learn(card);
          desk.acts.taken.add(card.id);
          if (card.link === null) {
            shell.toasts.say(
              card.live
                ? 'They have it in their chat window.'
                : 'They find it when they open the chat again.',
            );
            open(card);
          } else {
            begun.value = card;
          }
        }}
      />
    </Dialog>
  );
}

function LinkToCopy({ shell, link }: { shell: Shell; link: string }): JSX.Element {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(link);
      shell.toasts.say('Copied.');
    } catch {
      shell.toasts.say('The browser did not allow it. Copy it by hand.', { bad: true });
    }
  };
  return (
    <>
      <p class="soft">
        They are not in a chat window right now. Send them this link: it works once and leads to
        this conversation.
      </p>
      <div class="copy">
        <input class="input" readOnly aria-label="Link for the customer" value={link} />
        <button type="button" class="quiet" data-focus onClick={() => void copy()}>
          <Glyph name="copy" />
          Copy
        </button>
      </div>
    </>
  );
}

interface FormProps {
  shell: Shell;
  onClose(): void;
  onBegun(card: Begun): void;
}

function Form({ shell, onClose, onBegun }: FormProps): JSX.Element {
  const widgets = useSignal<readonly Widget[] | null>(null);
  const widget = useSignal('');
  const email = useSignal('');
  const name = useSignal('');
  const text = useSignal('');
  const trouble = useSignal('');
  const sending = useSignal(false);
  const load = async () => {
    trouble.value = '';
    try {
      const { body } = await shell.session.ask<{ items: Widget[] }>('GET', '/v1/widgets');
      widgets.value = body.items;
      widget.value = body.items[0]?.id ?? '';
    } catch (error) {
      trouble.value = quotable('The widgets could not be loaded.', error);
    }
  };
  useEffect(() => void load(), []);
  const wrongMail = email.value.trim() !== '' && !MAIL.test(email.value.trim());
  const ready =
    widget.value !== '' &&
    MAIL.test(email.value.trim()) &&
    text.value.trim() !== '' &&
    !sending.value;
  const begin = async () => {
    sending.value = true;
    trouble.value = '';
    const named = name.peek().trim();
    try {
      const { body } = await shell.session.ask<Begun>('POST', '/v1/conversations/outbound', {
        body: {
          widget: widget.peek(),
          contact: { email: email.peek().trim(), ...(named === '' ? {} : { name: named }) },
          message: { text: text.peek().trim() },
        },
      });
      onBegun(body);
    } catch (error) {
      const words = 'The chat could not be begun. Nothing was sent; please try again.';
      trouble.value = quotable(words, error);
      sending.value = false;
    }
  };
  if (widgets.value === null && trouble.value === '') return <Patience rows={4} />;
  if (widgets.value === null) {
    return (
      <div class="nothing" role="alert">
        <p>{trouble.value}</p>
        <button type="button" class="quiet" onClick={() => void load()}>
          Try again
        </button>
      </div>
    );
  }
  if (widgets.value.length === 0) {
    return <p class="soft">There is no widget yet that the customer could answer in.</p>;
  }
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) void begin();
      }}
    >
      <label class="field">
        Widget
        <select
          value={widget.value}
          onChange={(event) => {
            widget.value = event.currentTarget.value;
          }}
        >
          {widgets.value.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name || one.id}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        Email of the customer
        <input
          type="email"
          data-focus
          required
          autocomplete="off"
          aria-invalid={wrongMail}
          value={email.value}
          onInput={(event) => {
            email.value = event.currentTarget.value;
          }}
        />
        {wrongMail && <span class="wrong">This is no email address.</span>}
      </label>
      <label class="field">
        Name, if you know it
        <input
          type="text"
          autocomplete="off"
          dir="auto"
          value={name.value}
          onInput={(event) => {
            name.value = event.currentTarget.value;
          }}
        />
      </label>
      <label class="field">
        First message
        <textarea
          required
          rows={3}
          dir="auto"
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
      </label>
      {trouble.value !== '' && (
        <p class="wrong" role="alert">
          {trouble.value}
        </p>
      )}
      <div class="buttons">
        <button type="button" class="quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={!ready}>
          Begin the chat
        </button>
      </div>
    </form>
  );
}
