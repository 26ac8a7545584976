/** Words in colors: the word says it, the color helps. */

import type { JSX } from 'preact';
import type { Card } from '../client/frames.ts';
import { Glyph } from '../ui/icons.tsx';

export function StatusBadge({ card }: { card: Card }): JSX.Element {
  const [tone, text] = statusOf(card);
  return <span class={`badge ${tone}`}>{text}</span>;
}

function statusOf(card: Card): [string, string] {
  switch (card.status) {
    case 'waiting':
      if (card.offline) return ['waiting', 'Left a message'];
      return card.waiting_since == null ? ['calm', 'Has left'] : ['waiting', 'Waiting'];
    case 'active':
      return card.transferred ? ['brand', 'Handed over'] : ['good', 'Active'];
    case 'closed':
      return ['calm', card.resolution === 'resolved' ? 'Resolved' : 'Closed'];
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

/** Whether the site vouches for who this is. */
export function Verified({ verified }: { verified: boolean }): JSX.Element {
  return verified ? (
    <span class="verified" title="The site vouches for who this is">
      <Glyph name="verified" />
      <span class="sr">verified</span>
    </span>
  ) : (
    <span class="badge calm" title="What they typed themselves">
      Unverified
    </span>
  );
}
