/** What the widget knows and does, without a DOM. */

import { computed, effect, type ReadonlySignal, signal } from '@preact/signals-core';
import { Client } from '../client/client.ts';
import type { Conversation } from '../client/conversation.ts';
import { claimDevice } from '../client/device.ts';
import type { Card, Event } from '../client/frames.ts';
import { type Api, Problem, type Tagged } from '../client/http.ts';
import type { Entry } from '../client/outbox.ts';
import type { Cancel, Ports } from '../client/ports.ts';
import { type Item, type Said, transcript } from '../ui/transcript.ts';
import { Beginning } from './beginning.ts';
import type { Contact, HostPage } from './bridge.ts';
import { visitorLine } from './lines.ts';
import { LiveSettings, type Settings } from './settings.ts';
import { Typing } from './typing.ts';
import { parse, Who } from './visitor.ts';
import { say } from './words.ts';

export interface WidgetOptions {
  ports: Ports;
  api: Api;
  tagged: Tagged;
  widget: string;
  host: HostPage;
  /** `newest` is the line of somebody else that was not seen yet. */
  onUnread(count: number, newest: string | null): void;
  /** For the site: what happened, and what may be said of it. */
  onEvent(name: string, detail?: object): void;
  /** An agent wrote while nobody looked. */
  onChime(): void;
}

/** What the visitor said before the chat. */
export interface Answers {
  /** By the names of the fields; absent while the form is not sent. */
  fields?: Record<string, string>;
  department?: string;
}

/** The first item that is seen, how far below the upper edge, and the last of the others seen. */
export type Place = readonly [key: string, below: number, seen: string];

/** What goes wrong, as a phrase of the language files. */
export type Trouble =
  | 'reconnecting'
  | 'cannot_begin'
  | 'gone'
  | 'no_file'
  | 'too_late'
  | 'link_used'
  | 'link_expired';

/** What the visitor can do now. */
export type Stage =
  | 'loading'
  | 'gone'
  | 'identity_required'
  | 'redirect'
  | 'leave'
  | 'prechat'
  | 'write'
  | 'ended';

interface Created {
  id: string;
  visitor: { id: string; secret?: string | null };
}

/** Where messages wait until their chat exists. */
const DRAFT = 'draft:chat';
const ANSWERS = 'answers';
/** Fields that belong to the contact; every other is one of the conversation. */
const CONTACT = ['name', 'email', 'phone'];
const UNSENT = 'unsent';
const SOUND = 'sound';
const PLACE = 'place';
/** A connection that comes back this soon is not worth a word. */
const QUIET_MS = 2_000;
/** How long the server lets a visitor change a message. */
const EDIT_MS = 60_000;
/** Places in line are read aloud at most this often. */
const ANNOUNCE_MS = 30_000;
const SAVE_MS = 300;
/** Signs of what is being written that agents may see, where the visitor is told so. */
const PREVIEW_MAX = 200;
const PAST_MAX = 20;

export class Widget {
  readonly settings: ReadonlySignal<Settings | null>;
  readonly conversation = signal<Conversation | null>(null);
  readonly draft = signal('');
  /** Whether the visitor looks at the panel. */
  readonly watching = signal(false);
  readonly sound = signal(false);
  /** The message that is being changed. */
  readonly editing = signal<Said | null>(null);
  /** Said once, until something else is. */
  readonly notice = signal<Trouble | null>(null);
  /** The place in line as it is read aloud; `null` when there is nothing to say. */
  readonly announced = signal<number | null>(null);
  readonly stage: ReadonlySignal<Stage>;
  readonly trouble: ReadonlySignal<Trouble | null>;
  readonly items: ReadonlySignal<readonly Item[]>;
  readonly hasOlder: ReadonlySignal<boolean>;
  readonly card: ReadonlySignal<Card | null>;
  /** Whether somebody can be expected to answer now. */
  readonly online: ReadonlySignal<boolean>;
  readonly typing: ReadonlySignal<string | null>;
  /** Where an earlier page was left in the transcript; `null` for its end. */
  place: Place | null = null;
  readonly who: Who;
  readonly client: Client;

  readonly #options: WidgetOptions;
  readonly #live: LiveSettings;
  readonly #beginning: Beginning;
  readonly #typing: Typing;
  readonly answers = signal<Answers>({});
  readonly #gone = signal(false);
  readonly #reconnecting = signal(false);
  /** Earlier chats that are shown above, oldest first. */
  readonly #past = signal<readonly Conversation[]>([]);
  /** Earlier chats that are not shown yet, newest first; `null` before the server was asked. */
  readonly #earlier = signal<readonly string[] | null>(null);
  /** Up to where a conversation was there before this page, by its id. */
  readonly #history = new Map<string, number>();
  #contact: Contact = {};
  /** The newest token of the site, believed or not. */
  #proof = '';
  #saving: Cancel | null = null;
  #placing: Cancel | null = null;
  #announcing: Cancel | null = null;

  static async open(options: WidgetOptions): Promise<Widget> {
    const { store, locks, newId } = options.ports;
    const devices = await claimDevice(store, locks, newId);
    const widget: Widget = new Widget(options, devices);
    await widget.client.restore();
    widget.answers.value = parse<Answers>(await store.get(ANSWERS)) ?? {};
    widget.draft.value = (await store.get(UNSENT)) ?? '';
    widget.sound.value = (await store.get(SOUND)) !== null;
    widget.place = parse<Place>(await store.get(PLACE));
    await widget.#readVisitor();
    widget.#run();
    return widget;
  }

  private constructor(options: WidgetOptions, devices: Awaited<ReturnType<typeof claimDevice>>) {
    const { ports, tagged, widget } = options;
    this.#options = options;
    this.who = new Who(ports.store);
    this.client = new Client({
      ports,
      devices,
      side: 'visitor',
      credentials: async () => this.who.credentials(),
      onApplied: (conversation, _stream, events) => this.#applied(conversation, events),
      onBegun: (id) => void this.#goOn(id),
    });
    this.#live = new LiveSettings({ clock: ports.clock, random: ports.random, tagged, widget });
    this.settings = this.#live.current;
    this.#beginning = new Beginning({
      ports,
      look: async () => {
        await this.#readVisitor();
        return this.conversation.peek() !== null;
      },
      create: (key) => this.#create(key),
      onRefused: (code) => options.onEvent('error', { code }),
    });
    this.#typing = new Typing(ports.clock, (on, text) => this.#tellTyping(on, text));
    this.card = computed(() => this.conversation.value?.card.value ?? null);
    this.online = computed(() => {
      const settings = this.settings.value;
      const there = this.client.anybodyOnline.value ?? settings?.online ?? false;
      return there && settings?.open !== false;
    });
    this.stage = computed(() => this.#stage());
    this.trouble = computed(() => {
      if (this.#gone.value) return 'gone';
      if (this.#beginning.refused.value) return 'cannot_begin';
      const waiting = this.#reconnecting.value || this.#beginning.waiting.value;
      return waiting ? 'reconnecting' : this.notice.value;
    });
    this.items = computed(() => this.#transcript());
    this.hasOlder = computed(() => {
      const first = this.#past.value[0] ?? this.conversation.value;
      // Reading the timeline makes this follow it.
      const older = first !== null && first.timeline.value.length > 0 && first.hasOlder;
      return older || (this.#earlier.value ?? []).length > 0;
    });
    this.typing = computed(() => {
      const names = [...(this.conversation.value?.typing.value.values() ?? [])];
      return names.length === 0 ? null : names.join(', ');
    });
  }

  /** The visitor wrote something, or wrote it better. */
  send(text: string): void {
    const editing = this.editing.peek();
    this.write('');
    this.notice.value = null;
    if (editing !== null) {
      this.editing.value = null;
      void this.#edit(editing, text);
      return;
    }
    const conversation = this.conversation.peek();
    this.client.send(conversation?.id ?? DRAFT, 'message', text);
    this.#options.onEvent('message:sent');
    if (conversation === null) void this.#beginning.run();
  }

  /** The visitor changes what is not sent yet. */
  write(text: string): void {
    this.draft.value = text;
    this.#saving?.();
    this.#saving = this.#options.ports.clock.after(SAVE_MS, () => {
      if (this.editing.peek() !== null) return;
      const { store } = this.#options.ports;
      void (text === '' ? store.remove(UNSENT) : store.set(UNSENT, text));
    });
    if (this.conversation.peek() !== null) this.#typing.typed(text);
  }

  /** The visitor reads at another place, where the next page will go on; `null` is the end. */
  stay(place: Place | null): void {
    if (place === null && this.place === null) return;
    this.place = place;
    this.#placing?.();
    const { store, clock } = this.#options.ports;
    this.#placing = clock.after(SAVE_MS, () => {
      void (place === null ? store.remove(PLACE) : store.set(PLACE, JSON.stringify(place)));
    });
  }

  /** Takes the last own message back into the composer, while the server still allows that. */
  editLast(): void {
    const since = this.#options.ports.clock.now() - EDIT_MS;
    const last = this.items.peek().findLast((item) => item.kind === 'said' && item.mine);
    if (last?.kind !== 'said' || last.entry !== null || last.redacted || last.at < since) return;
    this.editing.value = last;
    this.draft.value = last.text;
  }

  cancelEdit(): void {
    this.editing.value = null;
    this.write('');
  }

  /** The visitor says what it is about. */
  choose(department: string): void {
    this.#answered({ ...this.answers.peek(), department });
  }

  /** What was asked before the chat is answered, by the names of the fields. */
  answer(given: readonly (readonly [string, string])[]): void {
    const fields = Object.fromEntries(given.filter(([, value]) => value !== ''));
    this.#answered({ ...this.answers.peek(), fields });
  }

  retry(entry: Entry): void {
    this.client.outbox.retry(this.#place(), entry.id);
    if (this.conversation.peek() === null) void this.#beginning.run();
  }

  discard(entry: Entry): void {
    this.client.outbox.discard(this.#place(), entry.id);
  }

  /** Whether the newest part of the chat is there. */
  get whole(): boolean {
    const conversation = this.conversation.value;
    return conversation?.loaded.value === true && !conversation.log('public')?.behind;
  }

  /** Shows what was before, also in earlier chats. */
  older(): void {
    const first = this.#past.peek()[0] ?? this.conversation.peek();
    if (first?.hasOlder) {
      first.fetchOlder();
      return;
    }
    const [next, ...rest] = this.#earlier.peek() ?? [];
    if (next === undefined) return;
    this.#earlier.value = rest;
    this.#past.value = [this.client.follow(next), ...this.#past.peek()];
  }

  /** Public events of a chat after a position, however long ago. */
  async page(id: string, after: number, limit: number): Promise<readonly Event[]> {
    const path = `/v1/conversations/${id}/messages?after=${after}&limit=${limit}`;
    const { token } = this.who;
    return (await this.#options.api<{ items: Event[] }>('GET', path, { token })).items;
  }

  async end(): Promise<void> {
    const id = this.conversation.peek()?.id;
    if (id !== undefined) await this.#do(id, 'close');
  }

  async rate(score: number, comment: string): Promise<void> {
    const id = this.conversation.peek()?.id;
    if (id === undefined) return;
    if (await this.#do(id, 'rate', comment === '' ? { score } : { score, comment })) {
      this.#options.onEvent('rating', { score });
    }
  }

  /** Leaves an ended chat; the next message begins another, below it. */
  async startAgain(): Promise<void> {
    const visitor = this.who.visitor.peek();
    const conversation = this.conversation.peek();
    this.conversation.value = null;
    if (this.#gone.peek()) {
      if (conversation !== null) this.client.unfollow(conversation.id);
      this.#gone.value = false;
      this.#past.value = [];
      await this.who.forget();
    } else if (visitor !== null) {
      if (conversation !== null) this.#past.value = [...this.#past.peek(), conversation];
      await this.who.keep({ ...visitor, conversation: null });
    }
  }

  /** Another tab of the same site changed what is kept. */
  async changedElsewhere(key: string): Promise<void> {
    if (key === this.who.key) await this.#readVisitor();
  }

  /**
   * The site proves who the visitor is: from now on it is that visitor's chat. `false` when the
   * server does not believe it; then the visitor stays who they were.
   */
  async identify(token: string): Promise<boolean> {
    const { api, onEvent } = this.#options;
    this.#proof = token;
    const refused = await api('GET', '/v1/conversations?limit=1', { token }).then(
      () => false,
      ({ status }: Problem) => status === 401,
    );
    // The site may have changed its mind meanwhile.
    if (this.#proof !== token) return true;
    const known = this.who.key;
    if (refused || !this.who.identify(token)) {
      onEvent('error', { code: 'bad_token' });
      return false;
    }
    this.#gone.value = false;
    if (this.who.key !== known) {
      for (const { id } of [...this.#past.peek(), this.conversation.peek()].filter(isThere)) {
        this.client.unfollow(id);
      }
      this.#past.value = [];
      this.#earlier.value = null;
      this.conversation.value = null;
      await this.#readVisitor();
    }
    this.client.reconnect();
    return true;
  }

  /** What the site knows of the visitor, without proof. */
  async introduce(contact: Contact): Promise<void> {
    this.#contact = { ...this.#contact, ...contact };
    const { token } = this.who;
    if (token === undefined) return;
    const { api } = this.#options;
    await api('PATCH', '/v1/visitors/me', { token, body: contact }).catch((error: Problem) =>
      this.#options.onEvent('error', { code: error.code }),
    );
  }

  /** The visitor went to another page of the site. */
  visit(page: string, title: string): void {
    Object.assign(this.#options.host, { page, title });
    this.client.page(page, title);
  }

  /** Shows settings that are tried out. */
  preview(settings: Settings): void {
    this.#live.show(settings);
  }

  hear(on: boolean): void {
    this.sound.value = on;
    const { store } = this.#options.ports;
    void (on ? store.set(SOUND, '1') : store.remove(SOUND));
    if (on) this.#options.onChime();
  }

  #run(): void {
    const { clock } = this.#options.ports;
    let quiet: Cancel | null = null;
    effect(() => {
      const link = this.client.link.value;
      quiet?.();
      quiet = null;
      if (link.state === 'ready' || link.state === 'idle') {
        this.#reconnecting.value = false;
        if (link.state === 'ready') void this.#catchUp();
      } else if (link.state === 'stopped') {
        this.#reconnecting.value = false;
        this.#gone.value = true;
        this.#options.onEvent('error', { code: 'signed_out' });
      } else if (!this.#reconnecting.peek()) {
        quiet = clock.after(QUIET_MS, () => {
          this.#reconnecting.value = true;
        });
      }
    });
    effect(() => {
      if (this.conversation.value?.refused.value === 'not_found') this.#gone.value = true;
    });
    effect(() => {
      const card = this.card.value;
      const unread = this.watching.value ? 0 : (card?.unread ?? 0);
      const last = card?.last ?? null;
      const foreign = unread > 0 && last !== null && last.from.kind !== 'visitor';
      this.#options.onUnread(
        unread,
        foreign ? `${last.from.name ?? say('support')}: ${last.text}` : null,
      );
    });
    effect(() => {
      const watching = this.watching.value;
      if (watching) this.conversation.value?.confirm(true);
      this.#live.watch(watching);
      if (watching && this.#earlier.peek() === null) void this.#listChats();
    });
    // What an earlier page wrote but could not begin a chat for.
    effect(() => {
      const left = this.client.outbox.rows(DRAFT).value.length > 0;
      const begun = this.conversation.value !== null;
      if (left && !begun && !this.#beginning.refused.peek()) void this.#beginning.run();
    });
    let place: number | null = null;
    effect(() => {
      const now = this.conversation.value?.queue.value?.position ?? null;
      if (now !== null && now !== place) this.#options.onEvent('queue', { position: now });
      place = now;
      if (now === null) this.announced.value = null;
      else if (this.#announcing === null) announce();
    });
    const announce = () => {
      this.announced.value = place;
      this.#announcing = clock.after(ANNOUNCE_MS, () => {
        this.#announcing = null;
        if (place !== null && place !== this.announced.peek()) announce();
      });
    };
  }

  #stage(): Stage {
    const settings = this.settings.value;
    const conversation = this.conversation.value;
    const status = this.card.value?.status;
    if (this.#gone.value || status === 'closed' || status === 'archived') return 'ended';
    if (conversation !== null) return 'write';
    if (settings === null) return this.#live.refused.value === null ? 'loading' : 'gone';
    const verified = this.who.verified.value;
    if (settings.identity_required && !verified) return 'identity_required';
    const written = this.client.outbox.rows(DRAFT).value.length > 0;
    if (written) return 'write';
    const behavior = this.online.value ? null : settings.offline?.behavior;
    if (behavior === 'redirect' && settings.offline?.redirect_url) return 'redirect';
    if (behavior === 'form') return 'leave';
    const asks =
      (settings.prechat?.fields ?? []).length > 0 ||
      settings.department_required ||
      (settings.email_required && !verified);
    return asks && !this.answers.value.fields ? 'prechat' : 'write';
  }

  #answered(answers: Answers): void {
    this.answers.value = answers;
    void this.#options.ports.store.set(ANSWERS, JSON.stringify(answers));
  }

  /** Follows what is kept, whoever kept it. */
  async #readVisitor(): Promise<void> {
    const before = this.conversation.peek();
    const visitor = await this.who.read();
    if (visitor === null) return;
    this.client.connect();
    if (visitor.conversation === (before?.id ?? null)) return;
    if (before !== null) this.#past.value = [...this.#past.peek(), before];
    if (visitor.conversation === null) this.conversation.value = null;
    else this.#follow(visitor.conversation);
  }

  /** Somebody began a chat with this visitor, or one goes on that another device began. */
  async #goOn(id: string): Promise<void> {
    const visitor = this.who.visitor.peek() ?? { id: '', secret: '', conversation: null };
    if (this.conversation.peek()?.id === id) return;
    await this.who.keep({ ...visitor, conversation: id });
    const before = this.conversation.peek();
    if (before !== null) this.#past.value = [...this.#past.peek(), before];
    this.#follow(id);
    this.#options.onEvent('conversation:start', { id });
  }

  #follow(id: string): void {
    this.client.outbox.rename(DRAFT, id);
    this.#past.value = this.#past.peek().filter((past) => past.id !== id);
    this.conversation.value = this.client.follow(id);
  }

  /** Finds a chat that somebody, or another device, began while we were away. */
  async #catchUp(): Promise<void> {
    const idle = () => this.conversation.peek() === null || this.stage.peek() === 'ended';
    if (!idle()) return;
    const open = (await this.#listChats()).find(isOpen);
    if (open !== undefined && idle()) await this.#goOn(open.id);
  }

  /** Asks for the visitor's chats, newest first. */
  async #listChats(): Promise<readonly Card[]> {
    const { token } = this.who;
    if (token === undefined) return [];
    const path = `/v1/conversations?limit=${PAST_MAX}`;
    const { items } = await this.#options
      .api<{ items: Card[] }>('GET', path, { token })
      .catch(() => ({ items: [] }));
    const shown = [...this.#past.peek(), this.conversation.peek()].filter(isThere);
    this.#earlier.value = items
      .map(({ id }) => id)
      .filter((id) => shown.every((conversation) => conversation.id !== id));
    return items;
  }

  async #create(key: string): Promise<void> {
    const { api, widget, host } = this.#options;
    const { token } = this.who;
    const { fields: given = {}, department } = this.answers.peek();
    const contact: Record<string, string> = { ...this.#contact };
    const fields: Record<string, string> = {};
    for (const [field, text] of Object.entries(given)) {
      (CONTACT.includes(field) ? contact : fields)[field] = text;
    }
    const created = await api<Created>('POST', '/v1/conversations', {
      token,
      key,
      body: {
        widget,
        context: contextOf(host),
        contact,
        fields,
        ...(department && { department }),
      },
    });
    const secret = created.visitor.secret ?? token;
    if (secret == null) throw new Problem(500, 'no_secret');
    await this.who.keep({ id: created.visitor.id, secret, conversation: created.id });
    this.client.connect();
    this.#follow(created.id);
    this.#options.onEvent('conversation:start', { id: created.id });
  }

  async #edit(said: Said, text: string): Promise<void> {
    const conversation = this.conversation.peek();
    const event = conversation?.timeline.peek().find(({ id }) => id === said.key);
    if (conversation === null || event === undefined || text === said.text) return;
    const args = { stream: 'public', seq: event.seq, text };
    if (!(await this.#do(conversation.id, 'edit', args))) this.notice.value = 'too_late';
  }

  async #do(id: string, action: string, args?: object): Promise<boolean> {
    const outcome = await this.client.do(id, action, args);
    if (!outcome.ok) this.#options.onEvent('error', { code: outcome.code });
    return outcome.ok;
  }

  #applied(conversation: Conversation, events: readonly Event[]): void {
    const { id } = conversation;
    if (conversation === this.conversation.peek()) conversation.confirm(this.watching.peek());
    let history = this.#history.get(id);
    if (history === undefined) {
      history = conversation.log('public')?.head ?? 0;
      this.#history.set(id, history);
    }
    const tell = this.#options.onEvent;
    for (const event of events) {
      if (event.seq <= history) continue;
      if (event.kind === 'message' && event.from.kind !== 'visitor') {
        tell('message:received', { id });
        if (this.sound.peek() && !this.watching.peek()) this.#options.onChime();
      } else if (event.kind === 'assigned') {
        tell('agent:joined', { name: event.body.agent.name });
      } else if (event.kind === 'closed') {
        tell('conversation:end', { id });
      }
    }
  }

  #tellTyping(on: boolean, text: string): void {
    const id = this.conversation.peek()?.id;
    if (id === undefined) return;
    const preview = this.settings.peek()?.preview_typing ? text.slice(-PREVIEW_MAX) : '';
    this.client.typing(id, on, preview);
  }

  #place(): string {
    return this.conversation.peek()?.id ?? DRAFT;
  }

  #transcript(): Item[] {
    const departments = this.settings.value?.departments ?? [];
    const names = new Map(departments.map(({ id, name }) => [id, name]));
    const chats = [...this.#past.value, this.conversation.value];
    const items = chats.flatMap((conversation) =>
      transcript({
        timeline: conversation?.timeline.value ?? [],
        entries: this.client.outbox.rows(conversation?.id ?? DRAFT).value,
        receipts: conversation?.receipts.value ?? new Map(),
        side: 'visitor',
        me: this.client.principal.value,
        line: (event) => visitorLine(event, names),
      }),
    );
    // Two chats on one day begin it once.
    const seen = new Set<string>();
    return items.filter(({ kind, key }) => kind !== 'day' || (!seen.has(key) && seen.add(key)));
  }
}

function isThere(conversation: Conversation | null): conversation is Conversation {
  return conversation !== null;
}

function isOpen({ status }: Card): boolean {
  return status === 'waiting' || status === 'active';
}

function contextOf(host: HostPage): object {
  return Object.fromEntries(Object.entries(host).filter(([, value]) => value !== ''));
}
