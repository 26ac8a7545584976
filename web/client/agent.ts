/** What agents have beyond visitors: lists that are kept live, and who else is there. */

import { signal } from '@preact/signals-core';
import { Client } from './client.ts';
import type { Conversation, Reading } from './conversation.ts';
import type {
  AgentPresence,
  AgentRef,
  Card,
  Companion,
  PageFrame,
  ServerFrame,
  ViewQuery,
  ViewSort,
} from './frames.ts';
import { foldAll, merged } from './internal.ts';
import { View } from './views.ts';

/** As many as the server remembers. */
const STEPS_MAX = 20;
/** Conversations just left, which are shown at once when somebody comes back. */
const RESTING_MAX = 12;

export class AgentClient extends Client {
  /** Agents by id. */
  readonly agents = signal<ReadonlyMap<string, AgentPresence>>(new Map());

  /** Who else has a conversation open, by conversation. */
  readonly viewers = signal<ReadonlyMap<string, readonly AgentRef[]>>(new Map());
  /** Who is with conversations of the lists, oneself too, by conversation. */
  readonly company = signal<ReadonlyMap<string, readonly Companion[]>>(new Map());
  /** The last steps of the visitor of a conversation, since this page is open; oldest first. */
  readonly pages = signal<ReadonlyMap<string, readonly PageFrame[]>>(new Map());

  /** The newest version of what this agent likes that we were told of; 0 for none. */
  readonly preferences = signal(0);
  /** The same of what they have not sent. */
  readonly drafts = signal(0);

  readonly #views = new Set<View>();
  /** What was left on this connection, the oldest first, with all that is known of it. */
  readonly #resting = new Map<string, Conversation>();
  #viewing: string | null = null;

  /** One that was left a moment ago has its transcript; what was said since comes after it. */
  override follow(id: string): Conversation {
    const rested = this.#resting.get(id);
    if (rested === undefined || this.conversations.has(id)) return super.follow(id);
    this.#resting.delete(id);
    this.conversations.set(id, rested);
    if (this.link.peek().state === 'ready') rested.subscribe(false);
    return rested;
  }

  override unfollow(id: string): void {
    const left = this.conversations.get(id);
    super.unfollow(id);
    if (left === undefined || left.refused.peek() !== null) return;
    this.#resting.set(id, left);
    const [oldest] = this.#resting.keys();
    if (oldest !== undefined && this.#resting.size > RESTING_MAX) this.#resting.delete(oldest);
  }

  watch(query: ViewQuery, sort: ViewSort, limit: number): View {
    const view = new View({
      query,
      sort,
      limit,
      cards: this.cards,
      newId: this.newId,
      transmit: (frame) => this.transmit(frame),
    });
    this.#views.add(view);
    if (this.link.peek().state === 'ready') view.watch();
    return view;
  }

  unwatch(view: View): void {
    view.unwatch();
    this.#views.delete(view);
  }

  /** Takes a card that came another way, such as from a request. */
  learn(card: Card): void {
    this.cards.put(card);
  }

  protected override get reading(): Reading {
    return { fold: foldAll, merge: merged };
  }

  /** Tells colleagues which conversation is open here. */
  viewing(conversation: string | null): void {
    if (conversation === this.#viewing) return;
    this.#viewing = conversation;
    this.transmit({ type: 'viewing', conversation });
  }

  protected override ready(): void {
    this.viewers.value = new Map();
    this.company.value = new Map();
    // Another connection may be to a server that knows another history.
    this.#resting.clear();
    if (this.#viewing !== null) this.transmit({ type: 'viewing', conversation: this.#viewing });
    for (const view of this.#views) view.watch();
  }

  protected override heard(frame: ServerFrame): void {
    if (frame.type === 'view') {
      for (const view of this.#views) if (view.ref === frame.ref) view.take(frame);
    } else if (frame.type === 'presence') {
      this.#present(frame.agents ?? [], frame.snapshot === true);
    } else if (frame.type === 'viewing') {
      this.viewers.value = new Map(this.viewers.peek()).set(frame.conversation, frame.agents);
    } else if (frame.type === 'company') {
      const company = new Map(this.company.peek());
      for (const { conversation, agents } of frame.items) {
        if (agents.length === 0) company.delete(conversation);
        else company.set(conversation, agents);
      }
      this.company.value = company;
    } else if (frame.type === 'preferences') {
      this.preferences.value = frame.version;
    } else if (frame.type === 'drafts') {
      this.drafts.value = frame.version;
    } else if (frame.type === 'page') {
      const before = this.pages.peek();
      const steps = [...(before.get(frame.conversation) ?? []), frame].slice(-STEPS_MAX);
      this.pages.value = new Map(before).set(frame.conversation, steps);
    }
  }

  #present(agents: readonly AgentPresence[], snapshot: boolean): void {
    if (agents.length === 0 && !snapshot) return;
    const next = new Map(snapshot ? [] : this.agents.peek());
    for (const presence of agents) next.set(presence.agent.id, presence);
    this.agents.value = next;
  }
}
