/** What a transcript says to visitors of the events that are no messages. */

import type { Event } from '../client/frames.ts';
import { say } from './words.ts';

/** `departments` are their names by id. */
export function visitorLine(event: Event, departments: ReadonlyMap<string, string>): string | null {
  const name = event.from.name ?? say('support');
  switch (event.kind) {
    case 'assigned':
      return say('joined', { name: event.body.agent.name });
    case 'unassigned':
      return say('waiting');
    case 'transferred': {
      const { to } = event.body;
      const whom =
        'agent' in to ? to.agent.name : (departments.get(to.department) ?? to.department);
      return say('handed', { name, to: whom });
    }
    case 'went_offline':
      return say('nobody');
    case 'agent_available':
      return say('somebody');
    case 'closed':
      return say(event.from.kind === 'visitor' ? 'you_ended' : 'ended');
    case 'reopened':
      return say('reopened');
    case 'rated':
      return say('rated', { n: event.body.score });
    default:
      return null;
  }
}
