/** Colleagues who are with a conversation: their faces, and in words what they do there. */

import type { JSX } from 'preact';
import type { Companion } from '../client/frames.ts';
import { Avatar, TypingDots } from '../ui/parts.tsx';
import type { Desk } from './desk.ts';
import { companyWords } from './words.ts';

const FACES_MAX = 3;

export function Faces({ all }: { all: readonly Companion[] }): JSX.Element {
  return (
    <>
      {all.slice(0, FACES_MAX).map(({ agent, typing }) => (
        <span key={agent.id} class="companion">
          <Avatar name={agent.name} src={agent.avatar} />
          {typing && <TypingDots />}
        </span>
      ))}
      {all.length > FACES_MAX && <span aria-hidden="true">+{all.length - FACES_MAX}</span>}
    </>
  );
}

/** In a row. A component of its own: they come and go more often than the row changes. */
export function Company({ desk, id }: { desk: Desk; id: string }): JSX.Element | null {
  const all = (desk.client.company.value.get(id) ?? []).filter(
    ({ agent }) => agent.id !== desk.me.id,
  );
  if (all.length === 0) return null;
  const words = companyWords(all);
  return (
    <span class="company" title={words}>
      <Faces all={all} />
      <span class="sr">{words}</span>
    </span>
  );
}
