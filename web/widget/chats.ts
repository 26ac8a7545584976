/** The visitor's chats: the one that goes on, and those before it, as one transcript. */

import { computed, type ReadonlySignal, signal } from '@preact/signals-core';
import type { Client } from '../client/client.ts';
import type { Conversation } from '../client/conversation.ts';
import type { Card } from '../client/frames.ts';
import type { Api } from '../client/http.ts';
import { type Item, transcript } from '../ui/transcript.ts';
import { visitorLine } from './lines.ts';
import type { Settings } from './settings.ts';
import type { Who } from './visitor.ts';

export interface ChatsOptions {
  client: Client;
  who: Who;
  api: Api;
  settings: ReadonlySignal<Settings | null>;
  /** A chat began, whoever began it. */
  onStart(id: string): void;
}

/** Where messages wait until their chat exists. */
const DRAFT = 'draft:chat';
const PAST_MAX = 20;

export class Chats {
  /** The chat that is shown last and written in; `null` when the next message begins one. */
  readonly current = signal<Conversation | null>(null);
  /** The server knows this visitor, or this chat, no more. */
  readonly forgotten = signal(false);
  readonly card: ReadonlySignal<Card | null>;
  /** Nothing more can be written in it. */
  readonly over: ReadonlySignal<boolean>;
  /** What is shown, oldest first. */
  readonly items: ReadonlySignal<readonly Item[]>;
  readonly hasOlder: ReadonlySignal<boolean>;

  readonly #options: ChatsOptions;
  /** Earlier chats that are shown above, oldest first. */
  readonly #past = signal<readonly Conversation[]>([]);
  /** Earlier chats that are not shown yet, newest first; `null` before the server was asked. */
  readonly #earlier = signal<readonly string[] | null>(null);

  constructor(options: ChatsOptions) {
    this.#options = options;
    this.card = computed(() => this.current.value?.card.value ?? null);
    this.over = computed(() => {
      const status = this.card.value?.status;
      return this.forgotten.value || status === 'closed' || status === 'archived';
    });
    this.items = computed(() => this.#transcript());
    this.hasOlder = computed(() => {
      const first = this.#past.value[0] ?? this.current.value;
      // Reading the timeline makes this follow it.
      const older = first !== null && first.timeline.value.length > 0 && first.hasOlder;
      return older || (this.#earlier.value ?? []).length > 0;
    });
  }

  /** Where to send what is written: the chat, or where it waits for one. */
  get target(): string {
    return this.current.peek()?.id ?? DRAFT;
  }

  /** Whether something waits for its chat. */
  get drafted(): boolean {
    return this.#options.client.outbox.rows(DRAFT).value.length > 0;
  }

  /** Whether the newest part of the chat is there. */
  get whole(): boolean {
    const conversation = this.current.value;
    return conversation?.loaded.value === true && !conversation.log('public')?.behind;
  }

  /** Shows what was before, also in earlier chats. */
  older(): void {
    const first = this.#past.peek()[0] ?? this.current.peek();
    if (first?.hasOlder) {
      first.fetchOlder();
      return;
    }
    const [next, ...rest] = this.#earlier.peek() ?? [];
    if (next === undefined) return;
    this.#earlier.value = rest;
    this.#past.value = [this.#options.client.follow(next), ...this.#past.peek()];
  }

  /** Follows what is kept, whoever kept it. */
  async read(): Promise<void> {
    const { client, who } = this.#options;
    const visitor = await who.read();
    if (visitor === null) return;
    client.connect();
    if (visitor.conversation !== (this.current.peek()?.id ?? null))
      this.#show(visitor.conversation);
  }

  /** This visitor began a chat. */
  begun(id: string): void {
    this.#options.client.connect();
    this.#show(id);
    this.#options.onStart(id);
  }

  /** Somebody began a chat with this visitor, or one goes on that another device began. */
  async goOn(id: string): Promise<void> {
    const { who, onStart } = this.#options;
    if (this.current.peek()?.id === id) return;
    const visitor = who.visitor.peek() ?? { id: '', secret: '' };
    await who.keep({ ...visitor, conversation: id });
    this.#show(id);
    onStart(id);
  }

  /** Finds a chat that somebody, or another device, began while we were away. */
  async catchUp(): Promise<void> {
    const idle = () => this.current.peek() === null || this.over.peek();
    if (!idle()) return;
    const open = (await this.#list()).find(isOpen);
    if (open !== undefined && idle()) await this.goOn(open.id);
  }

  /** Asks once which chats there were. */
  async lookBack(): Promise<void> {
    if (this.#earlier.peek() === null) await this.#list();
  }

  /** Leaves an ended chat; the next message begins another, below it. */
  async startAgain(): Promise<void> {
    const { who } = this.#options;
    const visitor = who.visitor.peek();
    if (this.forgotten.peek()) {
      this.forget();
      await who.forget();
    } else if (visitor !== null) {
      this.#show(null);
      await who.keep({ ...visitor, conversation: null });
    }
  }

  /** Shows nothing of what was there: it is somebody else's. */
  forget(): void {
    for (const { id } of this.#shown()) this.#options.client.unfollow(id);
    this.forgotten.value = false;
    this.#past.value = [];
    this.#earlier.value = null;
    this.current.value = null;
  }

  /** What was shown until now stays above. */
  #show(id: string | null): void {
    const { client } = this.#options;
    this.#past.value = this.#shown().filter((shown) => shown.id !== id);
    if (id !== null) client.outbox.rename(DRAFT, id);
    this.current.value = id === null ? null : client.follow(id);
  }

  #shown(): readonly Conversation[] {
    return [...this.#past.peek(), this.current.peek()].filter((one) => one !== null);
  }

  /** Asks for the visitor's chats, newest first. */
  async #list(): Promise<readonly Card[]> {
    const { api, who } = this.#options;
    const { token } = who;
    if (token === undefined) return [];
    const path = `/v1/conversations?limit=${PAST_MAX}`;
    const { items } = await api<{ items: Card[] }>('GET', path, { token }).catch(() => ({
      items: [],
    }));
    const shown = this.#shown();
    this.#earlier.value = items
      .map(({ id }) => id)
      .filter((id) => shown.every((conversation) => conversation.id !== id));
    return items;
  }

  #transcript(): Item[] {
    const { client, settings } = this.#options;
    const departments = settings.value?.departments ?? [];
    const names = new Map(departments.map(({ id, name }) => [id, name]));
    const chats = [...this.#past.value, this.current.value];
    const items = chats.flatMap((conversation) =>
      transcript({
        timeline: conversation?.timeline.value ?? [],
        entries: client.outbox.rows(conversation?.id ?? DRAFT).value,
        receipts: conversation?.receipts.value ?? new Map(),
        side: 'visitor',
        me: client.principal.value,
        line: (event) => visitorLine(event, names),
      }),
    );
    // Two chats on one day begin it once.
    const seen = new Set<string>();
    return items.filter(({ kind, key }) => kind !== 'day' || (!seen.has(key) && seen.add(key)));
  }
}

function isOpen({ status }: Card): boolean {
  return status === 'waiting' || status === 'active';
}
