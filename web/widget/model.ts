/**
 * What the widget knows and does, without a DOM. Which chats there are is in `chats.ts`, what is kept
 * for the next page in `stored.ts`, who is told of what happens in `news.ts`, who the visitor is in
 * `visitor.ts`, and at which step they are in `stage.ts`.
 */

import { computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import { Client } from '../client/client.ts';
import type { Conversation } from '../client/conversation.ts';
import { type Claimed, claimDevice } from '../client/device.ts';
import type { Card, QueueFrame } from '../client/frames.ts';
import { type Api, Problem, type Tagged } from '../client/http.ts';
import type { Entry } from '../client/outbox.ts';
import type { Cancel, Ports } from '../client/ports.ts';
import type { Said } from '../ui/transcript.ts';
import { Beginning } from './beginning.ts';
import type { Contact, HostPage } from './bridge.ts';
import { Chats } from './chats.ts';
import { READ } from './keys.ts';
import { type Ears, News } from './news.ts';
import { LiveSettings, type Settings } from './settings.ts';
import { type Stage, stageOf, type Trouble } from './stage.ts';
import { Stored } from './stored.ts';
import { Typing } from './typing.ts';
import { Who } from './visitor.ts';

export interface WidgetOptions extends Ears {
  ports: Ports;
  api: Api;
  tagged: Tagged;
  widget: string;
  host: HostPage;
}

interface Created {
  id: string;
  visitor: { id: string; secret?: string | null };
}

/** Fields that belong to the contact; every other is one of the conversation. */
const CONTACT = ['name', 'email', 'phone'];
/** A connection that comes, or comes back, this soon is not worth a word. */
const QUIET_MS = 2_000;
/** How long the server lets a visitor change a message. */
const EDIT_MS = 60_000;
/** What the server says to who begins a chat while no more may wait. */
const QUEUE_FULL = 'queue_full';
/** Between a refusal that nothing else told of and the next try, and as much again by chance. */
const AGAIN_MS = 5_000;
/** Everybody who waits for room hears of it at once: so they spread. */
const SPREAD_MS = 2_000;
/** Signs of what is being written that agents may see, where the visitor is told so. */
const PREVIEW_MAX = 200;

export class Widget {
  readonly settings: ReadonlySignal<Settings | null>;
  readonly chats: Chats;
  readonly stored: Stored;
  readonly news: News;
  readonly who: Who;
  readonly client: Client;
  /** The chat that goes on. */
  readonly conversation: Signal<Conversation | null>;
  readonly card: ReadonlySignal<Card | null>;
  /** Whether the visitor looks at the panel. */
  readonly watching = signal(false);
  /** The message that is being changed. */
  readonly editing = signal<Said | null>(null);
  /** Said once, until something else is. */
  readonly notice = signal<Trouble | null>(null);
  readonly stage: ReadonlySignal<Stage>;
  readonly trouble: ReadonlySignal<Trouble | null>;
  /** Whether somebody can be expected to answer now. */
  readonly online: ReadonlySignal<boolean>;
  readonly typing: ReadonlySignal<string | null>;
  /** Whether somebody is there, and no more may wait where this visitor would. */
  readonly full: ReadonlySignal<boolean>;
  /** The place in line; `null` also while nobody is there who could call. */
  readonly line: ReadonlySignal<QueueFrame | null>;
  /** Where the visitor can be written to who waits now: empty for nowhere, `null` for who does not wait. */
  readonly reach: ReadonlySignal<string | null>;

  readonly #options: WidgetOptions;
  readonly #live: LiveSettings;
  readonly #beginning: Beginning;
  readonly #typing: Typing;
  /** What is said of the connection; `null` when there is one, or none for a moment. */
  readonly #link = signal<Trouble | null>(null);
  readonly #contact = signal<Contact>({});
  /** As the settings know: whether no more may wait where this visitor would. */
  readonly #lineFull: ReadonlySignal<boolean>;
  /** Whether what waits for its chat is left for later, should no more be let in. */
  #leaves = false;
  /** The newest token of the site, believed or not. */
  #proof = '';

  static async open(options: WidgetOptions): Promise<Widget> {
    const { store, locks, newId, clock } = options.ports;
    const stored = new Stored(store, clock);
    const [devices] = await Promise.all([claimDevice(store, locks, newId), stored.restore()]);
    const widget: Widget = new Widget(options, devices, stored);
    await widget.client.restore();
    await widget.chats.read();
    widget.#run();
    return widget;
  }

  private constructor(options: WidgetOptions, devices: Claimed, stored: Stored) {
    const { ports, api, tagged, widget, onEvent } = options;
    const { clock, store, random } = ports;
    this.#options = options;
    this.who = new Who(store);
    this.stored = stored;
    this.news = new News(clock, options);
    this.client = new Client({
      ports,
      devices,
      side: 'visitor',
      credentials: async () => this.who.credentials(),
      onApplied: (conversation, _stream, events) => {
        const watching = this.watching.peek();
        if (conversation === this.conversation.peek()) this.#confirm();
        this.news.applied(conversation, events, this.stored.sound.peek() && !watching);
      },
      onBegun: (id) => void this.chats.goOn(id),
    });
    this.#live = new LiveSettings({ clock, random, tagged, widget });
    this.settings = this.#live.current;
    this.chats = new Chats({
      client: this.client,
      who: this.who,
      api,
      settings: this.settings,
      onStart: (id) => onEvent('conversation:start', { id }),
    });
    this.conversation = this.chats.current;
    this.card = this.chats.card;
    this.#beginning = new Beginning({
      ports,
      look: async () => {
        await this.chats.read();
        return this.conversation.peek() !== null;
      },
      create: (key) => this.#create(key),
      onRefused: (code) => {
        onEvent('error', { code });
        if (code === QUEUE_FULL) {
          // There may be room by now without anybody having told.
          clock.after(AGAIN_MS * (1 + random()), () => this.#enter());
        }
      },
    });
    this.#typing = new Typing(clock, (text) => this.#tellTyping(text));
    this.online = computed(() => {
      const settings = this.settings.value;
      const there = this.client.anybodyOnline.value ?? settings?.online ?? false;
      return there && settings?.open !== false;
    });
    this.#lineFull = computed(() => {
      const { departments, full } = this.settings.value ?? {};
      const { department } = this.stored.answers.value;
      const chosen = departments?.find(({ id }) => id === department);
      return this.online.value && (chosen === undefined ? full : chosen.full) === true;
    });
    this.full = computed(() => {
      const refused = this.#beginning.refused.value === QUEUE_FULL;
      return this.conversation.value === null && (refused || this.#lineFull.value);
    });
    this.line = computed(() => {
      const queue = this.conversation.value?.queue.value ?? null;
      return this.online.value ? queue : null;
    });
    this.reach = computed(() => {
      if (this.card.value?.status !== 'waiting' || this.who.verified.value) return null;
      const { email, fields } = this.stored.answers.value;
      return this.#contact.value.email ?? email ?? fields?.email ?? '';
    });
    this.stage = computed(() => this.#stage());
    this.trouble = computed(() => {
      if (this.chats.forgotten.value) return 'gone';
      const refused = this.#beginning.refused.value;
      if (refused !== null && refused !== QUEUE_FULL) return 'cannot_begin';
      const link = this.#link.value ?? (this.#beginning.waiting.value ? 'connecting' : null);
      return link ?? this.notice.value ?? (this.full.value ? 'full' : null);
    });
    this.typing = computed(() => {
      const typing = this.conversation.value?.typing.value;
      if (!typing?.size) return null;
      return [...typing.values()].map(({ from }) => from.name).join(', ');
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
    // Whoever writes now was told that it is left.
    this.#leaves = this.full.peek();
    this.client.send(this.chats.target, 'message', text);
    this.#options.onEvent('message:sent');
    this.#begin();
  }

  /** The visitor writes; what a change of an old message says is not kept. */
  write(text: string): void {
    if (this.editing.peek() === null) this.stored.write(text);
    else this.stored.draft.value = text;
    if (this.conversation.peek() !== null) this.#typing.typed(text);
  }

  /** Takes the last own message back into the composer, while the server still allows that. */
  editLast(): void {
    const since = this.#options.ports.clock.now() - EDIT_MS;
    const last = this.chats.items.peek().findLast((item) => item.kind === 'said' && item.mine);
    if (last?.kind !== 'said' || last.entry !== null || last.redacted || last.at < since) return;
    this.editing.value = last;
    this.stored.draft.value = last.text;
  }

  cancelEdit(): void {
    this.editing.value = null;
    this.write('');
  }

  /** What was asked before the chat is answered, by the names of the fields. */
  answer(given: readonly (readonly [string, string])[]): void {
    this.stored.answer({ fields: filled(given) });
  }

  retry(entry: Entry): void {
    this.client.outbox.retry(this.chats.target, entry.id);
    this.#begin();
  }

  discard(entry: Entry): void {
    this.client.outbox.discard(this.chats.target, entry.id);
  }

  /** What no more may wait for is left as a message. */
  leave(): void {
    this.#leaves = true;
    this.#begin();
  }

  /** Tries again to wait for somebody. */
  tryAgain(): void {
    this.#leaves = false;
    this.#begin();
  }

  /** Asks the server for something, as the visitor. */
  ask<Answer>(path: string): Promise<Answer> {
    const { token } = this.who;
    return this.#options.api('GET', path, { token });
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

  /** Another tab of the same site changed what is kept. */
  async changedElsewhere(key: string): Promise<void> {
    if (key === this.who.key) await this.chats.read();
    if (key === READ) {
      const end = await this.#options.ports.store.get(READ);
      const conversation = this.conversation.peek();
      if (end === endOf(conversation)) conversation?.allRead();
    }
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
    this.chats.forgotten.value = false;
    if (this.who.key !== known) {
      this.chats.forget();
      await this.chats.read();
    }
    this.client.reconnect();
    return true;
  }

  /** What is said of the visitor without proof; `false` when the server did not take it. */
  async introduce(contact: Contact): Promise<boolean> {
    const { token } = this.who;
    const { api, onEvent } = this.#options;
    try {
      // Before there is a visitor it waits for the chat.
      if (token !== undefined) await api('PATCH', '/v1/visitors/me', { token, body: contact });
    } catch (error) {
      onEvent('error', { code: (error as Problem).code });
      return false;
    }
    this.#contact.value = { ...this.#contact.peek(), ...contact };
    return true;
  }

  /** The visitor went to another page of the site, or did something there. */
  visit(page: string, title: string, did?: string): void {
    Object.assign(this.#options.host, { page, title });
    this.client.page(page, title, did);
  }

  /** Shows settings that are tried out. */
  preview(settings: Settings): void {
    this.#live.show(settings);
  }

  /** Sounds or does not from now on; how it sounds is heard at once. */
  hear(on: boolean): void {
    this.stored.hear(on);
    if (on) this.#options.onChime();
  }

  #run(): void {
    const { chats } = this;
    let quiet: Cancel | null = null;
    let word: Trouble = 'connecting';
    effect(() => {
      const { state } = this.client.link.value;
      if (state === 'connecting' || state === 'waiting') {
        // One try may follow another within it.
        quiet ??= this.#options.ports.clock.after(QUIET_MS, () => {
          this.#link.value = word;
        });
        return;
      }
      quiet?.();
      quiet = null;
      this.#link.value = null;
      if (state === 'ready') {
        word = 'reconnecting';
        void chats.catchUp();
      }
      if (state === 'stopped') {
        chats.forgotten.value = true;
        this.#options.onEvent('error', { code: 'signed_out' });
      }
    });
    effect(() => {
      if (this.conversation.value?.refused.value === 'not_found') chats.forgotten.value = true;
    });
    this.news.follow(
      chats,
      () => this.watching.value,
      () => this.line.value,
    );
    effect(() => {
      const watching = this.watching.value;
      if (watching) this.#confirm();
      this.#live.watch(watching);
      if (watching) void chats.lookBack();
    });
    // What an earlier page wrote but could not begin a chat for.
    effect(() => {
      const begun = this.conversation.value !== null;
      if (chats.drafted && !begun && this.#beginning.refused.peek() === null) this.#begin();
    });
    let wasFull = false;
    effect(() => {
      const full = this.#lineFull.value;
      if (wasFull && !full) {
        const { clock, random } = this.#options.ports;
        clock.after(SPREAD_MS * random(), () => this.#enter());
      }
      wasFull = full;
    });
  }

  /** Tells the server, and other tabs, how far the visitor has got. */
  #confirm(): void {
    const conversation = this.conversation.value;
    const watching = this.watching.value;
    conversation?.confirm(watching);
    if (watching) this.stored.read(endOf(conversation));
  }

  #stage(): Stage {
    if (this.chats.over.value) return 'ended';
    if (this.conversation.value !== null) return 'write';
    const settings = this.settings.value;
    if (settings === null) return this.#live.refused.value === null ? 'loading' : 'gone';
    const stage = stageOf(settings, {
      verified: this.who.verified.value,
      answered: this.stored.answers.value.fields !== undefined,
      awaited: this.online.value && !this.full.value,
    });
    // Who has written already need not answer anything.
    return this.chats.drafted && stage !== 'identity_required' ? 'write' : stage;
  }

  /** A message waits for its chat. */
  #begin(): void {
    if (this.conversation.peek() === null) void this.#beginning.run();
  }

  /** There is room for what was refused: it waits for somebody, not for later. */
  #enter(): void {
    if (this.chats.drafted && !this.#lineFull.peek()) this.tryAgain();
  }

  async #create(key: string): Promise<void> {
    const { api, widget, host } = this.#options;
    const { token } = this.who;
    const { fields: given = {}, department, email } = this.stored.answers.peek();
    const contact: Record<string, string> = { ...(email && { email }), ...this.#contact.peek() };
    const fields: Record<string, string> = {};
    for (const [field, text] of Object.entries(given)) {
      (CONTACT.includes(field) ? contact : fields)[field] = text;
    }
    const created = await api<Created>('POST', '/v1/conversations', {
      token,
      key,
      body: {
        widget,
        context: filled(Object.entries(host)),
        contact,
        fields,
        ...(department && { department }),
        ...(this.#leaves && { leave: true }),
      },
    });
    const secret = created.visitor.secret ?? token;
    if (secret == null) throw new Problem(500, 'no_secret');
    await this.who.keep({ id: created.visitor.id, secret, conversation: created.id });
    this.chats.begun(created.id);
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

  #tellTyping(text: string): void {
    const id = this.conversation.peek()?.id;
    if (id === undefined) return;
    const preview = this.settings.peek()?.preview_typing ? text.slice(-PREVIEW_MAX) : '';
    this.client.typing(id, text !== '', preview);
  }
}

/** The newest event that is here; `null` for none. */
function endOf(conversation: Conversation | null): string | null {
  return conversation?.timeline.peek().at(-1)?.id ?? null;
}

/** Those that say something, by name. */
function filled(given: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(given.filter(([, text]) => text !== ''));
}
