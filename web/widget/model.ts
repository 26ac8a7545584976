/** What the widget knows and does, without a DOM. */

import { computed, effect, type ReadonlySignal, signal } from '@preact/signals-core';
import { backoffMs } from '../client/backoff.ts';
import { Client } from '../client/client.ts';
import type { Conversation } from '../client/conversation.ts';
import { claimDevice } from '../client/device.ts';
import type { Card, Event } from '../client/frames.ts';
import { type Api, Problem } from '../client/http.ts';
import type { Entry } from '../client/outbox.ts';
import type { Cancel, Ports } from '../client/ports.ts';
import { type Item, transcript } from '../ui/transcript.ts';
import type { HostPage } from './bridge.ts';
import { visitorLine } from './lines.ts';

/** The public settings of a widget. */
export interface Settings {
  id: string;
  name: string;
  welcome?: string;
  offline_message?: string;
  theme?: { color?: string };
  departments?: { id: string; name: string }[];
  online?: boolean;
  next_open_at?: string | null;
}

/** What is kept of the visitor between pages. */
export interface Visitor {
  id: string;
  secret: string;
  /** The chat that goes on; `null` when the next message begins one. */
  conversation: string | null;
}

export interface WidgetOptions {
  ports: Ports;
  api: Api;
  widget: string;
  host: HostPage;
  onUnread(count: number): void;
  onEvent(name: string): void;
}

/** Where messages wait until their chat exists. */
const DRAFT = 'draft:chat';
const VISITOR = 'visitor';
/** Held by the one tab that begins a chat, so that two tabs do not begin two. */
const BEGINNING = 'beginning';
/** A connection that comes back this soon is not worth a word. */
const QUIET_MS = 2_000;
const BEGIN_PAUSE_MS = 400;
const TYPING_EVERY_MS = 3_000;
const TYPING_PAUSE_MS = 4_000;

export type Trouble = 'reconnecting' | 'cannot_begin' | 'gone';

interface Created {
  id: string;
  visitor: { id: string; secret?: string | null };
}

export class Widget {
  readonly settings = signal<Settings | null>(null);
  readonly conversation = signal<Conversation | null>(null);
  readonly draft = signal('');
  /** Whether the visitor looks at the panel. */
  readonly watching = signal(false);
  readonly trouble: ReadonlySignal<Trouble | null>;
  readonly items: ReadonlySignal<readonly Item[]>;
  readonly card: ReadonlySignal<Card | null>;
  /** Whether the chat has ended, so that only a new one can go on. */
  readonly ended: ReadonlySignal<boolean>;
  readonly typing: ReadonlySignal<string | null>;
  readonly client: Client;

  readonly #options: WidgetOptions;
  readonly #visitor = signal<Visitor | null>(null);
  readonly #cannotBegin = signal(false);
  readonly #gone = signal(false);
  readonly #reconnecting = signal(false);
  #beginning = false;
  #beginAgain: Cancel | null = null;
  /** One per chat, so that a retry after a lost answer begins no second one. */
  #beginKey: string;
  #failures = 0;
  #typingUntil = 0;
  #typingPause: Cancel | null = null;

  static async open(options: WidgetOptions): Promise<Widget> {
    const { ports } = options;
    const devices = await claimDevice(ports.store, ports.locks, ports.newId);
    const widget: Widget = new Widget(options, devices);
    await widget.client.restore();
    await widget.#readVisitor();
    widget.#run();
    return widget;
  }

  private constructor(options: WidgetOptions, devices: Awaited<ReturnType<typeof claimDevice>>) {
    this.#options = options;
    this.#beginKey = options.ports.newId();
    this.client = new Client({
      ports: options.ports,
      devices,
      side: 'visitor',
      credentials: async () => {
        const secret = this.#visitor.peek()?.secret;
        return secret === undefined ? null : { token: secret, expiresAt: null };
      },
      onApplied: (conversation, _stream, events) => this.#applied(conversation, events),
    });
    this.card = computed(() => this.conversation.value?.card.value ?? null);
    this.ended = computed(() => {
      const status = this.card.value?.status;
      return this.#gone.value || status === 'closed' || status === 'archived';
    });
    this.trouble = computed(() => {
      if (this.#gone.value) return 'gone';
      if (this.#cannotBegin.value) return 'cannot_begin';
      return this.#reconnecting.value ? 'reconnecting' : null;
    });
    this.items = computed(() => this.#transcript());
    this.typing = computed(() => {
      const names = [...(this.conversation.value?.typing.value.values() ?? [])];
      return names.length === 0 ? null : names.join(', ');
    });
  }

  /** The visitor wrote something. */
  send(text: string): void {
    this.draft.value = '';
    this.#typed(false);
    const conversation = this.conversation.peek();
    this.client.send(conversation?.id ?? DRAFT, 'message', text);
    this.#options.onEvent('message:sent');
    if (conversation === null) void this.#begin();
  }

  /** The visitor changes what is not sent yet. */
  write(text: string): void {
    this.draft.value = text;
    if (text !== '') this.#typed(true);
  }

  retry(entry: Entry): void {
    this.client.outbox.retry(this.#place(), entry.id);
    if (this.conversation.peek() === null) void this.#begin();
  }

  discard(entry: Entry): void {
    this.client.outbox.discard(this.#place(), entry.id);
  }

  /** Leaves an ended chat; the next message begins another. */
  async startAgain(): Promise<void> {
    const visitor = this.#visitor.peek();
    const conversation = this.conversation.peek();
    if (conversation !== null) this.client.unfollow(conversation.id);
    this.conversation.value = null;
    if (this.#gone.peek()) {
      this.#visitor.value = null;
      this.#gone.value = false;
      await this.#options.ports.store.remove(VISITOR);
    } else if (visitor !== null) {
      await this.#keep({ ...visitor, conversation: null });
    }
  }

  /** Another tab of the same site changed what is kept. */
  async changedElsewhere(key: string): Promise<void> {
    if (key === VISITOR) await this.#readVisitor();
  }

  #run(): void {
    void this.#loadSettings();
    let quiet: Cancel | null = null;
    effect(() => {
      const link = this.client.link.value;
      quiet?.();
      quiet = null;
      if (link.state === 'ready' || link.state === 'idle') {
        this.#reconnecting.value = false;
      } else if (link.state === 'stopped') {
        this.#reconnecting.value = false;
        this.#gone.value = true;
      } else if (!this.#reconnecting.peek()) {
        quiet = this.#options.ports.clock.after(QUIET_MS, () => {
          this.#reconnecting.value = true;
        });
      }
    });
    effect(() => {
      if (this.conversation.value?.refused.value === 'not_found') this.#gone.value = true;
    });
    effect(() => this.#options.onUnread(this.watching.value ? 0 : (this.card.value?.unread ?? 0)));
    effect(() => {
      if (this.watching.value) this.conversation.value?.confirm(true);
    });
    // What an earlier page wrote but could not begin a chat for.
    effect(() => {
      const left = this.client.outbox.rows(DRAFT).value.length > 0;
      const begun = this.conversation.value !== null;
      if (left && !begun && !this.#cannotBegin.peek()) void this.#begin();
    });
  }

  async #loadSettings(attempt = 0): Promise<void> {
    try {
      const path = `/v1/widgets/${encodeURIComponent(this.#options.widget)}`;
      this.settings.value = await this.#options.api<Settings>('GET', path);
    } catch (error) {
      if (!(error instanceof Problem) || !error.passing) return;
      const wait = backoffMs(attempt + 2, this.#options.ports.random);
      this.#options.ports.clock.after(wait, () => void this.#loadSettings(attempt + 1));
    }
  }

  /** Follows what is kept, whoever kept it. */
  async #readVisitor(): Promise<void> {
    const visitor = parseVisitor(await this.#options.ports.store.get(VISITOR));
    const before = this.conversation.peek();
    this.#visitor.value = visitor;
    if (visitor === null) return;
    this.client.connect();
    if (visitor.conversation === (before?.id ?? null)) return;
    if (before !== null) this.client.unfollow(before.id);
    if (visitor.conversation === null) this.conversation.value = null;
    else this.#follow(visitor.conversation);
  }

  #follow(id: string): void {
    this.client.outbox.rename(DRAFT, id);
    this.conversation.value = this.client.follow(id);
  }

  /** Begins the chat that the waiting messages are for, in one tab at a time. */
  async #begin(): Promise<void> {
    if (this.#beginning) return;
    this.#beginning = true;
    this.#beginAgain?.();
    this.#beginAgain = null;
    const release = await this.#options.ports.locks.claim(BEGINNING);
    try {
      // Another tab has it (or there are no locks): a moment later its chat is there to join.
      if (release === null) await this.#pause(BEGIN_PAUSE_MS);
      await this.#readVisitor();
      if (this.conversation.peek() === null) await this.#create();
      this.#failures = 0;
      this.#cannotBegin.value = false;
    } catch (error) {
      this.#cannotBegin.value = !(error instanceof Problem) || !error.passing;
      this.#reconnecting.value = !this.#cannotBegin.peek();
      if (!this.#cannotBegin.peek()) {
        const wait = backoffMs(2 + this.#failures++, this.#options.ports.random);
        this.#beginAgain = this.#options.ports.clock.after(wait, () => void this.#begin());
      }
    } finally {
      release?.();
      this.#beginning = false;
    }
  }

  async #create(): Promise<void> {
    const { api, widget, host } = this.#options;
    const visitor = this.#visitor.peek();
    const created = await api<Created>('POST', '/v1/conversations', {
      token: visitor?.secret,
      key: this.#beginKey,
      body: { widget, context: contextOf(host) },
    });
    const secret = created.visitor.secret ?? visitor?.secret;
    if (secret == null) throw new Problem(500, 'no_secret');
    await this.#keep({ id: created.visitor.id, secret, conversation: created.id });
    this.#beginKey = this.#options.ports.newId();
    this.#reconnecting.value = false;
    this.client.connect();
    this.#follow(created.id);
    this.#options.onEvent('conversation:start');
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.ports.clock.after(ms, resolve));
  }

  async #keep(visitor: Visitor): Promise<void> {
    this.#visitor.value = visitor;
    await this.#options.ports.store.set(VISITOR, JSON.stringify(visitor));
  }

  #applied(conversation: Conversation, events: readonly Event[]): void {
    conversation.confirm(this.watching.peek());
    for (const event of events) {
      if (event.kind === 'message' && event.from.kind !== 'visitor') {
        this.#options.onEvent('message:received');
      } else if (event.kind === 'assigned') {
        this.#options.onEvent('agent:joined');
      } else if (event.kind === 'closed') {
        this.#options.onEvent('conversation:end');
      }
    }
  }

  /** Says that the visitor types, seldom enough, and that it is over after a pause. */
  #typed(on: boolean): void {
    const conversation = this.conversation.peek();
    if (conversation === null) return;
    const { clock } = this.#options.ports;
    this.#typingPause?.();
    this.#typingPause = null;
    if (on) this.#typingPause = clock.after(TYPING_PAUSE_MS, () => this.#typed(false));
    const now = clock.now();
    if (on ? now < this.#typingUntil : this.#typingUntil === 0) return;
    this.#typingUntil = on ? now + TYPING_EVERY_MS : 0;
    this.client.typing(conversation.id, on);
  }

  #place(): string {
    return this.conversation.peek()?.id ?? DRAFT;
  }

  #transcript(): Item[] {
    const conversation = this.conversation.value;
    const departments = this.settings.value?.departments ?? [];
    const names = new Map(departments.map(({ id, name }) => [id, name]));
    return transcript({
      timeline: conversation?.timeline.value ?? [],
      entries: this.client.outbox.rows(conversation?.id ?? DRAFT).value,
      receipts: conversation?.receipts.value ?? new Map(),
      side: 'visitor',
      me: this.client.principal.value,
      line: (event) => visitorLine(event, names),
    });
  }
}

function contextOf(host: HostPage): object {
  return Object.fromEntries(Object.entries(host).filter(([, value]) => value !== ''));
}

function parseVisitor(text: string | null): Visitor | null {
  if (text === null) return null;
  try {
    const visitor: unknown = JSON.parse(text);
    const valid = typeof visitor === 'object' && visitor !== null && 'secret' in visitor;
    return valid ? (visitor as Visitor) : null;
  } catch {
    return null;
  }
}
