/** The inside of the widget. */

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Messages } from '../ui/messages.tsx';
import { Composer, Icon, Log, TypingDots } from '../ui/parts.tsx';
import type { Item } from '../ui/transcript.ts';
import type { Trouble, Widget } from './model.ts';

/** Counts the times that the visitor opened the panel, to move the focus then and only then. */
export const opened = signal(0);

const TROUBLE: Record<Trouble, string> = {
  reconnecting: 'Reconnecting… Your messages will be sent when you are back.',
  cannot_begin: 'The chat could not be started. Please try again later.',
  gone: 'This chat is no longer available.',
};

export function App({ widget, onClose }: { widget: Widget; onClose(): void }): JSX.Element {
  const trouble = widget.trouble.value;
  return (
    <>
      <Head widget={widget} onClose={onClose} />
      <div role="status">{trouble !== null && <p class="bar">{TROUBLE[trouble]}</p>}</div>
      <Transcript widget={widget} />
      <div class="typing" role="status">
        {widget.typing.value !== null && (
          <>
            <TypingDots />
            {widget.typing.value || 'Support'} is typing…
          </>
        )}
      </div>
      {widget.ended.value ? <Ended widget={widget} /> : <Write widget={widget} />}
    </>
  );
}

function Head({ widget, onClose }: { widget: Widget; onClose(): void }): JSX.Element {
  const settings = widget.settings.value;
  const agent = widget.card.value?.agent;
  const online = widget.client.anybodyOnline.value ?? settings?.online ?? false;
  return (
    <div class="head">
      <div>
        <h1>{settings?.name ?? 'Chat'}</h1>
        <p>
          <span class={online ? 'dot on' : 'dot'} aria-hidden="true" />
          {lineOf(widget, online, agent?.name ?? null)}
        </p>
      </div>
      <button type="button" class="close" aria-label="Close chat" onClick={onClose}>
        <Icon name="down" />
      </button>
    </div>
  );
}

function lineOf(widget: Widget, online: boolean, agent: string | null): string {
  if (widget.ended.value) return 'This chat has ended';
  if (agent !== null) return `${agent} is here for you`;
  const queue = widget.conversation.value?.queue.value;
  if (queue != null) {
    const wait = queue.eta_s == null ? '' : ` · about ${Math.ceil(queue.eta_s[1] / 60)} min`;
    return `Number ${queue.position} in line${wait}`;
  }
  if (widget.settings.value === null) return 'One moment…';
  if (online) return 'We are online';
  return widget.settings.value.offline_message || 'We are away; leave us a message';
}

function Transcript({ widget }: { widget: Widget }): JSX.Element {
  const items = widget.items.value;
  const conversation = widget.conversation.value;
  const welcome = widget.settings.value?.welcome ?? '';
  return (
    <Log
      label="Conversation"
      newest={items.at(-1)?.key ?? ''}
      oldest={items.find((item) => item.kind !== 'day')?.key ?? ''}
    >
      {conversation?.hasOlder && (
        <li>
          <button type="button" class="link older" onClick={() => conversation.fetchOlder()}>
            Show earlier messages
          </button>
        </li>
      )}
      <Messages
        items={conversation === null && welcome !== '' ? [greeting(welcome), ...items] : items}
        now={Date.now()}
        onRetry={(entry) => widget.retry(entry)}
        onDiscard={(entry) => widget.discard(entry)}
      />
    </Log>
  );
}

/** The welcome as it will stand in the transcript once there is one. */
function greeting(text: string): Item {
  return {
    kind: 'said',
    key: 'welcome',
    own: false,
    mine: false,
    author: { kind: 'system', id: '' },
    text,
    at: Date.now(),
    note: false,
    edited: false,
    redacted: false,
    first: true,
    progress: null,
    entry: null,
  };
}

function Write({ widget }: { widget: Widget }): JSX.Element {
  const input = useRef<HTMLTextAreaElement>(null);
  const times = opened.value;
  useEffect(() => {
    if (times > 0) input.current?.focus();
  }, [times]);
  return (
    <Composer
      label="Your message"
      placeholder="Write a message…"
      sendLabel="Send"
      bytesMax={widget.client.textBytes.value}
      text={widget.draft.value}
      onText={(text) => widget.write(text)}
      onSend={(text) => widget.send(text)}
      inputRef={input}
    />
  );
}

function Ended({ widget }: { widget: Widget }): JSX.Element {
  return (
    <div class="ended">
      <p>This chat has ended.</p>
      <button type="button" class="primary" onClick={() => void widget.startAgain()}>
        Start a new chat
      </button>
    </div>
  );
}
