/** The head of the panel: who is there, and what can be set. */

import { signal } from '@preact/signals-core';
import type { JSX } from 'preact';
import type { AgentRef } from '../client/frames.ts';
import { Face } from './face.tsx';
import { Icon } from './icons.tsx';
import { later } from './later.tsx';
import type { Widget } from './model.ts';
import { language, placeOf, say } from './words.ts';

const Items = later(() => import('./menu.tsx').then((part) => part.Items));

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
        <p dir="auto">{lineOf(widget, online, agent)}</p>
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

function lineOf(widget: Widget, online: boolean, agent: AgentRef | null): string {
  const settings = widget.settings.value;
  if (widget.stage.value === 'ended') return say('ended');
  if (agent !== null) {
    const here = say('here', { name: agent.name });
    return agent.title ? `${here} · ${agent.title}` : here;
  }
  const queue = widget.line.value;
  if (queue !== null) return placeOf(queue);
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

/** Whether the menu was opened. */
const asked = signal(false);

function Menu({ widget }: { widget: Widget }): JSX.Element {
  return (
    <details
      class="menu"
      onToggle={() => {
        asked.value = true;
      }}
      onKeyDown={(event) => {
        const menu = event.currentTarget;
        if (event.key !== 'Escape' || !menu.open) return;
        event.stopPropagation();
        menu.open = false;
        menu.querySelector('summary')?.focus();
      }}
    >
      <summary class="round" aria-label={say('menu')}>
        <Icon name="more" />
      </summary>
      {asked.value && <Items widget={widget} />}
    </details>
  );
}
