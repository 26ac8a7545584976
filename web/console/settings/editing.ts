/**
 * One thing with its version, being edited: what was saved, what is written, what differs, and what
 * to do when somebody else was quicker. Without a DOM.
 */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import { type Answer, Refusal } from '../api.ts';
import { fieldTrouble, inWords, isConflict } from '../auth/words.ts';

export interface Change<Thing> {
  field: keyof Thing & string;
  from: unknown;
  to: unknown;
}

/** Somebody else saved meanwhile. */
export interface Conflict<Thing> {
  theirs: Thing;
  etag: string | null;
  /** Who, when the server says. */
  by: string | null;
}

export interface EditingOptions<Thing> {
  load(): Promise<Answer<Thing>>;
  /** Saves the whole, of which these fields differ. */
  save(thing: Thing, changed: Partial<Thing>, etag: string | null): Promise<Answer<Thing>>;
  /** What is wrong with what is written, by field; asked before saving. */
  check?(thing: Thing): Record<string, string>;
}

export type Loading = 'loading' | 'ready' | 'failed';

export class Editing<Thing extends object> {
  readonly state: Signal<Loading> = signal('loading');
  readonly saved: Signal<Thing | null> = signal(null);
  readonly draft: Signal<Thing | null> = signal(null);
  readonly saving = signal(false);
  /** Why loading or saving did not work, in words. */
  readonly trouble: Signal<string | null> = signal(null);
  /** What loading was refused with, such as `not_found`. */
  readonly refusal: Signal<string | null> = signal(null);
  readonly conflict: Signal<Conflict<Thing> | null> = signal(null);
  readonly changes: ReadonlySignal<readonly Change<Thing>[]>;
  readonly dirty: ReadonlySignal<boolean>;
  /** What is wrong, by field: as checked here, and as the server said at the last save. */
  readonly errors: ReadonlySignal<Record<string, string>>;
  readonly #refused: Signal<Record<string, string>> = signal({});
  readonly #options: EditingOptions<Thing>;
  #etag: string | null = null;

  constructor(options: EditingOptions<Thing>) {
    this.#options = options;
    this.changes = computed(() => differences(this.saved.value, this.draft.value));
    this.dirty = computed(() => this.changes.value.length > 0);
    this.errors = computed(() => {
      const draft = this.draft.value;
      const checked = draft === null ? {} : (options.check?.(draft) ?? {});
      return { ...this.#refused.value, ...checked };
    });
  }

  async load(): Promise<void> {
    batch(() => {
      this.state.value = 'loading';
      this.trouble.value = null;
    });
    try {
      const { body, etag } = await this.#options.load();
      this.#take(body, etag);
    } catch (error) {
      batch(() => {
        this.state.value = 'failed';
        this.refusal.value = error instanceof Refusal ? error.code : 'unknown';
        this.trouble.value = inWords(error);
      });
    }
  }

  set<Field extends keyof Thing>(field: Field, value: Thing[Field]): void {
    const draft = this.draft.peek();
    if (draft === null) return;
    batch(() => {
      this.draft.value = { ...draft, [field]: value };
      const { [String(field)]: _gone, ...rest } = this.#refused.peek();
      this.#refused.value = rest;
      this.trouble.value = null;
    });
  }

  /** Back to what was saved. */
  undo(): void {
    batch(() => {
      this.draft.value = this.saved.peek();
      this.#refused.value = {};
      this.trouble.value = null;
      this.conflict.value = null;
    });
  }

  /** Whether it is saved now. */
  async save(): Promise<boolean> {
    const draft = this.draft.peek();
    if (draft === null || this.saving.peek() || Object.keys(this.errors.peek()).length > 0) {
      return false;
    }
    const changed: Partial<Thing> = {};
    for (const { field } of this.changes.peek()) changed[field] = draft[field];
    batch(() => {
      this.saving.value = true;
      this.trouble.value = null;
    });
    try {
      const { body, etag } = await this.#options.save(draft, changed, this.#etag);
      this.#take(body, etag);
      return true;
    } catch (error) {
      if (isConflict(error)) await this.#compare(error instanceof Refusal ? error.by : null);
      else this.#refuse(error);
      return false;
    } finally {
      this.saving.value = false;
    }
  }

  /** After a conflict: what the other saved stands, and what was written here is gone. */
  takeTheirs(): void {
    const conflict = this.conflict.peek();
    if (conflict !== null) this.#take(conflict.theirs, conflict.etag);
  }

  /** After a conflict: nothing is decided yet; the next save asks again. */
  postpone(): void {
    this.conflict.value = null;
  }

  /** After a conflict: what was changed here goes on top of what the other saved. */
  async keepMine(): Promise<boolean> {
    const conflict = this.conflict.peek();
    const draft = this.draft.peek();
    if (conflict === null || draft === null) return false;
    const merged = { ...conflict.theirs };
    for (const { field } of this.changes.peek()) merged[field] = draft[field];
    batch(() => {
      this.saved.value = conflict.theirs;
      this.draft.value = merged;
      this.conflict.value = null;
    });
    this.#etag = conflict.etag;
    return this.save();
  }

  /** Something else that answers with the thing changed it. */
  replaced({ body, etag }: Answer<Thing>): void {
    this.#take(body, etag);
  }

  /** The version that the person looks at. */
  get etag(): string | null {
    return this.#etag;
  }

  #take(value: Thing, etag: string | null): void {
    this.#etag = etag;
    batch(() => {
      this.state.value = 'ready';
      this.saved.value = value;
      this.draft.value = value;
      this.#refused.value = {};
      this.trouble.value = null;
      this.conflict.value = null;
    });
  }

  async #compare(by: string | null): Promise<void> {
    try {
      const { body, etag } = await this.#options.load();
      this.conflict.value = { theirs: body, etag, by };
    } catch (error) {
      this.trouble.value = inWords(error);
    }
  }

  #refuse(error: unknown): void {
    const field = error instanceof Refusal ? error.field?.split('.')[0] : undefined;
    const draft = this.draft.peek();
    if (error instanceof Refusal && field !== undefined && draft !== null && field in draft) {
      this.#refused.value = { ...this.#refused.peek(), [field]: fieldTrouble(error) };
    }
    this.trouble.value = inWords(error);
  }
}

/** The fields in which two things differ; what is absent is as good as undefined. */
export function differences<Thing extends object>(
  from: Thing | null,
  to: Thing | null,
): readonly Change<Thing>[] {
  if (from === null || to === null || from === to) return [];
  const fields = new Set([...Object.keys(from), ...Object.keys(to)]) as Set<keyof Thing & string>;
  return [...fields]
    .map((field) => ({ field, from: from[field], to: to[field] }))
    .filter((change) => !same(change.from, change.to));
}

/** Whether two values of JSON are the same. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  const at = (thing: object, key: string) => (thing as Record<string, unknown>)[key];
  return [...keys].every((key) => same(at(a, key), at(b, key)));
}
