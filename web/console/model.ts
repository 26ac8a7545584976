/** An agent's desk: lists, the open conversation, what can be done with it. Without a DOM. */

import {
  batch,
  computed,
  effect,
  type ReadonlySignal,
  type Signal,
  signal,
} from '@preact/signals-core';
import { AgentClient } from '../client/agent.ts';
import type { Outcome } from '../client/commands.ts';
import type { Conversation } from '../client/conversation.ts';
import { claimDevice } from '../client/device.ts';
import type { AgentRef, Card, PresenceStatus, SendKind } from '../client/frames.ts';
import type { Entry } from '../client/outbox.ts';
import type { Cancel, Ports } from '../client/ports.ts';
import type { View } from '../client/views.ts';
import type { Toasts } from '../ui/toasts.tsx';
import { type Item, transcript } from '../ui/transcript.ts';
import { agentLine } from './lines.ts';
import type { Me, Session } from './session.ts';

export type ListName = 'waiting' | 'mine' | 'all';
export type Mode = Extract<SendKind, 'message' | 'note'>;

export interface Department {
  id: string;
  name: string;
}

export interface DeskOptions {
  ports: Ports;
  session: Session;
  me: Me;
  toasts: Toasts;
}

const LIST_MAX = 200;
const TYPING_EVERY_MS = 3_000;
const TYPING_PAUSE_MS = 4_000;
/** A connection that comes back this soon is not worth a word. */
const QUIET_MS = 1_500;

/** What was written and not sent, per conversation. */
interface Draft {
  mode: Signal<Mode>;
  texts: Record<Mode, Signal<string>>;
}

export class Desk {
  readonly me: Me['principal'];
  readonly client: AgentClient;
  readonly lists: Record<ListName, View>;
  readonly list = signal<ListName>('waiting');
  readonly selected = signal<string | null>(null);
  readonly conversation = signal<Conversation | null>(null);
  readonly items: ReadonlySignal<readonly Item[]>;
  readonly departments = signal<readonly Department[]>([]);
  readonly status: ReadonlySignal<PresenceStatus | null>;
  /** Others who could take a conversation over. */
  readonly colleagues: ReadonlySignal<readonly { agent: AgentRef; status: PresenceStatus }[]>;
  readonly reconnecting = signal(false);
  /** The server will not have us back without a new sign-in. */
  readonly signedOut: ReadonlySignal<boolean>;
  /** Whether the person looks at the page. */
  readonly watching = signal(true);
  /** Actions on their way, by conversation: their buttons wait. */
  readonly busy = signal<ReadonlySet<string>>(new Set());

  readonly #options: DeskOptions;
  readonly #drafts = new Map<string, Draft>();
  readonly #chosen = signal<PresenceStatus | null>(null);
  readonly #ends: Cancel[] = [];
  #typingUntil = 0;
  #typingPause: Cancel | null = null;

  static async open(options: DeskOptions): Promise<Desk> {
    const { ports } = options;
    const devices = await claimDevice(ports.store, ports.locks, ports.newId);
    const desk: Desk = new Desk(options, devices);
    await desk.client.restore();
    desk.#run();
    return desk;
  }

  private constructor(options: DeskOptions, devices: Awaited<ReturnType<typeof claimDevice>>) {
    this.#options = options;
    this.me = options.me.principal;
    this.client = new AgentClient({
      ports: options.ports,
      devices,
      side: 'agent',
      credentials: () => options.session.credentials(),
      onApplied: (conversation) => this.#confirm(conversation),
    });
    this.lists = {
      waiting: this.client.watch({ status: 'waiting' }, 'waiting', LIST_MAX),
      mine: this.client.watch({ status: 'open', agent: 'me' }, 'recent', LIST_MAX),
      all: this.client.watch({}, 'recent', LIST_MAX),
    };
    this.items = computed(() => this.#transcript());
    this.status = computed(
      () => this.#chosen.value ?? this.client.agents.value.get(this.me.id)?.status ?? null,
    );
    this.colleagues = computed(() =>
      [...this.client.agents.value.values()]
        .filter(({ agent }) => agent.id !== this.me.id)
        .sort((a, b) => a.agent.name.localeCompare(b.agent.name)),
    );
    this.signedOut = computed(() => this.client.link.value.state === 'stopped');
  }

  /** Leaves the desk. */
  close(): void {
    for (const end of this.#ends) end();
    this.client.stop();
  }

  draft(id: string): Draft {
    let draft = this.#drafts.get(id);
    if (draft === undefined) {
      draft = { mode: signal<Mode>('message'), texts: { message: signal(''), note: signal('') } };
      this.#drafts.set(id, draft);
    }
    return draft;
  }

  write(id: string, mode: Mode, text: string): void {
    this.draft(id).texts[mode].value = text;
    if (mode === 'message' && text !== '') this.#typed(id, true);
  }

  send(id: string, mode: Mode, text: string): void {
    this.draft(id).texts[mode].value = '';
    if (mode === 'message') this.#typed(id, false);
    this.client.send(id, mode, text);
  }

  retry(entry: Entry): void {
    const id = this.selected.peek();
    if (id !== null) this.client.outbox.retry(id, entry.id);
  }

  discard(entry: Entry): void {
    const id = this.selected.peek();
    if (id !== null) this.client.outbox.discard(id, entry.id);
  }

  /** Takes a waiting conversation and opens it; says who was quicker otherwise. */
  async accept(card: Card): Promise<void> {
    const outcome = await this.#do(card.id, 'accept', {});
    if (outcome.ok) {
      batch(() => {
        this.selected.value = card.id;
        this.list.value = 'mine';
      });
    } else if (outcome.code === 'already_accepted') {
      this.toast(`${outcome.by?.name ?? 'A colleague'} has already taken this conversation.`, true);
    } else {
      this.toast(refusalText(outcome.code), true);
    }
  }

  /** Any other action; `said` is shown when it is done. */
  async act(id: string, action: string, args: object, said: string): Promise<boolean> {
    const outcome = await this.#do(id, action, args);
    this.toast(outcome.ok ? said : refusalText(outcome.code), !outcome.ok);
    return outcome.ok;
  }

  /** Whether this person may hand the conversation on. */
  mayMove(card: Card): boolean {
    return card.agent === null || card.agent.id === this.me.id || this.me.role !== 'agent';
  }

  async setStatus(status: PresenceStatus): Promise<void> {
    this.#chosen.value = status;
    try {
      await this.#options.session.ask('PUT', '/v1/agents/me/status', { body: { status } });
    } catch {
      this.toast('Your status could not be changed. Please try again.', true);
      this.#chosen.value = null;
    }
  }

  toast(text: string, bad: boolean): void {
    this.#options.toasts.say(text, { bad });
  }

  #run(): void {
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
        this.conversation.value = id === null ? null : this.client.follow(id);
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

  async #do(id: string, action: string, args: object): Promise<Outcome> {
    this.busy.value = new Set(this.busy.peek()).add(id);
    const outcome = await this.client.do(id, action, args);
    const busy = new Set(this.busy.peek());
    busy.delete(id);
    this.busy.value = busy;
    return outcome;
  }

  #confirm(conversation: Conversation): void {
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

/** What a refusal means for the person who asked. */
function refusalText(code: string): string {
  switch (code) {
    case 'at_capacity':
      return 'You have as many conversations as you take. Close one first.';
    case 'forbidden':
      return 'You may not do that with this conversation.';
    case 'not_found':
      return 'This conversation is not there any more.';
    case 'closed':
      return 'This conversation is closed.';
    case 'unknown':
      return 'The server did not answer. Look at the conversation before you try again.';
    default:
      return `The server refused this (${code}).`;
  }
}

/** How a visitor is called who gave no name. */
export function visitorName(card: Card): string {
  return card.visitor.name ?? `Visitor ${card.number}`;
}
