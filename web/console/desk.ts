/** An agent's desk: the lists, the open conversation, what is written. Without a DOM. */

import {
  batch,
  computed,
  effect,
  type ReadonlySignal,
  type Signal,
  signal,
  untracked,
} from '@preact/signals-core';
import { AgentClient } from '../client/agent.ts';
import type { Conversation } from '../client/conversation.ts';
import { claimDevice } from '../client/device.ts';
import type { AgentPresence, AgentRef, Card, Event, PresenceStatus } from '../client/frames.ts';
import { type Entry, pending } from '../client/outbox.ts';
import type { Cancel, Ports } from '../client/ports.ts';
import type { Toasts } from '../ui/toasts.tsx';
import { type Item, transcript } from '../ui/transcript.ts';
import { publicEvents, type TextFile } from '../ui/transcript-file.ts';
import { Acts } from './acts.ts';
import { Contexts } from './contexts.ts';
import { Drafts, type Mode } from './drafts.ts';
import { Guard } from './guard.ts';
import { Inbox } from './inbox.ts';
import { agentLine } from './lines.ts';
import { acceptNext, type Competence } from './next.ts';
import type { Prefs } from './prefs.ts';
import { Search } from './search.ts';
import type { Me, Session } from './session.ts';
import { transcriptFile } from './transcript-file.ts';
import type { Where } from './where.ts';

export interface Department {
  id: string;
  name: string;
}

export interface DeskOptions {
  ports: Ports;
  session: Pick<Session, 'ask' | 'credentials'>;
  me: Me;
  toasts: Toasts;
  prefs: Pick<Prefs, 'advance'>;
  where: Where;
}

const TYPING_EVERY_MS = 3_000;
const TYPING_PAUSE_MS = 4_000;
/** A connection that comes back this soon is not worth a word. */
const QUIET_MS = 1_500;

export class Desk {
  readonly me: AgentRef & { role: Me['principal']['role'] };
  readonly client: AgentClient;
  readonly inbox: Inbox;
  readonly acts: Acts;
  readonly drafts: Drafts;
  readonly guard: Guard;
  readonly search: Search;
  readonly contexts: Contexts;
  readonly where: Where;
  readonly selected: Signal<string | null> = signal(null);
  readonly conversation: Signal<Conversation | null> = signal(null);
  readonly items: ReadonlySignal<readonly Item[]>;
  readonly departments: Signal<readonly Department[]> = signal([]);
  readonly status: ReadonlySignal<PresenceStatus | null>;
  /** Others who could take a conversation over, by name. */
  readonly colleagues: ReadonlySignal<readonly AgentPresence[]>;
  /** Unread messages in conversations of ours. */
  readonly unread: ReadonlySignal<number>;
  readonly reconnecting = signal(false);
  /** The server will not have us back without a new sign-in. */
  readonly signedOut: ReadonlySignal<boolean>;
  /** Whether the person looks at the page. */
  readonly watching = signal(true);

  readonly #options: DeskOptions;
  readonly #chosen = signal<PresenceStatus | null>(null);
  readonly #ends: Cancel[] = [];
  #typingUntil = 0;
  #typingPause: Cancel | null = null;

  static async open(options: DeskOptions): Promise<Desk> {
    const { ports } = options;
    const devices = await claimDevice(ports.store, ports.locks, ports.newId);
    const desk: Desk = new Desk(options, devices);
    await Promise.all([desk.client.restore(), desk.drafts.restore()]);
    desk.#run();
    return desk;
  }

  private constructor(options: DeskOptions, devices: Awaited<ReturnType<typeof claimDevice>>) {
    const { ports, session, toasts } = options;
    this.#options = options;
    this.me = options.me.principal;
    this.where = options.where;
    this.client = new AgentClient({
      ports,
      devices,
      side: 'agent',
      credentials: () => session.credentials(),
      onApplied: (conversation) => this.#applied(conversation),
    });
    this.inbox = new Inbox({
      client: this.client,
      clock: ports.clock,
      me: this.me.id,
      older: async (query) =>
        (await session.ask('GET', `/v1/conversations?${query}`)).body as never,
    });
    this.search = new Search({
      client: this.client,
      clock: ports.clock,
      find: async (text) =>
        (await session.ask('GET', `/v1/conversations?q=${encodeURIComponent(text)}`)).body as never,
    });
    this.contexts = new Contexts(
      async (id) => (await session.ask('GET', `/v1/conversations/${id}/context`)).body as never,
    );
    this.acts = new Acts({ client: this.client, toasts, me: this.me });
    this.drafts = new Drafts(ports.store, ports.clock);
    this.guard = new Guard({ client: this.client, drafts: this.drafts, me: this.me.id });
    this.items = computed(() => this.#transcript());
    this.status = computed(
      () => this.#chosen.value ?? this.client.agents.value.get(this.me.id)?.status ?? null,
    );
    this.colleagues = computed(() =>
      [...this.client.agents.value.values()]
        .filter(({ agent }) => agent.id !== this.me.id)
        .sort((a, b) => a.agent.name.localeCompare(b.agent.name)),
    );
    this.unread = computed(() =>
      this.inbox.view('mine').rows.value.reduce((sum, card) => sum + card.unread, 0),
    );
    this.signedOut = computed(() => this.client.link.value.state === 'stopped');
  }

  /** The page goes and may come back: what is not written down yet is now. */
  leave(): void {
    this.drafts.flush();
    this.where.keep(this.inbox.filter.peek());
  }

  /** Leaves the desk. */
  close(): void {
    for (const end of this.#ends) end();
    this.inbox.close();
    this.client.stop();
  }

  /** The card of the open conversation. */
  get card(): Card | null {
    return this.conversation.value?.card.value ?? null;
  }

  write(id: string, mode: Mode, text: string): void {
    this.guard.writing(id, mode);
    this.drafts.write(id, mode, text);
    if (mode === 'message' && text !== '') this.#typed(id, true);
  }

  /** Sends unless a colleague was quicker, which the person is told first. Says whether it went. */
  send(id: string, mode: Mode, text: string): boolean {
    if (!this.guard.send(id, mode, text)) return false;
    if (mode === 'message') this.#typed(id, false);
    return true;
  }

  retry(entry: Entry): void {
    const id = this.selected.peek();
    if (id !== null) this.client.outbox.retry(id, entry.id);
  }

  discard(entry: Entry): void {
    const id = this.selected.peek();
    if (id !== null) this.client.outbox.discard(id, entry.id);
  }

  /** Takes a conversation and opens it. */
  async take(card: Card): Promise<void> {
    const outcome = await this.acts.take(card);
    if (outcome.ok) this.selected.value = card.id;
  }

  /** Takes who waits longest of those that are for this person, and opens it. */
  async takeNext(): Promise<void> {
    const { session, toasts } = this.#options;
    const next = await acceptNext({
      // Asked each time: somebody may just have been given another skill.
      competence: async () => (await session.ask<Competence>('GET', '/v1/agents/me')).body,
      waiting: () => {
        const busy = this.acts.busy.peek();
        return this.inbox
          .view('unassigned')
          .rows.peek()
          .filter(({ id }) => !busy.has(id));
      },
      take: (card) => this.acts.take(card),
    });
    switch (next) {
      case 'nobody':
        toasts.say('Nobody is waiting.');
        break;
      case 'unsuited':
        toasts.say('Who waits needs other skills or another department than yours.');
        break;
      case 'unknown':
        toasts.say('Could not accept anybody: the server did not answer.', {
          bad: true,
          action: { text: 'Retry', run: () => void this.takeNext() },
        });
        break;
      case 'refused':
        // The refusal has been told.
        break;
      default:
        this.selected.value = next.id;
    }
  }

  /** Ends a conversation and goes on to the one that the person likes to see then. */
  async finish(card: Card, how: 'resolve' | 'close'): Promise<void> {
    const { advance } = this.#options.prefs;
    const step = advance.peek() === 'previous' ? -1 : 1;
    const beside =
      this.inbox.neighbor(card.id, step) ?? this.inbox.neighbor(card.id, step === 1 ? -1 : 1);
    const outcome = await (how === 'resolve' ? this.acts.resolve(card) : this.acts.close(card));
    if (!outcome.ok || this.selected.peek() !== card.id) return;
    const next = beside ?? this.inbox.first(card.id);
    this.selected.value = advance.peek() === 'list' ? null : next;
  }

  /** Resolves as soon as what was sent is stored; when that is refused, the person looks at it first. */
  finishWhenSent(card: Card): void {
    const rows = this.client.outbox.rows(card.id);
    const end = rows.subscribe((entries) => {
      if (entries.some(pending)) return;
      // Not within the first call, which is before there is anything to end.
      queueMicrotask(() => {
        end();
        const refused = rows.peek().some(({ state }) => state === 'failed');
        if (!refused) void this.finish(card, 'resolve');
      });
    });
  }

  /** Goes to the conversation before or after the open one. */
  step(by: 1 | -1): void {
    const next = this.inbox.neighbor(this.selected.peek(), by);
    if (next !== null) this.selected.value = next;
  }

  /** The same among one's own. */
  stepMine(by: 1 | -1): void {
    const mine = this.inbox.view('mine').rows.peek();
    if (mine.length === 0) return;
    const at = mine.findIndex((card) => card.id === this.selected.peek());
    const next = at < 0 ? mine[0] : mine[(at + by + mine.length) % mine.length];
    if (next !== undefined) this.selected.value = next.id;
  }

  /** Whether this person may hand the conversation on. */
  mayMove(card: Card): boolean {
    return card.agent === null || card.agent.id === this.me.id || this.me.role !== 'agent';
  }

  /** The conversation as a text file; `null` when it could not be had, which the person is told. */
  async textFile(card: Card): Promise<TextFile | null> {
    const { session, toasts } = this.#options;
    const path = `/v1/conversations/${card.id}/messages`;
    try {
      const events = await publicEvents(async (after, limit) => {
        const query = `after=${after}&limit=${limit}`;
        return (await session.ask<{ items: Event[] }>('GET', `${path}?${query}`)).body.items;
      });
      const names = this.departments.peek().map(({ id, name }) => [id, name] as const);
      return transcriptFile(card, events, new Map(names));
    } catch {
      toasts.say('The transcript could not be fetched.', { bad: true });
      return null;
    }
  }

  async setStatus(status: PresenceStatus): Promise<void> {
    this.#chosen.value = status;
    try {
      await this.#options.session.ask('PUT', '/v1/agents/me/status', { body: { status } });
    } catch {
      this.#chosen.value = null;
      this.#options.toasts.say('Your status could not be changed.', {
        bad: true,
        action: { text: 'Retry', run: () => void this.setStatus(status) },
      });
    }
  }

  #run(): void {
    const { filter } = this.where;
    if (filter !== null) this.inbox.choose(filter);
    this.client.connect();
    void this.#loadDepartments();
    let quiet: Cancel | null = null;
    let followed: string | null = null;
    this.#ends.push(
      effect(() => {
        const { state } = this.client.link.value;
        quiet?.();
        quiet = null;
        if (state === 'connecting' || state === 'waiting') {
          quiet = this.#options.ports.clock.after(QUIET_MS, () => {
            this.reconnecting.value = true;
          });
        } else {
          this.reconnecting.value = false;
        }
      }),
      effect(() => {
        // What the server says of us is the truth from then on.
        if (this.client.agents.value.get(this.me.id)?.status === this.#chosen.value) {
          this.#chosen.value = null;
        }
      }),
      effect(() => {
        const id = this.selected.value;
        if (followed !== null && followed !== id) this.client.unfollow(followed);
        followed = id;
        batch(() => {
          this.conversation.value = id === null ? null : this.client.follow(id);
        });
        this.client.viewing(id);
      }),
      effect(() => {
        const open = this.conversation.value;
        if (open === null) return;
        open.timeline.value;
        this.client.outbox.rows(open.id).value;
        untracked(() => this.guard.look(open));
      }),
      effect(() => {
        if (this.watching.value) this.conversation.value?.confirm(true);
      }),
    );
  }

  async #loadDepartments(): Promise<void> {
    try {
      const { session } = this.#options;
      const { body } = await session.ask<{ items: Department[] }>('GET', '/v1/departments');
      this.departments.value = body.items;
    } catch {
      // Their ids stand in for their names; the next sign-in asks again.
    }
  }

  #applied(conversation: Conversation): void {
    conversation.confirm(this.watching.peek() && conversation.id === this.selected.peek());
  }

  /** Says that we type, seldom enough, and that it is over after a pause. */
  #typed(id: string, on: boolean): void {
    const { clock } = this.#options.ports;
    this.#typingPause?.();
    this.#typingPause = null;
    if (on) this.#typingPause = clock.after(TYPING_PAUSE_MS, () => this.#typed(id, false));
    const now = clock.now();
    if (on ? now < this.#typingUntil : this.#typingUntil === 0) return;
    this.#typingUntil = on ? now + TYPING_EVERY_MS : 0;
    this.client.typing(id, on);
  }

  #transcript(): Item[] {
    const conversation = this.conversation.value;
    if (conversation === null) return [];
    const departments = new Map(this.departments.value.map(({ id, name }) => [id, name]));
    return transcript({
      timeline: conversation.timeline.value,
      entries: this.client.outbox.rows(conversation.id).value,
      receipts: conversation.receipts.value,
      side: 'agent',
      me: this.client.principal.value,
      line: (event) => agentLine(event, departments),
    });
  }
}
