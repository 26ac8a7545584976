/**
 * Whom "Accept next" gives: who waits longest of those that the person works for and has the skills
 * for, after the same rules by which the server hands conversations out. Without a DOM.
 */

import type { Outcome } from '../client/commands.ts';
import type { Card } from '../client/frames.ts';
import type { Clock } from '../client/ports.ts';

/** What a person can, and for whom they work; no departments are all of them. */
export interface Competence {
  skills: readonly string[];
  departments: readonly string[];
}

export interface NextPorts {
  /** What the person can, as of now. Rejects when it cannot be had. */
  competence(): Promise<Competence>;
  /** Who waits and may be taken, longest first, as of now. */
  waiting(): readonly Card[];
  take(card: Card): Promise<Outcome>;
}

/**
 * The one that was taken · `nobody` waits · `unsuited` are all that wait · `refused` by the server ·
 * `unknown` what the person can.
 */
export type Next = Card | 'nobody' | 'unsuited' | 'refused' | 'unknown';

/** How many of those that wait are tried when others are quicker. */
const TRIES_MAX = 5;

export function suits({ skills, departments }: Competence, card: Card): boolean {
  const works =
    card.department == null || departments.length === 0 || departments.includes(card.department);
  return works && (card.skills ?? []).every((skill) => skills.includes(skill));
}

/** For how long what the person can is remembered: every new conversation asks for it. */
const REMEMBERED_MS = 30_000;

/** Asks once in a while at most; what could not be had is asked for again. */
export function remembered(
  ask: () => Promise<Competence>,
  clock: Pick<Clock, 'now'>,
): () => Promise<Competence> {
  let last: { answer: Promise<Competence>; at: number } | null = null;
  return () => {
    if (last !== null && clock.now() - last.at < REMEMBERED_MS) return last.answer;
    const asked = { answer: ask(), at: clock.now() };
    last = asked;
    asked.answer.catch(() => {
      if (last === asked) last = null;
    });
    return asked.answer;
  };
}

/** Takes the one to take; somebody quicker only leads to the next. */
export async function acceptNext({ competence, waiting, take }: NextPorts): Promise<Next> {
  if (waiting().length === 0) return 'nobody';
  const own = await competence().catch(() => null);
  if (own === null) return 'unknown';
  const all = waiting();
  const suited = all.filter((card) => suits(own, card));
  if (suited.length === 0) return all.length === 0 ? 'nobody' : 'unsuited';
  for (const card of suited.slice(0, TRIES_MAX)) {
    const outcome = await take(card);
    if (outcome.ok) return card;
    if (outcome.code !== 'already_accepted') break;
  }
  return 'refused';
}
