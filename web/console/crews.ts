/** Who works for a department, and how much room they have. Pure. */

import type { AgentPresence } from '../client/frames.ts';

/** A person, and for whom they work; no departments are all of them. */
export interface Worker {
  id: string;
  departments: readonly string[];
}

/** Those of a department who are online: they are the ones whom its queue gives something to. */
export interface Crew {
  online: number;
  active: number;
  capacity: number;
}

export function crewOf(
  department: string,
  workers: readonly Worker[],
  presences: ReadonlyMap<string, AgentPresence>,
): Crew {
  const crew: Crew = { online: 0, active: 0, capacity: 0 };
  for (const { id, departments } of workers) {
    const presence = presences.get(id);
    const works = departments.length === 0 || departments.includes(department);
    if (!works || presence?.status !== 'online') continue;
    crew.online += 1;
    crew.active += presence.active;
    crew.capacity += presence.capacity;
  }
  return crew;
}

/** "2 online · 3 of 10 chats". */
export function crewText({ online, active, capacity }: Crew): string {
  return online === 0 ? 'Nobody online' : `${online} online · ${active} of ${capacity} chats`;
}
