/** The open conversation. */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Conversation } from '../client/conversation.ts';
import type { AgentRef, Card, Companion, TypingFrame } from '../client/frames.ts';
import { Glyph } from '../ui/icons.tsx';
import { keysInWords, withKeys } from '../ui/keys.tsx';
import { Patience } from '../ui/lazy.tsx';
import { Menu, type MenuItem } from '../ui/menu.tsx';
import { Avatar, TypingDots } from '../ui/parts.tsx';
import { PriorityBadge, StatusBadge, Verified } from './badges.tsx';
import { type Command, keyOf } from './commands.ts';
import { Faces } from './company.tsx';
import { Compose } from './compose.tsx';
import type { Desk } from './desk.ts';
import { contextShown, toggleContext } from './layout.ts';
import { Transcript } from './messages.tsx';
import type { Prefs } from './prefs.ts';
import { INBOX } from './shell.ts';
import { companyWords, visitorName } from './words.ts';

interface TalkPaneProps {
  desk: Desk;
  prefs: Prefs;
  commands: readonly Command[];
}

export function TalkPane({ desk, prefs, commands }: TalkPaneProps): JSX.Element {
  const conversation = desk.conversation.value;
  const opened = useRef(false);
  opened.current ||= conversation !== null;
  if (conversation === null) return <NoTalk left={opened.current} />;
  const refused = conversation.refused.value;
  const card = conversation.card.value;
  if (refused !== null) {
    return (
      <section class="talk" aria-label="Open conversation">
        <div class="nothing" role="alert">
          <Glyph name="lock" />
          <h2>This conversation cannot be shown</h2>
          <p>It does not exist, or you may not see it.</p>
          <a class="quiet" href={INBOX}>
            Back to the list
          </a>
        </div>
      </section>
    );
  }
  if (card === null) {
    return (
      <section class="talk" aria-label="Open conversation">
        <Patience rows={6} />
      </section>
    );
  }
  return (
    <Talk
      key={conversation.id}
      desk={desk}
      prefs={prefs}
      commands={commands}
      conversation={conversation}
      card={card}
    />
  );
}

/** What is there while nothing is open; `left` when something was. */
function NoTalk({ left }: { left: boolean }): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  // What had the focus may be gone with the conversation; the next key must find a place.
  useEffect(() => {
    if (left && document.activeElement === document.body) heading.current?.focus();
  }, []);
  return (
    <section class="talk" aria-label="Open conversation">
      <div class="nothing">
        <Glyph name="message" />
        <h2 tabIndex={-1} ref={heading}>
          No conversation open
        </h2>
        <p>Choose one from the list, or accept who waits longest.</p>
      </div>
    </section>
  );
}

interface TalkProps extends TalkPaneProps {
  conversation: Conversation;
  card: Card;
}

function Talk({ desk, prefs, commands, conversation, card }: TalkProps): JSX.Element {
  const handed = card.transferred && card.status === 'active' && card.agent?.id === desk.me.id;
  return (
    <section class="talk" aria-label="Open conversation">
      <Head desk={desk} prefs={prefs} commands={commands} conversation={conversation} card={card} />
      {handed && <HandedOver desk={desk} card={card} />}
      <Transcript desk={desk} conversation={conversation} card={card} />
      <Typing desk={desk} conversation={conversation} card={card} />
      <Compose desk={desk} card={card} commands={commands} />
    </section>
  );
}

function Typing({ desk, conversation, card }: Omit<TalkProps, 'prefs' | 'commands'>): JSX.Element {
  const typists = [...conversation.typing.value.values()].filter(
    ({ from }) => from.id !== desk.me.id,
  );
  const names = typists.map(({ from }) => from.name || visitorName(card));
  return (
    <>
      {typists.map(
        ({ from, preview }) =>
          preview && (
            // Not in the status below: that would be read aloud with every few letters.
            <div key={from.id} class="unsent">
              <p class="soft small">Not sent yet</p>
              <p class="unsent-text" dir="auto">
                {preview}
              </p>
            </div>
          ),
      )}
      <div class="typing" role="status">
        {names.length > 0 && (
          <>
            <TypingDots />
            {`${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} typing…`}
          </>
        )}
      </div>
    </>
  );
}

function HandedOver({ desk, card }: { desk: Desk; card: Card }): JSX.Element {
  return (
    <div class="strip brand" role="status">
      <Glyph name="transfer" />
      <span class="grow">This was handed to you. Write to take it over, or hand it back.</span>
      <button
        type="button"
        class="quiet slim"
        disabled={desk.acts.busy.value.has(card.id)}
        onClick={() => void desk.acts.refuse(card)}
      >
        Hand back
      </button>
    </div>
  );
}

/** What has a button in the head, where there is room. The menu has everything but the first. */
const SHOWN = ['Assign to me', 'Transfer…', 'Resolve', 'Reopen'];

function Head({ desk, prefs, commands, conversation, card }: TalkProps): JSX.Element {
  const name = visitorName(card);
  const heading = useRef<HTMLHeadingElement>(null);
  // Opening a conversation is a change of place: the focus goes along, so that it is read out.
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const busy = desk.acts.busy.value.has(card.id);
  const can = commands.filter(({ group, when }) => group === 'Conversation' && (when?.() ?? true));
  const rest = can.filter((command) => !isFirst(command, card) && command.title !== 'Context pane');
  return (
    <header class="head">
      <a class="plain back" href={INBOX} aria-label="Back to the list">
        <Glyph name="back" />
      </a>
      <Avatar name={name} large />
      <div class="title">
        <h2 tabIndex={-1} ref={heading} data-place="heading">
          <bdi>{name}</bdi>
        </h2>
        <p>
          <StatusBadge card={card} />
          <PriorityBadge card={card} />
          {card.visitor.verified === true && <Verified verified />}
          <span class="owner">{ownerOf(desk, card)}</span>
          <span class="number">#{card.number}</span>
          <Viewers desk={desk} conversation={conversation} />
        </p>
      </div>
      <div class="actions">
        {can
          .filter(({ title }) => SHOWN.includes(title))
          .map((command) => (
            <button
              key={command.title}
              type="button"
              class={isFirst(command, card) ? 'primary' : 'quiet'}
              disabled={busy}
              title={command.keys[0] && keysInWords(command.keys[0])}
              onClick={() => command.run()}
            >
              {command.title}
            </button>
          ))}
        <Menu
          label="More for this conversation"
          align="end"
          groups={[
            rest.map(
              (command): MenuItem => ({
                text: command.title,
                keys: command.keys[0],
                onSelect: () => command.run(),
              }),
            ),
          ]}
        >
          <Glyph name="more" />
        </Menu>
        <button
          type="button"
          class="plain"
          aria-label="Context pane"
          aria-pressed={contextShown(prefs).value}
          title={withKeys('Context pane', keyOf(commands, 'Context pane'))}
          onClick={() => toggleContext(prefs)}
        >
          <Glyph name="panel" />
        </button>
      </div>
    </header>
  );
}

/** What one most likely wants next. */
function isFirst({ title }: Command, card: Card): boolean {
  if (card.status === 'waiting') return title === 'Assign to me';
  return title === (card.status === 'active' ? 'Resolve' : 'Reopen');
}

interface ViewersProps {
  desk: Desk;
  conversation: Conversation;
}

/** Colleagues who have it open as well, and what they do. */
function Viewers({ desk, conversation }: ViewersProps): JSX.Element | null {
  const all = withTypists(
    desk.client.viewers.value.get(conversation.id) ?? [],
    conversation.typing.value,
  ).filter(({ agent }) => agent.id !== desk.me.id);
  if (all.length === 0) return null;
  const words = companyWords(all);
  return (
    <span class="viewers" title={words}>
      <Glyph name="eye" />
      <Faces all={all} />
      <span class="viewers-names">{words}</span>
    </span>
  );
}

/** Who looks, and who types; not all who type look, for some come by other programs. */
function withTypists(
  viewers: readonly AgentRef[],
  typing: ReadonlyMap<string, TypingFrame>,
): Companion[] {
  const looking = viewers.map((agent) => ({ agent, typing: typing.has(agent.id) }));
  const others = [...typing.values()]
    .filter(({ from }) => from.kind === 'agent' && viewers.every(({ id }) => id !== from.id))
    .map(({ from }) => ({ agent: { id: from.id, name: from.name ?? '' }, typing: true }));
  return [...looking, ...others];
}

function ownerOf(desk: Desk, card: Card): string {
  const department = desk.departments.value.find(({ id }) => id === card.department)?.name;
  const owner = card.agent === null ? null : card.agent.id === desk.me.id ? 'You' : card.agent.name;
  return [owner, department ?? card.department].filter(Boolean).join(' · ');
}
