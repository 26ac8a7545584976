/**
 * What a public event changes about a card, as far as the event says it. Since when it waits counts
 * only while it does. Pure.
 */

import type { Card, Event } from './frames.ts';

export function fold(card: Card, event: Event): Card {
  const next = { ...card, last_at: event.at };
  switch (event.kind) {
    case 'message':
      return { ...next, last: { from: event.from, text: event.body.text, at: event.at } };
    case 'assigned':
      return {
        ...next,
        status: 'active',
        agent: event.body.agent,
        offline: false,
        transferred: false,
      };
    case 'unassigned':
      return { ...next, status: 'waiting', agent: null, waiting_since: event.at };
    case 'transferred':
      return 'agent' in event.body.to
        ? { ...next, status: 'active', agent: event.body.to.agent, transferred: true }
        : {
            ...next,
            status: 'waiting',
            agent: null,
            transferred: true,
            department: event.body.to.department,
            waiting_since: event.at,
          };
    case 'went_offline':
      return { ...next, offline: true };
    case 'agent_available':
      return { ...next, offline: false };
    case 'visitor_left':
      return { ...next, waiting_since: null };
    case 'visitor_returned':
      return { ...next, waiting_since: event.at };
    case 'closed':
      return { ...next, status: 'closed', resolution: event.body.resolution };
    case 'reopened':
      return {
        ...next,
        status: card.agent === null ? 'waiting' : 'active',
        waiting_since: event.at,
      };
    case 'archived':
      return { ...next, status: 'archived' };
    case 'rated':
      return { ...next, rating: event.body };
    default:
      return next;
  }
}
