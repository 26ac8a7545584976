/** What the site and the visitor are told when something happens. */

import { effect, signal } from '@preact/signals-core';
import type { Conversation } from '../client/conversation.ts';
import type { Event, QueueFrame } from '../client/frames.ts';
import type { Cancel, Clock } from '../client/ports.ts';
import type { Chats } from './chats.ts';
import { say } from './words.ts';

/** Where it is told. */
export interface Ears {
  /** `newest` is the line of somebody else that was not seen yet. */
  onUnread(count: number, newest: string | null): void;
  /** For the site: what happened, and what may be said of it. */
  onEvent(name: string, detail?: object): void;
  /** An agent wrote while nobody looked; without an event it is to be heard in any case. */
  onChime(event?: string): void;
}

/** Places in line are read aloud at most this often. */
const ANNOUNCE_MS = 30_000;

export class News {
  /** The place in line as it is read aloud, and the wait; `null` when there is nothing to say. */
  readonly announced = signal<QueueFrame | null>(null);

  readonly #clock: Clock;
  readonly #ears: Ears;
  /** Up to where a conversation was there before this page, by its id. */
  readonly #history = new Map<string, number>();
  #announcing: Cancel | null = null;

  constructor(clock: Clock, ears: Ears) {
    this.#clock = clock;
    this.#ears = ears;
  }

  /** Tells of unread messages, and of the place in line while somebody is there, from now on. */
  follow(chats: Chats, watching: () => boolean, place: () => QueueFrame | null): void {
    const { onUnread, onEvent } = this.#ears;
    effect(() => {
      const card = chats.card.value;
      const unread = watching() ? 0 : (card?.unread ?? 0);
      const newest = card?.last ?? null;
      const foreign = unread > 0 && newest !== null && newest.from.kind !== 'visitor';
      onUnread(unread, foreign ? `${newest.from.name ?? say('support')}: ${newest.text}` : null);
    });
    let last: QueueFrame | null = null;
    effect(() => {
      const now = place();
      if (now !== null && now.position !== last?.position) {
        onEvent('queue', { position: now.position });
      }
      last = now;
      if (now === null) this.announced.value = null;
      else announce();
    });
    const announce = () => {
      // Another estimate for the same place is seen, and not worth a word.
      if (this.#announcing !== null || last?.position === this.announced.peek()?.position) return;
      this.announced.value = last;
      this.#announcing = this.#clock.after(ANNOUNCE_MS, () => {
        this.#announcing = null;
        if (last !== null) announce();
      });
    };
  }

  /** Events were applied; those from before this page are no news. `aloud` says them by a sound. */
  applied(conversation: Conversation, events: readonly Event[], aloud: boolean): void {
    const { id } = conversation;
    let history = this.#history.get(id);
    if (history === undefined) {
      history = conversation.log('public')?.head ?? 0;
      this.#history.set(id, history);
    }
    const { onEvent, onChime } = this.#ears;
    for (const event of events) {
      if (event.seq <= history) continue;
      if (event.kind === 'message' && event.from.kind !== 'visitor') {
        onEvent('message:received', { id });
        if (aloud) onChime(event.id);
      } else if (event.kind === 'assigned') {
        onEvent('agent:joined', { name: event.body.agent.name });
      } else if (event.kind === 'closed') {
        onEvent('conversation:end', { id });
      }
    }
  }
}
