/** Words in colors: the word says it, the color helps. */

import type { JSX } from 'preact';
import type { Card } from '../client/frames.ts';

export function StatusBadge({ card }: { card: Card }): JSX.Element {
  const [tone, text] = statusOf(card);
  return <span class={`badge ${tone}`}>{text}</span>;
}

function statusOf(card: Card): [string, string] {
  switch (card.status) {
    case 'waiting':
      return card.offline ? ['warn', 'Left a message'] : ['warn', 'Waiting'];
    case 'active':
      return card.transferred ? ['brand', 'Handed over'] : ['good', 'Active'];
    case 'closed':
      return card.resolution === 'resolved' ? ['calm', 'Resolved'] : ['calm', 'Closed'];
    case 'archived':
      return ['calm', 'Archived'];
  }
}

/** Only what stands out: high and urgent. */
export function PriorityBadge({ card }: { card: Card }): JSX.Element | null {
  if (card.priority === 'urgent') return <span class="badge bad">Urgent</span>;
  if (card.priority === 'high') return <span class="badge warn">High</span>;
  return null;
}
