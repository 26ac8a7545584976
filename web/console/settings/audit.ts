/** What was changed in the settings, and by whom: read from the server page by page. No DOM. */

import { batch, type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import type { Cancel, Clock } from '../../client/ports.ts';
import { Refusal } from '../api.ts';
import { inWords } from '../auth/words.ts';
import type { Session } from '../session.ts';
import type { Loading } from './editing.ts';

export type AuditAction = 'created' | 'changed' | 'removed' | 'invited' | 'rotated';
export type AuditKind = 'person' | 'key' | 'department' | 'widget' | 'tenant';

export interface AuditChange {
  field: string;
  before: unknown;
  after: unknown;
}

export interface AuditEntry {
  number: number;
  at: string;
  by: { kind: 'person' | 'key'; id: string; name: string };
  action: AuditAction;
  subject: { kind: AuditKind; id: string; name: string };
  changes: AuditChange[];
  /** How many more differences there were than are kept. */
  left_out: number;
}

interface Page {
  items: AuditEntry[];
  next?: string;
}

const PAGE = 50;
/** A pause in typing that is worth a question. */
const PAUSE_MS = 200;
/** Questions for one search in which nothing is found yet: each looks through a thousand entries. */
const QUESTIONS_MAX = 10;

export class AuditLog {
  readonly items: ReadonlySignal<readonly AuditEntry[]>;
  readonly state: ReadonlySignal<Loading>;
  readonly text: ReadonlySignal<string>;
  /** Whether there are older ones. */
  readonly more: ReadonlySignal<boolean>;
  readonly asking: ReadonlySignal<boolean>;
  readonly trouble: ReadonlySignal<string | null>;
  readonly refusal: ReadonlySignal<string | null>;

  readonly #session: Pick<Session, 'ask'>;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #items: Signal<readonly AuditEntry[]> = signal([]);
  readonly #state: Signal<Loading> = signal('loading');
  readonly #text = signal('');
  readonly #more = signal(false);
  readonly #asking = signal(false);
  readonly #trouble: Signal<string | null> = signal(null);
  readonly #refusal: Signal<string | null> = signal(null);
  #next: string | null = null;
  #pause: Cancel | null = null;

  constructor(session: Pick<Session, 'ask'>, clock: Pick<Clock, 'after'>) {
    this.#session = session;
    this.#clock = clock;
    this.items = this.#items;
    this.state = this.#state;
    this.text = this.#text;
    this.more = this.#more;
    this.asking = this.#asking;
    this.trouble = this.#trouble;
    this.refusal = this.#refusal;
  }

  /** Reads it from the newest on. */
  async load(): Promise<void> {
    this.#next = null;
    await this.#read([]);
  }

  /** Reads what is older than what is here. */
  async older(): Promise<void> {
    if (this.#next !== null && !this.#asking.peek()) await this.#read(this.#items.peek());
  }

  /** Looks for words, as soon as nobody types any more; for none shows all. */
  look(text: string): void {
    this.#text.value = text;
    this.#pause?.();
    this.#pause = this.#clock.after(PAUSE_MS, () => void this.load());
  }

  close(): void {
    this.#pause?.();
  }

  async #read(before: readonly AuditEntry[]): Promise<void> {
    const text = this.#text.peek();
    this.#asking.value = true;
    try {
      const { items, next } = await this.#pages(text.trim());
      // What was typed meanwhile is asked for by itself.
      if (text !== this.#text.peek()) return;
      batch(() => {
        this.#items.value = [...before, ...items];
        this.#next = next;
        this.#more.value = next !== null;
        this.#state.value = 'ready';
        this.#trouble.value = null;
        this.#asking.value = false;
      });
    } catch (error) {
      if (text !== this.#text.peek()) return;
      batch(() => {
        // What is here already stays.
        if (before.length === 0) this.#state.value = 'failed';
        this.#refusal.value = error instanceof Refusal ? error.code : 'unknown';
        this.#trouble.value = inWords(error);
        this.#asking.value = false;
      });
    }
  }

  /** The next page that holds something. */
  async #pages(q: string): Promise<{ items: AuditEntry[]; next: string | null }> {
    let cursor = this.#next;
    for (let asked = 0; asked < QUESTIONS_MAX; asked += 1) {
      const query = new URLSearchParams({ limit: String(PAGE) });
      if (q !== '') query.set('q', q);
      if (cursor !== null) query.set('cursor', cursor);
      const { body } = await this.#session.ask<Page>('GET', `/v1/audit?${query}`);
      cursor = body.next ?? null;
      if (body.items.length > 0 || cursor === null) return { items: body.items, next: cursor };
    }
    return { items: [], next: cursor };
  }
}

const KINDS: Record<AuditKind, string> = {
  person: 'the person',
  key: 'the API key',
  department: 'the department',
  widget: 'the widget',
  tenant: 'the tenant',
};

/** What was done, between who did it and to what; in the words that the server's search knows. */
export function deedOf({ action, subject: { kind } }: AuditEntry): string {
  const what = KINDS[kind];
  switch (action) {
    case 'invited':
      return kind === 'tenant' ? `invited the owner of ${what}` : `invited ${what}`;
    case 'rotated':
      return `rotated the ${kind === 'person' ? 'password' : 'identity key'} of ${what}`;
    default:
      return `${action} ${what}`;
  }
}

/** A field's name as people read it. */
export function fieldName(field: string): string {
  const words = field.replaceAll('_', ' ').replaceAll('.', ': ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
