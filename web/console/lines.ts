/** What a transcript says to agents of the events that are no messages. Pure. */

import type { Event } from '../client/frames.ts';

/** `departments` are their names by id. */
export function agentLine(event: Event, departments: ReadonlyMap<string, string>): string | null {
  const who = event.from.name ?? (event.from.kind === 'visitor' ? 'The visitor' : 'Support');
  const named = (id: string) => departments.get(id) ?? id;
  switch (event.kind) {
    case 'created':
      return 'The conversation began';
    case 'assigned':
      return event.body.by === 'assign' && event.from.id !== event.body.agent.id
        ? `${who} assigned this to ${event.body.agent.name}`
        : `${event.body.agent.name} joined the chat`;
    case 'unassigned':
      return `${event.body.agent.name} gave this back`;
    case 'transferred': {
      const { to } = event.body;
      return `${who} handed this to ${'agent' in to ? to.agent.name : named(to.department)}`;
    }
    case 'transfer_refused':
      return `${who} handed this back`;
    case 'went_offline':
      return 'Nobody is here right now';
    case 'agent_available':
      return event.body.text;
    case 'visitor_left':
      return 'The visitor has left the line';
    case 'visitor_returned':
      return 'The visitor is back in line';
    case 'closed':
      if (event.from.kind === 'visitor') return 'The visitor ended the chat';
      return event.body.resolution === 'resolved' ? `${who} resolved this` : `${who} closed this`;
    case 'reopened':
      return `${who} opened this again`;
    case 'archived':
      return `${who} archived this`;
    case 'rated':
      return `Rated ${event.body.score} of 5`;
    case 'tagged':
      return event.body.tags.length > 0
        ? `Tags: ${event.body.tags.join(', ')}`
        : 'All tags removed';
    case 'prioritised':
      return `Priority: ${event.body.priority}`;
    case 'department':
      return event.body.department === null
        ? 'No department any more'
        : `Department: ${named(event.body.department)}`;
    case 'ticketed':
      return `Linked to ticket ${event.body.ticket}`;
    case 'watched':
      return `${who} is watching`;
    default:
      return null;
  }
}
