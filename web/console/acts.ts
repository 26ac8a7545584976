/**
 * What can be done with a conversation. It shows at once; when the server refuses, the card goes
 * back to what it was and a notice says what and why, with a way to try again. Without a DOM.
 */

import { type Signal, signal } from '@preact/signals-core';
import type { AgentClient } from '../client/agent.ts';
import type { Outcome } from '../client/commands.ts';
import type { AgentRef, Card, Priority } from '../client/frames.ts';
import type { Toasts } from '../ui/toasts.tsx';
import { visitorName } from './words.ts';

export interface Act {
  action: string;
  args: object;
  /** What it is called when it fails: "Could not …". */
  doing: string;
  /** Said when it is done. */
  said?: string;
  undo?: { text: string; run(): void };
  /** What of the card is different at once. */
  change: Partial<Card>;
}

export interface ActsOptions {
  client: AgentClient;
  toasts: Toasts;
  me: AgentRef;
}

export class Acts {
  /** Actions on their way, by conversation: their buttons wait. */
  readonly busy: Signal<ReadonlySet<string>> = signal(new Set());
  /** What the person took, which is no news to them. */
  readonly taken = new Set<string>();
  readonly #options: ActsOptions;

  constructor(options: ActsOptions) {
    this.#options = options;
  }

  /** Takes a conversation, from the queue or from a colleague. */
  async take(card: Card): Promise<Outcome> {
    return this.#do(card, this.taking(card));
  }

  /** How a conversation is taken. */
  taking(card: Card): Act {
    const { me } = this.#options;
    this.taken.add(card.id);
    const taken: Partial<Card> = { status: 'active', agent: me, waiting_since: null };
    const doing = 'assign it to you';
    if (card.status === 'waiting') return { action: 'accept', args: {}, doing, change: taken };
    const args = { agent: me.id };
    return { action: 'assign', args, doing, change: { ...taken, transferred: false } };
  }

  assign(card: Card, agent: AgentRef): Promise<Outcome> {
    return this.#do(card, {
      action: 'assign',
      args: { agent: agent.id },
      doing: `assign it to ${agent.name}`,
      said: `Assigned to ${agent.name}.`,
      change: { status: 'active', agent, waiting_since: null },
    });
  }

  unassign(card: Card): Promise<Outcome> {
    return this.#do(card, {
      action: 'unassign',
      args: {},
      doing: 'give it back',
      said: 'Back in the queue.',
      change: { status: 'waiting', agent: null },
    });
  }

  transfer(card: Card, to: { agent: AgentRef } | { department: string }, reason: string) {
    const agent = 'agent' in to ? to.agent : null;
    return this.#do(card, {
      action: 'transfer',
      args: { ...('agent' in to ? { agent: to.agent.id } : to), reason },
      doing: 'hand it over',
      said: 'Handed over.',
      change: { agent, transferred: true, status: agent === null ? 'waiting' : 'active' },
    });
  }

  /** Gives back what a colleague handed over. */
  refuse(card: Card): Promise<Outcome> {
    return this.#do(card, {
      action: 'refuse_transfer',
      args: {},
      doing: 'hand it back',
      said: 'Handed back.',
      change: { transferred: false },
    });
  }

  resolve(card: Card): Promise<Outcome> {
    return this.#do(card, {
      ...resolving,
      said: `Resolved ${visitorName(card)}.`,
      undo: { text: 'Reopen', run: () => void this.reopen(this.fresh(card)) },
    });
  }

  close(card: Card): Promise<Outcome> {
    return this.#do(card, {
      ...closing,
      said: `Closed ${visitorName(card)}.`,
      undo: { text: 'Reopen', run: () => void this.reopen(this.fresh(card)) },
    });
  }

  reopen(card: Card): Promise<Outcome> {
    return this.#do(card, reopening(card));
  }

  prioritize(card: Card, priority: Priority): Promise<Outcome> {
    return this.#do(card, prioritizing(priority));
  }

  tag(card: Card, tags: string[]): Promise<Outcome> {
    return this.#do(card, tagging(tags));
  }

  file(card: Card, department: string | null): Promise<Outcome> {
    return this.#do(card, filing(department));
  }

  edit(card: Card, stream: 'public' | 'internal', seq: number, text: string): Promise<Outcome> {
    return this.#do(card, {
      action: 'edit',
      args: { stream, seq, text },
      doing: 'change the message',
      change: {},
    });
  }

  redact(card: Card, stream: 'public' | 'internal', seq: number): Promise<Outcome> {
    return this.#do(card, {
      action: 'redact',
      args: { stream, seq },
      doing: 'remove the message',
      change: {},
    });
  }

  /** Does it, without a word of how it went. */
  async attempt(card: Card, act: Act): Promise<Outcome> {
    const { client } = this.#options;
    const held = client.cards.of(card.id);
    const before = held.peek() ?? card;
    // A list that tells once more how it was before is no news; whatever was written since is.
    const end = held.subscribe((now) => {
      if (now === null || now.head > before.head || !lacks(now, act.change)) return;
      held.value = { ...now, ...act.change };
    });
    this.#wait(card.id, true);
    const outcome = await client.do(card.id, act.action, act.args);
    end();
    this.#wait(card.id, false);
    if (outcome.ok) {
      // It has a place now: a list that still lags behind it is no news either.
      const now = held.peek();
      const head = outcome.seq ?? 0;
      if (now !== null && act.change.status !== undefined && head > now.head) {
        held.value = { ...now, ...act.change, head };
      }
      return outcome;
    }
    const now = held.peek();
    if (now !== null) held.value = undone(now, before, act.change);
    return outcome;
  }

  /** The card as it is by now. */
  fresh(card: Card): Card {
    return this.#options.client.cards.of(card.id).peek() ?? card;
  }

  async #do(card: Card, act: Act): Promise<Outcome> {
    const { toasts } = this.#options;
    const outcome = await this.attempt(card, act);
    if (outcome.ok) {
      if (act.said !== undefined) toasts.say(act.said, act.undo ? { action: act.undo } : {});
      return outcome;
    }
    // A refusal that no second try can change is told without one.
    const final = outcome.code === 'already_accepted' || outcome.code === 'forbidden';
    const action = { text: 'Retry', run: () => void this.#do(this.fresh(card), act) };
    toasts.say(`Could not ${act.doing}: ${refusalText(outcome)}`, {
      bad: true,
      ...(final ? {} : { action }),
    });
    return outcome;
  }

  #wait(id: string, on: boolean): void {
    const busy = new Set(this.busy.peek());
    if (on) busy.add(id);
    else busy.delete(id);
    this.busy.value = busy;
  }
}

export const resolving: Act = {
  action: 'resolve',
  args: {},
  doing: 'resolve it',
  change: { status: 'closed', resolution: 'resolved', waiting_since: null },
};

export const closing: Act = {
  action: 'close',
  args: {},
  doing: 'close it',
  change: { status: 'closed', resolution: 'none', waiting_since: null },
};

export function reopening(card: Card): Act {
  const status = card.agent === null ? 'waiting' : 'active';
  return { action: 'reopen', args: {}, doing: 'reopen it', change: { status } };
}

export function prioritizing(priority: Priority): Act {
  return {
    action: 'priority',
    args: { priority },
    doing: 'change the priority',
    change: { priority },
  };
}

export function tagging(tags: string[]): Act {
  return { action: 'tag', args: { tags }, doing: 'change the tags', change: { tags } };
}

export function filing(department: string | null): Act {
  return {
    action: 'department',
    args: { department },
    doing: 'change the department',
    change: { department },
  };
}

function lacks(now: Card, change: Partial<Card>): boolean {
  return (Object.keys(change) as (keyof Card)[]).some((key) => now[key] !== change[key]);
}

/** Takes back what we changed, but for what the server has changed since. */
function undone(now: Card, before: Card, change: Partial<Card>): Card {
  const back: Partial<Record<keyof Card, unknown>> = {};
  for (const key of Object.keys(change) as (keyof Card)[]) {
    if (now[key] === change[key]) back[key] = before[key];
  }
  return { ...now, ...back } as Card;
}

/** What a refusal means for the person who asked. */
export function refusalText(outcome: Extract<Outcome, { ok: false }>): string {
  switch (outcome.code) {
    case 'already_accepted':
      return `${outcome.by?.name ?? 'a colleague'} has already taken it.`;
    case 'at_capacity':
      return 'there are as many conversations already as fit. Close one first.';
    case 'forbidden':
      return 'you may not do that here.';
    case 'not_found':
      return 'it is not there any more.';
    case 'closed':
      return 'it is closed.';
    case 'too_late':
      return 'it was too long ago.';
    case 'unknown':
      return 'the server did not answer in time.';
    default:
      return `the server refused it (${outcome.code}).`;
  }
}
