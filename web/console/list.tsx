/** The three lists. */

import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Card } from '../client/frames.ts';
import { Avatar, Icon } from '../ui/parts.tsx';
import { Tabs } from '../ui/tabs.tsx';
import { duration } from '../ui/time.ts';
import { PriorityBadge, StatusBadge } from './badges.tsx';
import { type Desk, type ListName, visitorName } from './model.ts';

/** Now, often enough for waiting times. */
export const now = signal(Date.now());

const NAMES: Record<ListName, string> = { waiting: 'Waiting', mine: 'Mine', all: 'All' };
const EMPTY: Record<ListName, string> = {
  waiting: 'Nobody is waiting.',
  mine: 'You have no open conversations. Accept one from Waiting.',
  all: 'No conversations yet. They appear here as soon as a visitor writes.',
};

export function ListPane({ desk }: { desk: Desk }): JSX.Element {
  const list = desk.list.value;
  const view = desk.lists[list];
  const rows = view.rows.value;
  return (
    <nav class="list" aria-label="Conversations">
      <Tabs
        label="Lists"
        id="list"
        tabs={(Object.keys(NAMES) as ListName[]).map((name) => ({
          name,
          text: NAMES[name],
          count: desk.lists[name].total.value,
        }))}
        selected={list}
        onSelect={(name) => {
          desk.list.value = name;
        }}
      />
      <div class="rows" role="tabpanel" id="list-panel" aria-labelledby={`list-${list}`}>
        {rows.length === 0 ? (
          <p class="empty">{view.loaded.value ? EMPTY[list] : 'Loading…'}</p>
        ) : (
          <ul>
            {rows.map((card) => (
              <Row key={card.id} desk={desk} card={card} />
            ))}
          </ul>
        )}
      </div>
    </nav>
  );
}

function Row({ desk, card }: { desk: Desk; card: Card }): JSX.Element {
  const name = visitorName(card);
  const open = desk.selected.value === card.id;
  return (
    <li class={open ? 'row open' : 'row'}>
      <a href={`/console/c/${card.id}`} aria-current={open ? 'true' : undefined}>
        <Avatar name={name} />
        <span class="what">
          <span class="top-line">
            <strong>{name}</strong>
            <span class="ago">{ageOf(card)}</span>
          </span>
          <span class="last">{lastOf(card)}</span>
          <span class="badges">
            <StatusBadge card={card} />
            <PriorityBadge card={card} />
            {card.agent !== null && (
              <span class="owner">{card.agent.id === desk.me.id ? 'You' : card.agent.name}</span>
            )}
            {card.unread > 0 && (
              <span class="unread">
                {card.unread}
                <span class="sr"> unread</span>
              </span>
            )}
          </span>
        </span>
      </a>
      {card.status === 'waiting' && (
        <button
          type="button"
          class="quiet accept"
          aria-label={`Accept ${name}`}
          disabled={desk.busy.value.has(card.id)}
          onClick={() => void desk.accept(card)}
        >
          <Icon name="check" />
          Accept
        </button>
      )}
    </li>
  );
}

function ageOf(card: Card): string {
  const waits = card.status === 'waiting' && card.waiting_since != null;
  const age = duration(now.value - Date.parse(waits ? (card.waiting_since ?? '') : card.last_at));
  return waits && age !== 'now' ? `waits ${age}` : age;
}

function lastOf(card: Card): string {
  if (card.last === null) return card.subject ?? 'No message yet';
  const who = card.last.from.kind === 'visitor' ? '' : `${card.last.from.name ?? 'Support'}: `;
  return who + card.last.text;
}
