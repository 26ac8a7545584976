/** What agents read beyond the public stream. Pure. */

import { fold } from './card.ts';
import type { Card, Event } from './frames.ts';

/** What any event changes about a card. */
export function foldAll(card: Card, event: Event): Card {
  const next = fold(card, event);
  switch (event.kind) {
    case 'tagged':
      return { ...next, tags: event.body.tags };
    case 'prioritised':
      return { ...next, priority: event.body.priority };
    case 'department':
      return { ...next, department: event.body.department };
    case 'ticketed':
      return { ...next, ticket: event.body.ticket };
    default:
      return next;
  }
}

/**
 * Both streams as one list. An internal event stands directly after the public one that was the
 * head when it was written; before older public events are loaded it stays out of sight.
 */
export function merged(publicEvents: readonly Event[], internal: readonly Event[]): Event[] {
  const first = publicEvents[0]?.seq ?? 0;
  const out: Event[] = [];
  let at = internal.findIndex((event) => (event.public_head ?? 0) >= first - 1);
  if (at < 0) at = internal.length;
  for (const event of publicEvents) {
    while (at < internal.length && (internal[at]?.public_head ?? 0) < event.seq) {
      const note = internal[at++];
      if (note !== undefined) out.push(note);
    }
    out.push(event);
  }
  out.push(...internal.slice(at));
  return out;
}
