/** Cards and lists for tests. */

import type { AgentClient } from '../../client/agent.ts';
import { Cards } from '../../client/cards.ts';
import type { Card, ClientFrame, ViewQuery, ViewSort } from '../../client/frames.ts';
import { View } from '../../client/views.ts';
import { idsFrom } from './ports.ts';

export function card(id: string, changes: Partial<Card> = {}): Card {
  return {
    id,
    number: 1_000,
    status: 'waiting',
    offline: false,
    transferred: false,
    visitor: { id: `visitor of ${id}`, name: `Visitor ${id}` },
    agent: null,
    created_at: '2026-01-01T00:00:00.000Z',
    last_at: '2026-01-01T00:00:00.000Z',
    log: 'log',
    head: 1,
    last: null,
    unread: 0,
    rating: null,
    ...changes,
  };
}

/** The lists of a client, filled by the test. */
export class FakeLists {
  readonly cards = new Cards();
  readonly sent: ClientFrame[] = [];
  readonly views: { query: ViewQuery; limit: number; view: View; version: number }[] = [];
  readonly #newId = idsFrom('ref');

  watch(query: ViewQuery, sort: ViewSort, limit: number): View {
    const view = new View({
      query,
      sort,
      limit,
      cards: this.cards,
      newId: this.#newId,
      transmit: (frame) => {
        this.sent.push(frame);
        return true;
      },
    });
    view.watch();
    this.views.push({ query, limit, view, version: 0 });
    return view;
  }

  unwatch(view: View): void {
    view.unwatch();
  }

  learn(card: Card): void {
    this.cards.put(card);
  }

  /** As the client that the models ask for: they use no more of it than this. */
  get client(): AgentClient {
    return this as unknown as AgentClient;
  }

  /** The server's first frame for the list of a query. */
  snapshot(query: ViewQuery, cards: Card[], total = cards.length): void {
    const list = this.#list(query);
    list.version = 1;
    list.view.take({ type: 'view', ref: '', version: 1, total, snapshot: cards });
  }

  change(query: ViewQuery, changes: ({ put: Card } | { drop: string })[]): void {
    const list = this.#list(query);
    list.version += 1;
    const total =
      list.view.total.peek() + changes.reduce((sum, one) => sum + ('put' in one ? 0 : -1), 0);
    list.view.take({ type: 'view', ref: '', version: list.version, total, changes });
  }

  #list(query: ViewQuery) {
    const list = this.views.findLast((one) => JSON.stringify(one.query) === JSON.stringify(query));
    if (list === undefined) throw new Error(`nobody watches ${JSON.stringify(query)}`);
    return list;
  }
}
