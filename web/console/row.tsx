/** One conversation in a list. */

import type { JSX } from 'preact';
import type { Card } from '../client/frames.ts';
import { Avatar, marked } from '../ui/parts.tsx';
import { duration } from '../ui/time.ts';
import { PriorityBadge, StatusBadge } from './badges.tsx';
import { now } from './clock.ts';
import { Company } from './company.tsx';
import type { Desk } from './desk.ts';
import type { Density } from './prefs.ts';
import { pathOf } from './shell.ts';
import { lastLine, visitorName } from './words.ts';

/** As in `list.css`. */
export const ROW_PX: Record<Density, number> = { comfortable: 84, compact: 58 };

interface RowProps {
  desk: Desk;
  id: string;
  /** From 1, for who cannot see how long the list is. */
  place: number;
  of: number;
  /** Whether the Tab key stops here. */
  stop: boolean;
}

export function Row({ desk, id, place, of, stop }: RowProps): JSX.Element {
  const card = desk.client.cards.of(id).value;
  const open = desk.selected.value === id;
  if (card === null) return <li class="row" aria-setsize={of} aria-posinset={place} />;
  const name = visitorName(card);
  const draft = desk.drafts.held.value.has(id);
  const picked = desk.picked.has(id);
  const aside = desk.marks.ids.value.has(id);
  const words = desk.search.words.value;
  return (
    <li
      class={`row${open ? ' open' : ''}${card.unread > 0 || aside ? ' fresh' : ''}${picked ? ' picked' : ''}`}
      data-row={id}
      aria-setsize={of}
      aria-posinset={place}
    >
      <a
        href={pathOf(id)}
        data-place={stop ? 'list' : undefined}
        tabIndex={stop ? 0 : -1}
        aria-current={open ? 'true' : undefined}
        draggable={false}
      >
        <Avatar name={name} />
        <span class="what">
          <span class="top-line">
            <strong>
              <bdi>{marked(name, words)}</bdi>
            </strong>
            <Company desk={desk} id={id} />
            <Age card={card} />
          </span>
          <span class="last">
            {draft && <span class="draft-mark">Draft </span>}
            <bdi>{marked(lastLine(card), words)}</bdi>
          </span>
          <span class="badges">
            <StatusBadge card={card} />
            <PriorityBadge card={card} />
            {(card.tags ?? []).slice(0, 2).map((tag) => (
              <span key={tag} class="badge tag">
                {marked(tag, words)}
              </span>
            ))}
            <span class="owner">{marked(ownerOf(desk, card), words)}</span>
          </span>
        </span>
        {card.unread > 0 && (
          <span class="unread">
            {card.unread > 99 ? '99+' : card.unread}
            <span class="sr"> unread</span>
          </span>
        )}
        {card.unread === 0 && aside && (
          <span class="unread marked">
            <span class="sr">marked as unread</span>
          </span>
        )}
      </a>
      <label class="pick">
        <input
          type="checkbox"
          aria-label={`Select ${name}`}
          tabIndex={stop ? 0 : -1}
          checked={picked}
          onClick={(event) => {
            desk.pick(id, event.shiftKey);
            // There may have been no room for it.
            event.currentTarget.checked = desk.picked.has(id);
          }}
        />
      </label>
      {card.status === 'waiting' && (
        <button
          type="button"
          class="quiet slim take"
          aria-label={`Assign to me: ${name}`}
          tabIndex={stop ? 0 : -1}
          disabled={desk.acts.busy.value.has(id)}
          onClick={() => void desk.take(card)}
        >
          Assign to me
        </button>
      )}
    </li>
  );
}

/** A component of its own: time passes for it alone, not for its row. */
function Age({ card }: { card: Card }): JSX.Element {
  const waits = card.status === 'waiting' && card.waiting_since != null;
  const since = Date.parse(waits ? (card.waiting_since ?? '') : card.last_at);
  const age = duration(now.value - since);
  return <span class="ago">{waits && age !== 'now' ? `waits ${age}` : age}</span>;
}

function ownerOf(desk: Desk, card: Card): string {
  if (card.agent === null) return '';
  return card.agent.id === desk.me.id ? 'You' : card.agent.name;
}
