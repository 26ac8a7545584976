/** The items of a transcript. */

import type { JSX } from 'preact';
import { discardable, type Entry } from '../client/outbox.ts';
import { Avatar, Icon, Prose } from './parts.tsx';
import { dayName, timeOfDay } from './time.ts';
import type { Item, Progress, Said } from './transcript.ts';

interface MessagesProps {
  items: readonly Item[];
  now: number;
  onRetry(entry: Entry): void;
  onDiscard(entry: Entry): void;
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
  closed: 'the chat has ended',
  too_large: 'it is too long',
  forbidden: 'you may not write here',
  stale_head: 'somebody wrote in the meantime',
};

export function Messages({ items, now, onRetry, onDiscard }: MessagesProps): JSX.Element {
  return (
    <>
      {items.map((item) => {
        if (item.kind === 'day') {
          return (
            <li key={item.key} class="day">
              <span>{dayName(item.at, now)}</span>
            </li>
          );
        }
        if (item.kind === 'line') {
          return (
            <li key={item.key} class="line">
              <span>{item.text}</span>
            </li>
          );
        }
        return <Message key={item.key} said={item} onRetry={onRetry} onDiscard={onDiscard} />;
      })}
    </>
  );
}

interface MessageProps {
  said: Said;
  onRetry(entry: Entry): void;
  onDiscard(entry: Entry): void;
}

function Message({ said, onRetry, onDiscard }: MessageProps): JSX.Element {
  const name = nameOf(said);
  const where = said.note ? 'note' : said.own ? 'own' : 'other';
  return (
    <li class={`said ${where}${said.first ? ' first' : ''}`}>
      {said.first && where === 'other' && <Avatar name={name} />}
      <div class="bubble">
        {said.first && (
          <p class={said.mine && !said.note ? 'who sr' : 'who'}>
            {said.note && <Icon name="lock" />}
            {said.note ? `${name} · internal note` : name}
          </p>
        )}
        {said.redacted ? <em>This message was removed</em> : <Prose text={said.text} />}
        <p class="when">
          {said.edited && 'Edited · '}
          <time dateTime={new Date(said.at).toISOString()}>{timeOfDay(said.at)}</time>
        </p>
      </div>
      {said.progress !== null && (
        <Status said={said} progress={said.progress} onRetry={onRetry} onDiscard={onDiscard} />
      )}
    </li>
  );
}

function Status(props: MessageProps & { progress: Progress }): JSX.Element {
  const { said, progress, onRetry, onDiscard } = props;
  const entry = said.entry;
  const reason = REASONS[entry?.code ?? ''];
  const broken = progress === 'failed' || progress === 'late';
  return (
    <p class={`progress${broken ? ' broken' : ''}`}>
      {PROGRESS[progress]}
      {progress === 'failed' && reason !== undefined && `: ${reason}`}
      {broken && entry !== null && entry.code !== 'closed' && (
        <button type="button" class="link" onClick={() => onRetry(entry)}>
          Retry
        </button>
      )}
      {broken && entry !== null && discardable(entry) && (
        <button type="button" class="link" onClick={() => onDiscard(entry)}>
          Delete
        </button>
      )}
    </p>
  );
}

function nameOf({ author, own }: Said): string {
  if (author.kind === 'system') return own ? 'Automatic message' : 'Support';
  if (author.kind === 'visitor') return own ? 'You' : (author.name ?? 'Visitor');
  return author.name ?? 'Support';
}
