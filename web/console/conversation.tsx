/** The open conversation. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Conversation } from '../client/conversation.ts';
import type { Card } from '../client/frames.ts';
import { Messages } from '../ui/messages.tsx';
import { Avatar, Composer, Icon, Log, TypingDots } from '../ui/parts.tsx';
import { Tabs } from '../ui/tabs.tsx';
import { PriorityBadge, StatusBadge } from './badges.tsx';
import { now } from './list.tsx';
import { type Desk, type Mode, visitorName } from './model.ts';
import { TransferDialog } from './transfer.tsx';

export function ConversationPane({ desk }: { desk: Desk }): JSX.Element {
  const conversation = desk.conversation.value;
  if (conversation === null) {
    return (
      <section class="talk nothing" aria-label="Open conversation">
        <Icon name="inbox" />
        <h2>No conversation open</h2>
        <p>Choose one from the list, or accept who waits longest.</p>
      </section>
    );
  }
  const refused = conversation.refused.value;
  const card = conversation.card.value;
  if (refused !== null || card === null) {
    return (
      <section class="talk nothing" aria-label="Open conversation">
        <h2>{refused === null ? 'Loading…' : 'This conversation cannot be shown'}</h2>
        {refused !== null && <p>It does not exist, or you may not see it.</p>}
        <a href="/console">Back to the lists</a>
      </section>
    );
  }
  return <Talk key={conversation.id} desk={desk} conversation={conversation} card={card} />;
}

interface TalkProps {
  desk: Desk;
  conversation: Conversation;
  card: Card;
}

function Talk({ desk, conversation, card }: TalkProps): JSX.Element {
  const items = desk.items.value;
  const typing = [...conversation.typing.value.values()];
  const name = visitorName(card);
  return (
    <section class="talk" aria-label="Open conversation">
      <Head desk={desk} card={card} />
      <Log
        label={`Conversation with ${name}`}
        newest={items.at(-1)?.key ?? ''}
        oldest={items.find((item) => item.kind !== 'day')?.key ?? ''}
      >
        {conversation.hasOlder && (
          <li>
            <button type="button" class="link older" onClick={() => conversation.fetchOlder()}>
              Show earlier messages
            </button>
          </li>
        )}
        <Messages
          items={items}
          now={now.value}
          onRetry={(entry) => desk.retry(entry)}
          onDiscard={(entry) => desk.discard(entry)}
        />
      </Log>
      <div class="typing" role="status">
        {typing.length > 0 && (
          <>
            <TypingDots />
            {`${typing.map((who) => who || name).join(', ')} is typing…`}
          </>
        )}
      </div>
      <Write desk={desk} card={card} />
    </section>
  );
}

function Head({ desk, card }: { desk: Desk; card: Card }): JSX.Element {
  const name = visitorName(card);
  const transferring = useSignal(false);
  const heading = useRef<HTMLHeadingElement>(null);
  // Opening a conversation is a change of place: the focus goes along, so that it is read out.
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const open = card.status === 'waiting' || card.status === 'active';
  const busy = desk.busy.value.has(card.id);
  const act = (action: string, said: string) => void desk.act(card.id, action, {}, said);
  return (
    <header class="head">
      <a class="plain back" href="/console" aria-label="Back to the lists">
        <Icon name="back" />
      </a>
      <Avatar name={name} large />
      <div class="title">
        <h2 tabIndex={-1} ref={heading}>
          {name}
        </h2>
        <p>
          <StatusBadge card={card} />
          <PriorityBadge card={card} />
          <span>{ownerOf(desk, card)}</span>
          {card.visitor.name != null && <span class="number">#{card.number}</span>}
        </p>
      </div>
      <div class="actions">
        {card.status === 'waiting' && (
          <button
            type="button"
            class="primary"
            disabled={busy}
            onClick={() => void desk.accept(card)}
          >
            <Icon name="check" />
            Accept
          </button>
        )}
        {open && desk.mayMove(card) && (
          <button
            type="button"
            class="quiet"
            disabled={busy}
            onClick={() => {
              transferring.value = true;
            }}
          >
            <Icon name="transfer" />
            Transfer
          </button>
        )}
        {card.status === 'active' && (
          <button
            type="button"
            class="quiet"
            disabled={busy}
            onClick={() => act('resolve', 'Resolved.')}
          >
            <Icon name="check" />
            Resolve
          </button>
        )}
        {open && (
          <button
            type="button"
            class="quiet"
            disabled={busy}
            onClick={() => act('close', 'Closed.')}
          >
            <Icon name="close" />
            Close
          </button>
        )}
        {card.status === 'closed' && (
          <button
            type="button"
            class="quiet"
            disabled={busy}
            onClick={() => act('reopen', 'Open again.')}
          >
            <Icon name="reopen" />
            Reopen
          </button>
        )}
      </div>
      {transferring.value && (
        <TransferDialog
          desk={desk}
          card={card}
          onClose={() => {
            transferring.value = false;
          }}
        />
      )}
    </header>
  );
}

function ownerOf(desk: Desk, card: Card): string {
  const department = desk.departments.value.find(({ id }) => id === card.department)?.name;
  const owner = card.agent === null ? null : card.agent.id === desk.me.id ? 'You' : card.agent.name;
  return [owner, department ?? card.department].filter(Boolean).join(' · ');
}

const MODES: { name: Mode; text: string }[] = [
  { name: 'message', text: 'Reply' },
  { name: 'note', text: 'Internal note' },
];

function Write({ desk, card }: { desk: Desk; card: Card }): JSX.Element {
  const draft = desk.draft(card.id);
  const mode = draft.mode.value;
  const note = mode === 'note';
  const mayReply = card.status === 'active';
  return (
    <div class={note ? 'write noting' : 'write'}>
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
        {note || mayReply ? (
          <Composer
            key={mode}
            label={note ? 'Internal note' : 'Reply'}
            placeholder={note ? 'For your colleagues only…' : 'Write to the visitor…'}
            sendLabel={note ? 'Add note' : 'Send reply'}
            bytesMax={desk.client.textBytes.value}
            text={draft.texts[mode].value}
            onText={(text) => desk.write(card.id, mode, text)}
            onSend={(text) => desk.send(card.id, mode, text)}
          />
        ) : (
          <p class="cannot">
            {card.status === 'waiting'
              ? 'Accept the conversation to reply.'
              : 'This conversation is closed. Reopen it to reply.'}
          </p>
        )}
      </div>
    </div>
  );
}
