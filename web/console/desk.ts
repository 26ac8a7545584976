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
import { Holding } from '../client/holding.ts';
import { discardable, type Entry, pending } from '../client/outbox.ts';
import type { Cancel, Ports } from '../client/ports.ts';
import type { Toasts } from '../ui/toasts.tsx';
import { type Item, transcript } from '../ui/transcript.ts';
import { publicEvents, type TextFile } from '../ui/transcript-file.ts';
import { Acts } from './acts.ts';
import { quotable } from './api.ts';
import { Contexts } from './contexts.ts';
import type { Worker } from './crews.ts';
import { Drafts, type Mode } from './drafts.ts';
import { Filtering } from './filtering.ts';
import { Guard } from './guard.ts';
import { Idle, type SharedText } from './idle.ts';
import { Inbox } from './inbox.ts';
import { KeptDrafts } from './kept-drafts.ts';
import { agentLine } from './lines.ts';
import { type Deed, doAll } from './many.ts';
import { Marks } from './marks.ts';
import { acceptNext, type Competence, remembered } from './next.ts';
import { PICKED_MAX, Picked } from './picked.ts';
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
  prefs: Pick<Prefs, 'advance' | 'awayMin' | 'undoS' | 'saved'>;
  where: Where;
  /** What the tabs of this person tell each other of who is there. */
  presence: SharedText;
}

const TYPING_EVERY_MS = 3_000;
const TYPING_PAUSE_MS = 4_000;
/** A connection that comes back this soon is not worth a word. */
const QUIET_MS = 1_500;
/** What was sent waits no longer than this, whatever was kept as a preference. */
const UNDO_MAX_S = 10;

export class Desk {
  readonly me: AgentRef & { role: Me['principal']['role'] };
  readonly client: AgentClient;
  readonly inbox: Inbox;
  readonly acts: Acts;
  readonly drafts: Drafts;
  readonly guard: Guard;
  /** What was sent and can still be taken back. */
  readonly holding: Holding;
  readonly search: Search;
  /** What of it is shown. */
  readonly filtering: Filtering;
  readonly contexts: Contexts;
  readonly marks: Marks;
  /** Of the list that is shown, or of what was found. */
  readonly picked: Picked;
  readonly where: Where;
  readonly idle: Idle;
  readonly selected: Signal<string | null> = signal(null);
  readonly conversation: Signal<Conversation | null> = signal(null);
  readonly items: ReadonlySignal<readonly Item[]>;
  readonly departments: Signal<readonly Department[]> = signal([]);
  readonly status: ReadonlySignal<PresenceStatus | null>;
  /** Others who could take a conversation over, by name. */
  readonly colleagues: ReadonlySignal<readonly AgentPresence[]>;
  /** Unread messages in conversations of ours, and those of them that were marked. */
  readonly unread: ReadonlySignal<number>;
  /** While there is no connection and it shows; the first time nothing was there to lose. */
  readonly offline: Signal<'connecting' | 'reconnecting' | null> = signal(null);
  /** The server will not have us back without a new sign-in. */
  readonly signedOut: ReadonlySignal<boolean>;
  /** Whether the person looks at the page. */
  readonly watching = signal(true);
  /** What the person can and for whom they work, as of a moment ago. */
  readonly competence: () => Promise<Competence>;

  readonly #options: DeskOptions;
  readonly #chosen = signal<PresenceStatus | null>(null);
  readonly #ends: Cancel[] = [];
  #typingUntil = 0;
  #typingPause: Cancel | null = null;
  #statusTurn: Promise<void> = Promise.resolve();
  /** Conversations that are resolved when what was sent is stored, and how to leave it. */
  readonly #finishing = new Map<string, Cancel>();

  static async open(options: DeskOptions): Promise<Desk> {
    const { ports } = options;
    const devices = await claimDevice(ports.store, ports.locks, ports.newId);
    const desk: Desk = new Desk(options, devices);
    await Promise.all([desk.client.restore(), desk.drafts.restore(), desk.marks.restore()]);
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
    this.search = this.searching();
    this.filtering = new Filtering({
      search: this.search,
      cardOf: (id) => this.client.cards.of(id),
      me: this.me.id,
      saved: options.prefs.saved,
    });
    this.contexts = new Contexts(
      async (id) => (await session.ask('GET', `/v1/conversations/${id}/context`)).body as never,
    );
    this.acts = new Acts({ client: this.client, toasts, me: this.me });
    this.drafts = new Drafts(ports.store, ports.clock);
    this.marks = new Marks(ports.store);
    this.picked = new Picked(
      computed(() =>
        this.search.text.value.trim() === ''
          ? this.inbox.order.value
          : (this.filtering.found.value ?? []),
      ),
    );
    const { clock, newId } = ports;
    this.holding = new Holding({ outbox: this.client.outbox, clock, newId });
    this.guard = new Guard({
      client: this.client,
      drafts: this.drafts,
      me: this.me.id,
      send: (id, mode, text, ifHead) => {
        const waitS = Math.max(0, Math.min(UNDO_MAX_S, options.prefs.undoS.peek()));
        this.holding.send(id, mode, text, ifHead, waitS * 1_000);
      },
    });
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
      this.inbox
        .view('mine')
        .rows.value.reduce(
          (sum, card) => sum + (card.unread || (this.marks.ids.value.has(card.id) ? 1 : 0)),
          0,
        ),
    );
    this.idle = new Idle({
      clock: ports.clock,
      minutes: options.prefs.awayMin,
      status: this.status,
      shared: options.presence,
      setStatus: (status) => {
        if (status !== 'away')
          toasts.say(`Nothing was touched, so you were away. Now you are ${status} again.`);
        void this.setStatus(status);
      },
    });
    this.competence = remembered(() => this.#competence(), ports.clock);
    this.signedOut = computed(() => this.client.link.value.state === 'stopped');
  }

  /** The page goes and may come back: what waits is sent or written down now. */
  leave(): void {
    this.holding.release();
    this.drafts.flush();
    this.where.keep(this.inbox.filter.peek());
  }

  /** A search over all conversations; `max` is how many the server looks out, its usual without. */
  searching(max?: number): Search {
    const { ports, session } = this.#options;
    const find = async (text: string) => {
      const asked = new URLSearchParams({ q: text, ...(max && { limit: String(max) }) });
      return (await session.ask<{ items: Card[] }>('GET', `/v1/conversations?${asked}`)).body;
    };
    return new Search({ client: this.client, clock: ports.clock, find });
  }

  /** Leaves the desk. */
  close(): void {
    for (const end of this.#ends) end();
    this.idle.close();
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

  /**
   * Takes back what waits to be sent: it is in the field again, before what was begun since. Says
   * whether it was not too late.
   */
  undo({ id: entry, kind, text }: Entry): boolean {
    const id = this.selected.peek();
    const mode = kind === 'note' ? 'note' : 'message';
    if (id === null) return false;
    const { outbox } = this.client;
    const row = outbox
      .rows(id)
      .peek()
      .find((one) => one.id === entry);
    if (row === undefined || !discardable(row)) return false;
    outbox.discard(id, entry);
    this.#finishing.get(id)?.();
    const draft = this.drafts.of(id);
    draft.mode.value = mode;
    const begun = draft.texts[mode].peek();
    this.drafts.write(id, mode, begun === '' ? text : `${text}\n${begun}`);
    return true;
  }

  /** What of the open conversation waits to be sent, the newest. */
  get unsent(): Entry | null {
    const id = this.selected.value;
    if (id === null) return null;
    return (
      this.client.outbox
        .rows(id)
        .value.findLast((entry) => this.holding.until.value.has(entry.id)) ?? null
    );
  }

  /** Takes a conversation and opens it. */
  async take(card: Card): Promise<void> {
    const outcome = await this.acts.take(card);
    if (outcome.ok) this.selected.value = card.id;
  }

  /** Takes who waits longest of those that are for this person, and opens it. */
  async takeNext(): Promise<void> {
    const { toasts } = this.#options;
    const next = await acceptNext({
      // Asked each time: somebody may just have been given another skill.
      competence: () => this.#competence(),
      waiting: () => {
        const busy = this.acts.busy.peek();
        return this.inbox
          .view('unassigned')
          .rows.peek()
          .filter(({ id, waiting_since }) => waiting_since != null && !busy.has(id));
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
    const advance = this.#advance(card.id, new Set([card.id]));
    const outcome = await (how === 'resolve' ? this.acts.resolve(card) : this.acts.close(card));
    if (outcome.ok) advance();
  }

  /** Does the same with every picked conversation; those that it was refused for stay picked. */
  async doPicked(deed: Deed): Promise<void> {
    const ids = this.picked.ids.peek();
    const cards = ids.flatMap((id) => this.client.cards.of(id).peek() ?? []);
    if (cards.length === 0) return;
    const open = this.selected.peek();
    const advance = open !== null && this.#advance(open, new Set(ids));
    const left = new Set(
      (await doAll(this.acts, this.#options.toasts, cards, deed)).map(({ id }) => id),
    );
    // What was picked meanwhile stays picked too.
    this.picked.keep(this.picked.ids.peek().filter((id) => left.has(id) || !ids.includes(id)));
    const gone = open !== null && ids.includes(open) && !left.has(open);
    if (deed.ends && advance && gone) advance();
  }

  /** Picks a conversation or puts it back; `range` picks all from the last one up to it. */
  pick(id: string, range: boolean): void {
    const fits = range ? this.picked.to(id) : this.picked.toggle(id);
    if (!fits) this.#options.toasts.say(`No more than ${PICKED_MAX} at once.`, { bad: true });
  }

  /**
   * How to go on from a conversation that will be done with, together with some others; found
   * before, for by then it may be in no list any more. Whoever went elsewhere meanwhile stays there.
   */
  #advance(from: string, done: ReadonlySet<string>): () => void {
    const { advance } = this.#options.prefs;
    const step = advance.peek() === 'previous' ? -1 : 1;
    const beside =
      this.inbox.neighborBut(done, from, step) ??
      this.inbox.neighborBut(done, from, step === 1 ? -1 : 1);
    return () => {
      if (this.selected.peek() !== from) return;
      const next = beside ?? this.inbox.firstBut(done);
      this.selected.value = advance.peek() === 'list' ? null : next;
    };
  }

  /** Resolves as soon as what was sent is stored; when that is refused, the person looks at it first. */
  finishWhenSent(card: Card): void {
    this.#finishing.get(card.id)?.();
    const rows = this.client.outbox.rows(card.id);
    let left = false;
    const end = rows.subscribe((entries) => {
      if (entries.some(pending)) return;
      // Not within the first call, which is before there is anything to end. And what was taken
      // back is not pending either, but nothing to resolve it for.
      queueMicrotask(() => {
        if (left) return;
        leave();
        const refused = rows.peek().some(({ state }) => state === 'failed');
        if (!refused) void this.finish(card, 'resolve');
      });
    });
    const leave = () => {
      left = true;
      end();
      this.#finishing.delete(card.id);
    };
    this.#finishing.set(card.id, leave);
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

  /** Puts a conversation aside as unread. One that stayed open would be read as it goes on. */
  markUnread(id: string): void {
    if (this.selected.peek() === id) this.selected.value = null;
    this.marks.set(id, true);
  }

  /** Whether this person may hand the conversation on. */
  mayMove(card: Card): boolean {
    return card.agent === null || card.agent.id === this.me.id || this.me.role !== 'agent';
  }

  /** Everybody who answers, and for whom. Rejects when that cannot be had. */
  async workers(): Promise<Worker[]> {
    const { session } = this.#options;
    const workers: Worker[] = [];
    let cursor = '';
    do {
      const path = `/v1/agents?limit=200${cursor}`;
      const { body } = await session.ask<{ items: Worker[]; next?: string }>('GET', path);
      workers.push(...body.items);
      cursor = body.next == null ? '' : `&cursor=${encodeURIComponent(body.next)}`;
    } while (cursor !== '');
    return workers;
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
    } catch (error) {
      toasts.say(quotable('The transcript could not be fetched.', error), { bad: true });
      return null;
    }
  }

  async setStatus(status: PresenceStatus): Promise<void> {
    this.#chosen.value = status;
    // One after the other: the last choice is the one that holds.
    const before = this.#statusTurn;
    let done: () => void = () => {};
    this.#statusTurn = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    try {
      await this.#options.session.ask('PUT', '/v1/agents/me/status', { body: { status } });
    } catch (error) {
      if (this.#chosen.peek() === status) this.#chosen.value = null;
      this.#options.toasts.say(quotable('Your status could not be changed.', error), {
        bad: true,
        action: { text: 'Retry', run: () => void this.setStatus(status) },
      });
    } finally {
      done();
    }
  }

  #run(): void {
    const { filter } = this.where;
    if (filter !== null) this.inbox.choose(filter);
    this.client.connect();
    void this.#loadDepartments();
    const kept = this.#keepDrafts();
    let quiet: Cancel | null = null;
    let wasReady = false;
    let followed: string | null = null;
    this.#ends.push(
      () => kept.close(),
      effect(() => {
        const { state } = this.client.link.value;
        quiet?.();
        quiet = null;
        if (state === 'connecting' || state === 'waiting') {
          quiet = this.#options.ports.clock.after(QUIET_MS, () => {
            this.offline.value = wasReady ? 'reconnecting' : 'connecting';
          });
        } else {
          wasReady ||= state === 'ready';
          this.offline.value = null;
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
          if (id !== null) this.marks.set(id, false);
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
        // What was picked in one list is not meant in another.
        this.inbox.filter.value;
        this.search.text.value;
        this.filtering.list.value;
        untracked(() => this.picked.clear());
      }),
      effect(() => {
        if (this.watching.value) this.conversation.value?.confirm(true);
      }),
    );
  }

  #keepDrafts(): KeptDrafts {
    const { ports, session, toasts } = this.#options;
    return new KeptDrafts({
      drafts: this.drafts,
      clock: ports.clock,
      ask: (method, path, asking) => session.ask(method, path, asking),
      link: this.client.link,
      told: this.client.drafts,
      onRefused: () =>
        toasts.say('This draft is too long, or one too many: it stays in this browser.', {
          bad: true,
        }),
    });
  }

  async #competence(): Promise<Competence> {
    return (await this.#options.session.ask<Competence>('GET', '/v1/agents/me')).body;
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
