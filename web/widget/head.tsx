/** The head of the panel: who is there, and what can be set. */

import type { JSX } from 'preact';
import { Face } from './face.tsx';
import { Icon } from './icons.tsx';
import type { Widget } from './model.ts';
import { language, say } from './words.ts';

export function Head({ widget, onClose }: { widget: Widget; onClose: (() => void) | null }) {
  const settings = widget.settings.value;
  const agent = widget.card.value?.agent ?? null;
  const online = widget.online.value;
  const title = settings?.name ?? say('chat');
  return (
    <div class="head">
      <div class="person">
        {agent !== null && settings?.show_avatars !== false ? (
          <Face name={agent.name} picture={agent.avatar} />
        ) : (
          <span class="face">
            <Icon name="talk" />
          </span>
        )}
        <span class={online ? 'dot on' : 'dot'} />
      </div>
      <div class="title">
        <h1 dir="auto">{title}</h1>
        <p dir="auto">{lineOf(widget, online, agent?.name ?? null)}</p>
      </div>
      <Menu widget={widget} />
      {onClose !== null && (
        <button type="button" class="round" aria-label={say('close')} onClick={onClose}>
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

function lineOf(widget: Widget, online: boolean, agent: string | null): string {
  const settings = widget.settings.value;
  if (widget.stage.value === 'ended') return say('ended');
  if (agent !== null) return say('here', { name: agent });
  const queue = widget.conversation.value?.queue.value;
  if (queue != null) {
    const place = say('place', { n: queue.position });
    const eta = queue.eta_s?.[1];
    return eta === undefined ? place : `${place} · ${say('wait', { n: Math.ceil(eta / 60) })}`;
  }
  if (settings === null) return say('moment');
  if (online) return say('online');
  const away = settings.offline_message || say('away');
  const next = Date.parse(settings.next_open_at ?? '');
  return Number.isNaN(next) ? away : `${away} ${say('opens', { when: whenOf(next) })}`;
}

function whenOf(at: number): string {
  const parts = { weekday: 'long', hour: 'numeric', minute: '2-digit' } as const;
  return new Intl.DateTimeFormat(language.value.code, parts).format(at);
}

function save(widget: Widget): void {
  widget.notice.value = null;
  import('./download.ts')
    .then((part) => part.download(widget))
    .catch(() => {
      widget.notice.value = 'no_file';
    });
}

function Menu({ widget }: { widget: Widget }): JSX.Element {
  const close = (event: Event) =>
    (event.currentTarget as Element).closest('details')?.removeAttribute('open');
  const running = widget.conversation.value !== null && widget.stage.value === 'write';
  const sound = widget.stored.sound.value;
  return (
    <details
      class="menu"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !event.currentTarget.open) return;
        event.stopPropagation();
        close(event);
        event.currentTarget.querySelector('summary')?.focus();
      }}
    >
      <summary class="round" aria-label={say('menu')}>
        <Icon name="more" />
      </summary>
      <div>
        <label>
          <input
            type="checkbox"
            checked={sound}
            onChange={() => {
              widget.hear(!sound);
            }}
          />
          {say('sound')}
        </label>
        {widget.card.value !== null && (
          <button
            type="button"
            onClick={(event) => {
              close(event);
              save(widget);
            }}
          >
            {say('download')}
          </button>
        )}
        {running && (
          <button
            type="button"
            onClick={(event) => {
              close(event);
              void widget.end();
            }}
          >
            {say('end')}
          </button>
        )}
        <p>
          <b>{say('privacy')}</b>
          {say('kept')}
        </p>
      </div>
    </details>
  );
}
