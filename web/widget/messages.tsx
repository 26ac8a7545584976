/** The items of the visitor's transcript. */

import { Component, type JSX } from 'preact';
import { discardable, type Entry } from '../client/outbox.ts';
import { Prose } from '../ui/prose.tsx';
import type { Item, Progress, Said } from '../ui/transcript.ts';
import { Face } from './face.tsx';
import { type Language, say, type Words } from './words.ts';

interface MessagesProps {
  items: readonly Item[];
  language: Language;
  /** Pictures of agents by their id; `null` for none at all. */
  pictures: ReadonlyMap<string, string> | null;
  /** Who has seen the newest of ours, as far as that is known. */
  reader: string | undefined;
  editing: string | undefined;
  now: number;
  onRetry(entry: Entry): void;
  onDiscard(entry: Entry): void;
}

const PROGRESS: Record<Progress, keyof Words> = {
  sending: 'sending',
  sent: 'sent',
  delivered: 'delivered',
  seen: 'seen',
  late: 'not_sent',
  failed: 'not_sent',
};

/** Why a message was refused, as far as the person can do something about it. */
const REASONS: Record<string, keyof Words> = {
  closed: 'closed',
  too_large: 'too_large',
  forbidden: 'forbidden',
};

/** Draws itself again only when what it shows has changed: it may be long. */
export class Messages extends Component<MessagesProps> {
  override shouldComponentUpdate(next: MessagesProps): boolean {
    const { items, language, pictures, reader, editing } = this.props;
    return (
      items !== next.items ||
      language !== next.language ||
      pictures !== next.pictures ||
      reader !== next.reader ||
      editing !== next.editing
    );
  }

  override render({ items, ...props }: MessagesProps): JSX.Element {
    const time = new Intl.DateTimeFormat(props.language.code, { timeStyle: 'short' });
    return (
      <>
        {items.map((item) =>
          item.kind === 'said' ? (
            message(item, time, props)
          ) : (
            <li key={item.key} class={item.kind}>
              {item.kind === 'day' ? dayName(item.at, props) : item.text}
            </li>
          ),
        )}
      </>
    );
  }
}

function message(
  said: Said,
  time: Intl.DateTimeFormat,
  props: Omit<MessagesProps, 'items'>,
): JSX.Element {
  const name = said.mine ? say('you') : said.author.name || say('support');
  const pictures = said.own ? null : props.pictures;
  return (
    <li
      key={said.key}
      id={said.key}
      class={`said ${said.own ? 'own' : 'other'}${said.first ? ' first' : ''}${said.key === props.editing ? ' editing' : ''}`}
    >
      {said.first && pictures !== null && (
        <Face name={name} picture={pictures.get(said.author.id)} />
      )}
      <div class="bubble">
        <p class={said.first && !said.own ? 'who' : 'sr'}>{name}</p>
        <div dir="auto">
          {said.redacted ? <em>{say('removed')}</em> : <Prose text={said.text} />}
          <small dir="auto">
            {said.edited && `${say('edited')} · `}
            {time.format(said.at)}
          </small>
        </div>
      </div>
      {said.progress !== null && status(said, said.progress, props)}
    </li>
  );
}

function status(
  { entry, text }: Said,
  progress: Progress,
  { reader, onRetry, onDiscard }: Omit<MessagesProps, 'items'>,
): JSX.Element {
  const reason = REASONS[entry?.code ?? ''];
  const seen = progress === 'seen' && reader !== undefined;
  const words = seen ? say('seen_by', { name: reader }) : say(PROGRESS[progress]);
  if (entry === null || (progress !== 'failed' && progress !== 'late')) {
    return <p class="progress">{words}</p>;
  }
  return (
    <p class="progress broken">
      {words}
      {reason !== undefined && `: ${say(reason)}`}
      {entry.code !== 'closed' && action('retry', () => onRetry(entry))}
      {action('copy', () => void navigator.clipboard.writeText(text).catch(() => {}))}
      {discardable(entry) && action('delete', () => onDiscard(entry))}
    </p>
  );
}

function action(word: keyof Words, run: () => void): JSX.Element {
  return (
    <button type="button" class="link" onClick={run}>
      {say(word)}
    </button>
  );
}

/** Today, yesterday, or the date, as the language says it. */
function dayName(at: number, { language, now }: Omit<MessagesProps, 'items'>): string {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const days = Math.floor((at - midnight) / 86_400_000);
  if (days >= -1) {
    return new Intl.RelativeTimeFormat(language.code, { numeric: 'auto' }).format(days, 'day');
  }
  return new Intl.DateTimeFormat(language.code, { dateStyle: 'long' }).format(at);
}
