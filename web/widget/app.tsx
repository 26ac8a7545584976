/** The inside of the widget. */

import { signal } from '@preact/signals-core';
import type { JSX } from 'preact';
import type { Item } from '../ui/transcript.ts';
import { Head } from './head.tsx';
import { later } from './later.tsx';
import { Log } from './log.tsx';
import { Messages } from './messages.tsx';
import type { Widget } from './model.ts';
import { language, placeOf, say } from './words.ts';
import { Write } from './write.tsx';

const Before = later(() => import('./forms.tsx').then((part) => part.Before));
const Topics = later(() => import('./forms.tsx').then((part) => part.Topics));
const Ended = later(() => import('./ended.tsx').then((part) => part.Ended));
const Full = later(() => import('./full.tsx').then((part) => part.Full));
const Reach = later(() => import('./reach.tsx').then((part) => part.Reach));

/** Counts the times that the visitor opened the panel, to move the focus then and only then. */
export const opened = signal(0);

export function App({ widget, onClose }: { widget: Widget; onClose: (() => void) | null }) {
  const trouble = widget.trouble.value;
  const place = widget.news.announced.value;
  return (
    <>
      <Head widget={widget} onClose={onClose} />
      <div role="status">{trouble !== null && <p class="bar">{say(trouble)}</p>}</div>
      <div class="sr" role="status">
        {place !== null && placeOf(place)}
      </div>
      <Transcript widget={widget} />
      <Foot widget={widget} />
    </>
  );
}

function Transcript({ widget }: { widget: Widget }): JSX.Element {
  const settings = widget.settings.value;
  const agent = widget.card.value?.agent;
  const typing = widget.typing.value;
  const welcome = widget.conversation.value === null ? settings?.welcome : '';
  const items = withWelcome(widget.chats.items.value, welcome ?? '');
  return (
    <Log
      label={say('conversation')}
      oldest={items.find(({ kind }) => kind !== 'day')?.key ?? ''}
      own={items.findLast((item) => item.kind === 'said' && item.entry !== null)?.key ?? ''}
      others={items.flatMap((item) => (item.kind === 'said' && !item.own ? [item.key] : []))}
      place={widget.stored.place}
      whole={widget.chats.whole}
      older={widget.chats.hasOlder.value ? () => widget.chats.older() : null}
      onPlace={(place) => widget.stored.stay(place)}
      news={(n) => say('news', { n })}
    >
      {widget.chats.hasOlder.value && (
        <li class="line">
          <button type="button" class="link" onClick={() => widget.chats.older()}>
            {say('older')}
          </button>
        </li>
      )}
      <Messages
        items={items}
        language={language.value}
        pictures={settings?.show_avatars === false ? null : picturesOf(widget)}
        reader={agent?.name}
        editing={widget.editing.value?.key}
        now={Date.now()}
        onRetry={(entry) => widget.retry(entry)}
        onDiscard={(entry) => widget.discard(entry)}
      />
      {typing !== null && (
        <li class="typing">
          <span class="dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {say('typing', { name: typing || say('support') })}
        </li>
      )}
    </Log>
  );
}

function Foot({ widget }: { widget: Widget }): JSX.Element | null {
  const settings = widget.settings.value;
  const stage = widget.stage.value;
  switch (stage) {
    case 'loading':
      return null;
    case 'gone':
    case 'identity_required':
      return <p class="ended">{say(stage)}</p>;
    case 'redirect':
      return (
        <p class="ended">
          <a class="primary" href={settings?.offline?.redirect_url ?? ''} target="_top">
            {say('elsewhere')}
          </a>
        </p>
      );
    case 'leave':
    case 'prechat':
      return <Before widget={widget} leave={stage === 'leave'} />;
    case 'ended':
      return <Ended widget={widget} />;
    case 'write':
      return (
        <>
          {widget.conversation.value === null && settings?.departments?.length ? (
            <Topics widget={widget} />
          ) : null}
          {widget.full.value && <Full widget={widget} />}
          {widget.reach.value !== null && <Reach widget={widget} />}
          <Write
            widget={widget}
            text={widget.stored.draft.value}
            editing={widget.editing.value !== null}
            bytesMax={widget.client.textBytes.value}
            opened={opened.value}
            previewed={settings?.preview_typing === true}
          />
        </>
      );
  }
}

/** Pictures by the agent they show, the same map while nothing changed. */
let pictures: ReadonlyMap<string, string> = new Map();

function picturesOf(widget: Widget): ReadonlyMap<string, string> {
  const agent = widget.card.value?.agent;
  if (agent?.avatar && pictures.get(agent.id) !== agent.avatar) {
    pictures = new Map(pictures).set(agent.id, agent.avatar);
  }
  return pictures;
}

/** The same list for the same input, so that it is drawn once. */
let greeted: { items: readonly Item[]; text: string; all: readonly Item[] } | null = null;

/** The welcome as it will stand in the transcript once there is one. */
function withWelcome(items: readonly Item[], text: string): readonly Item[] {
  if (text === '') return items;
  if (greeted?.items === items && greeted.text === text) return greeted.all;
  const welcome: Item = {
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
  const written = items.findIndex((item) => item.kind === 'said' && item.entry !== null);
  const at = written < 0 ? items.length : written;
  greeted = { items, text, all: [...items.slice(0, at), welcome, ...items.slice(at)] };
  return greeted.all;
}
