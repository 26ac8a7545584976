/**
 * Keeps two agents from answering at once. A reply that was begun before a colleague answered is
 * held until the person has seen that; so is one that a colleague is just typing against, once. The
 * server has the last word (`if_head`): what crosses on the way is refused there. Without a DOM.
 */

import { type Signal, signal } from '@preact/signals-core';
import type { AgentClient } from '../client/agent.ts';
import type { Conversation } from '../client/conversation.ts';
import type { Event } from '../client/frames.ts';
import type { Entry } from '../client/outbox.ts';
import type { Drafts, Mode } from './drafts.ts';

/** A reply that was not sent because of a colleague. */
export interface Held {
  conversation: string;
  /** They answered already, or they are about to. */
  why: 'answered' | 'typing';
  who: string;
  /** When they answered, in milliseconds since the epoch; 0 while they type. */
  at: number;
  text: string;
  /** What the server refused; `null` when it was held here. */
  entry: Entry | null;
}

export interface GuardOptions {
  client: AgentClient;
  drafts: Drafts;
  me: string;
  /** Puts a message on its way. */
  send(conversation: string, mode: Mode, text: string, ifHead: number | null): void;
}

type Message = Extract<Event, { kind: 'message' }>;

export class Guard {
  readonly held: Signal<Held | null> = signal(null);
  readonly #options: GuardOptions;
  /** Drafts whose writer was told that somebody else types. */
  readonly #warned = new Set<string>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Somebody begins or goes on writing: what they have seen is what counts. */
  writing(id: string, mode: Mode): void {
    const draft = this.#options.drafts.of(id);
    if (mode !== 'message' || draft.texts.message.peek() !== '') return;
    draft.since = this.#newest(id, (event) => this.#colleague(event))?.seq ?? 0;
    this.#warned.delete(id);
  }

  /** Sends, or holds it and says why. */
  send(id: string, mode: Mode, text: string): boolean {
    const { drafts, send } = this.#options;
    if (mode === 'message') {
      const held = this.#reason(id, text);
      if (held !== null) {
        this.held.value = held;
        return false;
      }
      const seen = this.#newest(id, (event) => event.from.id !== this.#options.me);
      send(id, mode, text, seen?.seq ?? 0);
    } else {
      send(id, mode, text, null);
    }
    drafts.write(id, mode, '');
    return true;
  }

  /** The person has read what is newer and wants it sent all the same. */
  sendAnyway(): void {
    const held = this.held.peek();
    if (held === null) return;
    const { client, drafts, send } = this.#options;
    this.held.value = null;
    if (held.entry !== null) {
      client.outbox.retry(held.conversation, held.entry.id);
      return;
    }
    this.#acknowledge(held.conversation);
    send(held.conversation, 'message', held.text, null);
    drafts.write(held.conversation, 'message', '');
  }

  /** The person wants to look first: the text is theirs again to change. */
  view(): void {
    const held = this.held.peek();
    if (held === null) return;
    this.held.value = null;
    const { client, drafts } = this.#options;
    if (held.entry !== null) {
      client.outbox.discard(held.conversation, held.entry.id);
      const draft = drafts.of(held.conversation).texts.message.peek();
      drafts.write(held.conversation, 'message', [held.text, draft].filter(Boolean).join('\n'));
    }
    this.#acknowledge(held.conversation);
  }

  /** Events or answers came: a refusal for being too late can be explained now. */
  look(conversation: Conversation): void {
    const { client } = this.#options;
    for (const entry of client.outbox.rows(conversation.id).peek()) {
      if (entry.state === 'failed' && entry.code === 'stale_head')
        this.#explain(conversation, entry);
    }
  }

  /** What the server refused as too late: a colleague's answer is shown, a visitor's word is none. */
  #explain(conversation: Conversation, entry: Entry): void {
    const newer = this.#newest(conversation.id, (event) => event.from.id !== this.#options.me);
    if (newer === null || newer.seq <= (entry.ifHead ?? 0)) return;
    const answer = this.#newest(
      conversation.id,
      (event) => this.#colleague(event) && event.seq > (entry.ifHead ?? 0),
    );
    if (answer === null) {
      this.#options.client.outbox.retry(conversation.id, entry.id);
      return;
    }
    if (this.held.peek()?.entry?.id === entry.id) return;
    this.held.value = {
      conversation: conversation.id,
      why: 'answered',
      who: answer.from.name ?? 'A colleague',
      at: Date.parse(answer.at),
      text: entry.text,
      entry,
    };
  }

  #reason(id: string, text: string): Held | null {
    const { client, drafts, me } = this.#options;
    const draft = drafts.of(id);
    const answer = this.#newest(id, (event) => this.#colleague(event));
    const held = { conversation: id, text, entry: null };
    if (answer !== null && answer.seq > draft.since) {
      const who = answer.from.name ?? 'A colleague';
      return { ...held, why: 'answered', who, at: Date.parse(answer.at) };
    }
    if (this.#warned.has(id)) return null;
    for (const [typist, { from }] of client.follow(id).typing.peek()) {
      if (typist === me || !client.agents.peek().has(typist)) continue;
      this.#warned.add(id);
      return { ...held, why: 'typing', who: from.name || 'A colleague', at: 0 };
    }
    return null;
  }

  #acknowledge(id: string): void {
    const draft = this.#options.drafts.of(id);
    draft.since = this.#newest(id, (event) => this.#colleague(event))?.seq ?? 0;
  }

  #colleague(event: Message): boolean {
    return event.from.kind === 'agent' && event.from.id !== this.#options.me;
  }

  #newest(id: string, fits: (event: Message) => boolean): Message | null {
    const events = this.#options.client.follow(id).log('public')?.events.peek() ?? [];
    for (let idx = events.length - 1; idx >= 0; idx -= 1) {
      const event = events[idx];
      if (event?.kind === 'message' && fits(event)) return event;
    }
    return null;
  }
}
