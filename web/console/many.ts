/**
 * The same done to several conversations. Each shows it at once and goes back by itself when it is
 * refused; one notice at the end says which did not go, and why. Without a DOM.
 */

import type { Outcome } from '../client/commands.ts';
import type { Card, Priority } from '../client/frames.ts';
import type { Toasts } from '../ui/toasts.tsx';
import {
  type Act,
  type Acts,
  closing,
  filing,
  prioritizing,
  refusalText,
  reopening,
  resolving,
  tagging,
} from './acts.ts';
import { isolated, visitorName } from './words.ts';

/** Something to do with each of several. */
export interface Deed {
  /** How many it was done to, in words: "Resolved 3". */
  done(count: string): string;
  /** Whether it is so already, which is as good as done. */
  already(card: Card): boolean;
  /** Whether conversations that are closed are left alone. */
  openOnly: boolean;
  act(card: Card): Act;
  /** A way back for all of them. */
  back?: { text: string; deed: Deed };
  /** Whether one is through with them then. */
  ends?: boolean;
}

/** A conversation that did not go, and why not. */
interface Left {
  card: Card;
  outcome: Extract<Outcome, { ok: false }>;
}

/** Asked of the server at once: the others of this person have their turns in between. */
const AT_ONCE = 6;
/** Named in the notice; the rest are counted. */
const NAMED_MAX = 3;

/** Answers those that did not go. */
export async function doAll(
  acts: Pick<Acts, 'attempt' | 'fresh'>,
  toasts: Toasts,
  cards: readonly Card[],
  deed: Deed,
): Promise<Card[]> {
  const left: Left[] = [];
  const gone: Card[] = [];
  const waiting = [...cards];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const card = acts.fresh(next);
      const outcome = await attempt(acts, card, deed);
      if (outcome === null) continue;
      if (outcome.ok) gone.push(card);
      else left.push({ card, outcome });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const again = (those: readonly Card[], what: Deed) => () => void doAll(acts, toasts, those, what);
  if (left.length > 0) {
    const those = left.map(({ card }) => card);
    toasts.say(told(left, cards.length, deed), {
      bad: true,
      // A refusal that no second try can change is told without one.
      ...(left.every(({ outcome }) => isFinal(outcome)) ? {} : retry(again(those, deed))),
    });
    return those;
  }
  const { back } = deed;
  toasts.say(`${deed.done(counted(cards.length))}.`, {
    ...(back && gone.length > 0
      ? { action: { text: back.text, run: again(gone, back.deed) } }
      : {}),
  });
  return [];
}

/** `null` when there was nothing to do. */
async function attempt(
  acts: Pick<Acts, 'attempt'>,
  card: Card,
  deed: Deed,
): Promise<Outcome | null> {
  if (deed.already(card)) return null;
  const ended = card.status === 'archived' || (deed.openOnly && card.status === 'closed');
  if (ended) return { ok: false, code: 'closed', by: null };
  return acts.attempt(card, deed.act(card));
}

function told(left: readonly Left[], of: number, deed: Deed): string {
  const named = left.slice(0, NAMED_MAX).map(({ card, outcome }) => {
    return `${isolated(visitorName(card))}: ${refusalText(outcome)}`;
  });
  const more = left.length - named.length;
  return [
    `${deed.done(`${of - left.length} of ${of}`)}.`,
    ...named,
    ...(more > 0 ? [`And ${more} more.`] : []),
  ].join(' ');
}

function counted(count: number): string {
  return count === 1 ? 'one conversation' : `${count} conversations`;
}

function retry(run: () => void): { action: { text: string; run(): void } } {
  return { action: { text: 'Retry', run } };
}

function isFinal({ code }: Left['outcome']): boolean {
  return ['already_accepted', 'forbidden', 'closed', 'not_found'].includes(code);
}

export function takeAll(acts: Pick<Acts, 'taking'>, me: string): Deed {
  return {
    done: (count) => `Assigned ${count} to you`,
    already: (card) => card.status === 'active' && card.agent?.id === me && !card.transferred,
    openOnly: true,
    act: (card) => acts.taking(card),
  };
}

const reopenAll: Deed = {
  done: (count) => `Reopened ${count}`,
  already: isOpen,
  openOnly: false,
  act: reopening,
};

export const resolveAll: Deed = {
  done: (count) => `Resolved ${count}`,
  already: (card) => card.status === 'closed' && card.resolution === 'resolved',
  openOnly: true,
  act: () => resolving,
  back: { text: 'Reopen', deed: reopenAll },
  ends: true,
};

export const closeAll: Deed = {
  done: (count) => `Closed ${count}`,
  already: (card) => card.status === 'closed',
  openOnly: true,
  act: () => closing,
  back: { text: 'Reopen', deed: reopenAll },
  ends: true,
};

export function prioritizeAll(priority: Priority): Deed {
  return {
    done: (count) => `Changed the priority of ${count}`,
    already: (card) => (card.priority ?? 'medium') === priority,
    openOnly: true,
    act: () => prioritizing(priority),
  };
}

export function fileAll(department: string): Deed {
  return {
    done: (count) => `Changed the department of ${count}`,
    already: (card) => card.department === department,
    openOnly: true,
    act: () => filing(department),
  };
}

/** Tags that each gets and loses; what else one has, it keeps. */
export function tagAll(added: readonly string[], removed: readonly string[]): Deed {
  const after = (card: Card) => {
    const kept = (card.tags ?? []).filter((tag) => !removed.includes(tag));
    return [...kept, ...added.filter((tag) => !kept.includes(tag))];
  };
  return {
    done: (count) => `Changed the tags of ${count}`,
    already: (card) => after(card).join('\n') === (card.tags ?? []).join('\n'),
    openOnly: false,
    act: (card) => tagging(after(card)),
  };
}

function isOpen({ status }: Card): boolean {
  return status === 'waiting' || status === 'active';
}
