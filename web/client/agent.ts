/** What agents have beyond visitors: lists that are kept live, and who else is there. */

import { signal } from '@preact/signals-core';
import { Client } from './client.ts';
import type { AgentPresence, Card, ServerFrame, ViewQuery, ViewSort } from './frames.ts';
import { View } from './views.ts';

export class AgentClient extends Client {
  /** Agents by id. */
  readonly agents = signal<ReadonlyMap<string, AgentPresence>>(new Map());

  readonly #views = new Set<View>();

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

  protected override ready(): void {
    for (const view of this.#views) view.watch();
  }

  protected override heard(frame: ServerFrame): void {
    if (frame.type === 'view') {
      for (const view of this.#views) if (view.ref === frame.ref) view.take(frame);
    } else if (frame.type === 'presence') {
      this.#present(frame.agents ?? [], frame.snapshot === true);
    }
  }

  #present(agents: readonly AgentPresence[], snapshot: boolean): void {
    if (agents.length === 0 && !snapshot) return;
    const next = new Map(snapshot ? [] : this.agents.peek());
    for (const presence of agents) next.set(presence.agent.id, presence);
    this.agents.value = next;
  }
}
