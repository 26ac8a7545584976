/** Colleagues as choices: who is there, and how much they have to do. */

import type { JSX } from 'preact';
import type { AgentPresence, PresenceStatus } from '../client/frames.ts';
import { Avatar } from '../ui/parts.tsx';

export const STATUSES: readonly [PresenceStatus, string][] = [
  ['online', 'Online'],
  ['away', 'Away'],
  ['busy', 'Busy'],
  ['offline', 'Offline'],
];

export function statusText(status: PresenceStatus): string {
  return STATUSES.find(([name]) => name === status)?.[1] ?? status;
}

/** "Online · 2 of 5 chats". */
export function loadOf({ status, active, capacity }: AgentPresence): string {
  return `${statusText(status)} · ${active} of ${capacity} chats`;
}

export function Face({ presence }: { presence: AgentPresence }): JSX.Element {
  return (
    <span class="face">
      <Avatar name={presence.agent.name} src={presence.agent.avatar} />
      <span class={`lamp ${presence.status}`} aria-hidden="true" />
    </span>
  );
}

/** Those who can answer first, and among them those with the most room. */
export function byRoom(a: AgentPresence, b: AgentPresence): number {
  const rank = ({ status }: AgentPresence) => ['online', 'busy', 'away', 'offline'].indexOf(status);
  const room = ({ active, capacity }: AgentPresence) => capacity - active;
  return rank(a) - rank(b) || room(b) - room(a) || a.agent.name.localeCompare(b.agent.name);
}
