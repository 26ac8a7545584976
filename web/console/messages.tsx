/** The transcript: it grows at both ends, and one's own words can be changed for a while. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Conversation } from '../client/conversation.ts';
import type { Card, Event } from '../client/frames.ts';
import { discardable, type Entry } from '../client/outbox.ts';
import { Confirm } from '../ui/dialog.tsx';
import { Glyph } from '../ui/icons.tsx';
import { Patience } from '../ui/lazy.tsx';
import { Menu } from '../ui/menu.tsx';
import { Avatar, Prose } from '../ui/parts.tsx';
import { dayName, timeOfDay } from '../ui/time.ts';
import type { Item, Progress, Said } from '../ui/transcript.ts';
import { now } from './clock.ts';
import { Countdown } from './countdown.tsx';
import type { Desk } from './desk.ts';
import { focusOn } from './panels.ts';
import type { Spot } from './where.ts';
import { visitorName } from './words.ts';

/** The server takes changes of one's own words for this long. */
const EDIT_MS = 15 * 60_000;
const NEAR_PX = 48;
/** Pages of older messages that are fetched at most to find a place again. */
const PAGES_MAX = 10;
/** Older messages are fetched before the reader comes to the first. */
const NEAR_TOP_PX = 300;

/** The place of before a reload, until it is found or given up. */
interface Wanted {
  spot: Spot | null;
  /** The first item when older ones were asked for. */
  oldest: string;
  pages: number;
}

interface TranscriptProps {
  desk: Desk;
  conversation: Conversation;
  card: Card;
}

export function Transcript({ desk, conversation, card }: TranscriptProps): JSX.Element {
  const items = desk.items.value;
  const box = useRef<HTMLDivElement>(null);
  const place = useRef({ atEnd: true, fromEnd: 0, oldest: '', seen: 0 });
  const wanted = useRef<Wanted | null>(null);
  wanted.current ??= { spot: desk.where.takeSpot(conversation.id), oldest: '', pages: 0 };
  const unseen = useSignal(0);
  const said = items.filter((item) => item.kind === 'said').length;
  const oldest = items.find((item) => item.kind !== 'day')?.key ?? '';
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const before = place.current;
    const again = wanted.current;
    if (again?.spot != null && bring(element, again.spot)) {
      again.spot = null;
      const fromEnd = element.scrollHeight - element.scrollTop;
      place.current = { atEnd: false, fromEnd, oldest, seen: said };
      return;
    }
    if (again?.spot != null && again.oldest !== oldest) {
      again.oldest = oldest;
      again.pages += 1;
      if (again.pages <= PAGES_MAX && conversation.hasOlder) conversation.fetchOlder();
      else again.spot = null;
    }
    if (before.atEnd) {
      element.scrollTop = element.scrollHeight;
      unseen.value = 0;
    } else if (before.oldest !== oldest) {
      element.scrollTop = element.scrollHeight - before.fromEnd;
    } else if (said > before.seen) {
      unseen.value += said - before.seen;
    }
    place.current = { ...before, oldest, seen: said };
  }, [items]);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const stay = new ResizeObserver(() => {
      if (place.current.atEnd) element.scrollTop = element.scrollHeight;
    });
    stay.observe(element);
    const spot = () => (place.current.atEnd ? null : spotOf(element, conversation.id));
    desk.where.spot = spot;
    return () => {
      stay.disconnect();
      if (desk.where.spot === spot) desk.where.spot = () => null;
    };
  }, []);
  const toEnd = () => {
    const element = box.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  };
  const events = new Map(conversation.timeline.value.map((event) => [event.id, event]));
  return (
    <div class="log-box">
      <div
        class="log"
        role="log"
        aria-label={`Conversation with ${visitorName(card)}`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard.
        tabIndex={0}
        ref={box}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          place.current.fromEnd = scrollHeight - scrollTop;
          place.current.atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
          if (place.current.atEnd) unseen.value = 0;
          const nearTop = scrollTop < NEAR_TOP_PX && !place.current.atEnd;
          if (nearTop && conversation.hasOlder) conversation.fetchOlder();
        }}
      >
        <ol>
          {conversation.hasOlder && (
            <li class="older">
              <button type="button" class="link" onClick={() => conversation.fetchOlder()}>
                Earlier messages
              </button>
            </li>
          )}
          {items.map((item) => (
            <Line key={item.key} item={item} event={events.get(item.key)} desk={desk} card={card} />
          ))}
        </ol>
        {!conversation.loaded.value && items.length === 0 && <Patience rows={5} />}
      </div>
      {unseen.value > 0 && (
        <button type="button" class="pill at-end" onClick={toEnd}>
          <Glyph name="down" />
          {`${unseen.value} new`}
        </button>
      )}
    </div>
  );
}

/** What is on top now; `null` when there is nothing. */
function spotOf(log: HTMLElement, conversation: string): Spot | null {
  const { top } = log.getBoundingClientRect();
  for (const element of log.querySelectorAll<HTMLElement>('[data-item]')) {
    const box = element.getBoundingClientRect();
    const item = element.dataset.item;
    if (box.bottom > top && item !== undefined) return { conversation, item, px: box.top - top };
  }
  return null;
}

/** Scrolls to where it was; `false` when it is not there (yet). */
function bring(log: HTMLElement, { item, px }: Spot): boolean {
  const found = log.querySelector(`[data-item="${CSS.escape(item)}"]`);
  if (found === null) return false;
  log.scrollTop += found.getBoundingClientRect().top - log.getBoundingClientRect().top - px;
  return true;
}

interface LineProps {
  item: Item;
  event: Event | undefined;
  desk: Desk;
  card: Card;
}

function Line({ item, event, desk, card }: LineProps): JSX.Element {
  if (item.kind === 'day') {
    return (
      <li class="day">
        <span>{dayName(item.at, now.value)}</span>
      </li>
    );
  }
  if (item.kind === 'line') {
    return (
      <li class="line" data-item={item.key}>
        <span>{item.text}</span>
      </li>
    );
  }
  return <Message said={item} event={event} desk={desk} card={card} />;
}

interface MessageProps {
  said: Said;
  event: Event | undefined;
  desk: Desk;
  card: Card;
}

function Message({ said, event, desk, card }: MessageProps): JSX.Element {
  const editing = useSignal(false);
  const name = nameOf(said, card);
  const heldUntil = said.entry === null ? undefined : desk.holding.until.value.get(said.entry.id);
  const where = said.note ? 'note' : said.own ? 'own' : 'other';
  return (
    <li class={`said ${where}${said.first ? ' first' : ''}`} data-item={said.key}>
      {said.first && <Avatar name={name} src={pictureOf(said, desk)} />}
      <div class="said-body">
        {said.first && (
          <p class="who">
            <bdi>{said.mine ? 'You' : name}</bdi>
            {said.note && (
              <span class="note-mark">
                <Glyph name="lock" />
                Internal note
              </span>
            )}
            <time dateTime={new Date(said.at).toISOString()}>{timeOfDay(said.at)}</time>
          </p>
        )}
        {editing.value && event !== undefined ? (
          <EditForm
            said={said}
            onClose={() => {
              editing.value = false;
            }}
            onSave={(text) => void desk.acts.edit(card, streamOf(event), event.seq, text)}
          />
        ) : (
          <div class="bubble">
            {said.redacted ? <em class="soft">Removed</em> : <Prose text={said.text} />}
            {said.edited && <span class="edited"> (edited)</span>}
          </div>
        )}
        {said.entry !== null && heldUntil !== undefined ? (
          <Held desk={desk} entry={said.entry} until={heldUntil} />
        ) : (
          said.progress !== null && <Status desk={desk} said={said} progress={said.progress} />
        )}
      </div>
      {event !== undefined && !said.redacted && !editing.value && (
        <MessageMenu
          said={said}
          event={event}
          desk={desk}
          card={card}
          onEdit={() => {
            editing.value = true;
          }}
        />
      )}
    </li>
  );
}

function MessageMenu(props: MessageProps & { event: Event; onEdit(): void }): JSX.Element {
  const { said, event, desk, card, onEdit } = props;
  const removing = useSignal(false);
  const recent = now.value - said.at < EDIT_MS;
  const supervises = desk.me.role !== 'agent';
  const mayEdit = said.mine && recent;
  const mayRemove = mayEdit || supervises;
  return (
    <div class="said-menu">
      <Menu
        label="What to do with this message"
        align="end"
        groups={[
          [
            {
              text: 'Copy text',
              icon: 'copy',
              onSelect: () => void navigator.clipboard.writeText(said.text),
            },
            ...(mayEdit ? [{ text: 'Edit', icon: 'edit' as const, onSelect: onEdit }] : []),
            ...(mayRemove
              ? [
                  {
                    text: 'Remove…',
                    icon: 'trash' as const,
                    danger: true,
                    onSelect: () => {
                      removing.value = true;
                    },
                  },
                ]
              : []),
          ],
        ]}
      >
        <Glyph name="more" />
      </Menu>
      {removing.value && (
        <Confirm
          title="Remove this message?"
          text={
            said.note
              ? 'Your colleagues see that a note was here, not what it said.'
              : 'Everybody sees that a message was here, not what it said. It cannot be brought back.'
          }
          action="Remove"
          danger
          onConfirm={() => void desk.acts.redact(card, streamOf(event), event.seq)}
          onClose={() => {
            removing.value = false;
          }}
        />
      )}
    </div>
  );
}

interface EditFormProps {
  said: Said;
  onSave(text: string): void;
  onClose(): void;
}

function EditForm({ said, onSave, onClose }: EditFormProps): JSX.Element {
  const text = useSignal(said.text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  const save = () => {
    const wanted = text.peek().trim();
    if (wanted !== '' && wanted !== said.text) onSave(wanted);
    onClose();
  };
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <textarea
        ref={field}
        class="input"
        aria-label="Edit the message"
        dir="auto"
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.isComposing) return;
          if (event.key === 'Escape') {
            event.stopPropagation();
            onClose();
          } else if (event.key === 'Enter' && !event.shiftKey) {
            event.preventDefault();
            save();
          }
        }}
      />
      <div class="buttons">
        <button type="button" class="ghost slim" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" class="primary slim">
          Save
        </button>
      </div>
    </form>
  );
}

const PROGRESS: Record<Progress, string> = {
  sending: 'Sending…',
  sent: 'Sent',
  delivered: 'Delivered',
  seen: 'Seen',
  late: 'Not sent',
  failed: 'Not sent',
};

/** Why a message was refused, as far as the person can do something about it. */
const REASONS: Record<string, string> = {
  closed: 'the conversation is closed',
  too_large: 'it is too long',
  forbidden: 'you may not write here',
  stale_head: 'a colleague answered in the meantime',
};

interface HeldProps {
  desk: Desk;
  entry: Entry;
  /** Milliseconds since the epoch. */
  until: number;
}

/** What was sent and can still be taken back. */
function Held({ desk, entry, until }: HeldProps): JSX.Element {
  return (
    <p class="progress">
      <span class="sr">Sending soon</span>
      <span aria-hidden="true">
        {'Sending in '}
        <Countdown until={until} />
      </span>
      <button
        type="button"
        class="link"
        onClick={() => {
          if (desk.undo(entry)) focusOn('composer');
        }}
      >
        Undo
      </button>
    </p>
  );
}

interface StatusProps {
  desk: Desk;
  said: Said;
  progress: Progress;
}

function Status({ desk, said, progress }: StatusProps): JSX.Element {
  const entry = said.entry;
  const reason = REASONS[entry?.code ?? ''];
  const broken = progress === 'failed' || progress === 'late';
  return (
    <p class={`progress${broken ? ' broken' : ''}`}>
      {progress === 'seen' && <Glyph name="check" />}
      {PROGRESS[progress]}
      {progress === 'failed' && reason !== undefined && `: ${reason}`}
      {broken && entry !== null && entry.code !== 'closed' && (
        <button type="button" class="link" onClick={() => desk.retry(entry)}>
          Retry
        </button>
      )}
      {broken && entry !== null && discardable(entry) && (
        <button type="button" class="link" onClick={() => desk.discard(entry)}>
          Delete
        </button>
      )}
    </p>
  );
}

function streamOf(event: Event): 'public' | 'internal' {
  return event.public_head === undefined ? 'public' : 'internal';
}

function nameOf({ author }: Said, card: Card): string {
  if (author.kind === 'system') return 'Automatic message';
  if (author.kind === 'visitor') return author.name || visitorName(card);
  return author.name || 'Agent';
}

/** Agents have pictures, as far as they are known here. */
function pictureOf({ author }: Said, desk: Desk): string | null | undefined {
  if (author.kind !== 'agent') return undefined;
  return desk.client.agents.value.get(author.id)?.agent.avatar;
}
