/** Decides what is worth a sound or a word on the desktop. Without a DOM. */

import { effect, untracked } from '@preact/signals-core';
import type { Card } from '../client/frames.ts';
import type { Cancel } from '../client/ports.ts';
import type { View } from '../client/views.ts';
import { plain } from '../ui/plain.ts';
import type { Desk } from './desk.ts';
import { type Competence, suits } from './next.ts';
import type { AlertEvent, Prefs, Sound } from './prefs.ts';
import { quietUntil } from './quiet.ts';
import { isolated, lastLine, visitorName } from './words.ts';

export interface Notice {
  title: string;
  text: string;
  conversation: string;
}

export interface AlertPorts {
  play(sound: Sound, volume: number): void;
  /** Shows it outside the page, where the person allowed that. */
  tell(notice: Notice): void;
  /** Of all tabs of this person only one rings. */
  leads(): boolean;
  /** What the person can, and for whom they work. Rejects when it cannot be had. */
  competence(): Promise<Competence>;
  now(): Date;
}

const TITLES: Record<AlertEvent, string> = {
  waiting: 'is waiting',
  assigned: 'was given to you',
  reply: 'wrote',
};

/** Watches the lists until called off. */
export function watchAlerts(
  desk: Desk,
  prefs: Pick<Prefs, 'sounds' | 'desktop' | 'volume' | 'quiet'>,
  ports: AlertPorts,
): Cancel {
  const ring = (event: AlertEvent, card: Card) => {
    if (!ports.leads() || quietUntil(prefs.quiet.peek(), ports.now()) !== null) return;
    const sound = prefs.sounds.peek()[event];
    if (sound !== 'none') ports.play(sound, prefs.volume.peek());
    if (!prefs.desktop.peek()[event] || desk.watching.peek()) return;
    ports.tell({
      title: `${isolated(visitorName(card))} ${TITLES[event]}`,
      text: plain(lastLine(card)),
      conversation: card.id,
    });
  };
  const came = (card: Card) => {
    if (asksNothing(card)) {
      ring('waiting', card);
      return;
    }
    if (!ports.leads()) return;
    const suited = ports.competence().then(
      (own) => suits(own, card),
      // One ring too many is better than one too few.
      () => true,
    );
    void suited.then((mine) => {
      const isStill = desk.inbox.view('unassigned').ids.has(card.id);
      if (mine && isStill && !ended) ring('waiting', card);
    });
  };
  let ended = false;
  const ends = [
    observe(desk, desk.inbox.view('unassigned'), (before, card) => {
      if (before === undefined) came(card);
    }),
    observe(desk, desk.inbox.view('mine'), (before, card) => {
      const looking = desk.watching.peek() && desk.selected.peek() === card.id;
      if (before === undefined) {
        // What one took oneself is no news.
        if (!looking && !desk.acts.taken.has(card.id)) ring('assigned', card);
      } else if (card.unread > before && !looking) {
        ring('reply', card);
      }
    }),
  ];
  return () => {
    ended = true;
    for (const end of ends) end();
  };
}

/** Whether anybody suits, whatever they can. */
function asksNothing({ department, skills }: Card): boolean {
  return department == null && (skills ?? []).length === 0;
}

/** Calls for each card that a list has now and what its unread count was; not for the first list. */
function observe(
  desk: Desk,
  view: View,
  seen: (unreadBefore: number | undefined, card: Card) => void,
): Cancel {
  let known: Map<string, number> | null = null;
  return effect(() => {
    view.news.value;
    if (!view.loaded.value) return;
    untracked(() => {
      const before = known;
      known = new Map();
      for (const id of view.ids) {
        const card = desk.client.cards.of(id).peek();
        if (card === null) continue;
        known.set(id, card.unread);
        if (before !== null) seen(before.get(id), card);
      }
    });
  });
}
