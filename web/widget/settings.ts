/** The public settings of a widget, kept up to date while somebody looks. */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import { backoffMs } from '../client/backoff.ts';
import type { Tagged } from '../client/http.ts';
import type { Clock } from '../client/ports.ts';

export interface Theme {
  accent?: string;
  side?: 'left' | 'right';
  scheme?: 'auto' | 'light' | 'dark' | undefined;
  background?: string;
  text?: string;
  radius?: number;
}

export interface Field {
  name: string;
  label: string;
  kind: 'text' | 'email' | 'phone' | 'long' | 'choice';
  required: boolean;
  choices?: string[];
}

/** What is absent has the value that changes nothing. */
export interface Settings {
  id: string;
  name: string;
  welcome?: string;
  offline_message?: string;
  theme?: Theme;
  departments?: { id: string; name: string; full?: boolean }[];
  department_required?: boolean;
  /** Within the opening hours. */
  open?: boolean;
  /** Somebody is there. */
  online?: boolean;
  /** No more may wait, whatever is chosen. */
  full?: boolean;
  next_open_at?: string | null;
  auto_open_s?: number | null;
  show_avatars?: boolean;
  email_required?: boolean;
  prechat?: { fields: Field[] };
  offline?: { behavior: 'message' | 'form' | 'redirect'; redirect_url?: string | null };
  locale?: string;
  identity_required?: boolean;
  preview_typing?: boolean;
}

export interface SettingsOptions {
  clock: Clock;
  tagged: Tagged;
  random(): number;
  widget: string;
}

/** How long the server may keep a question whose answer has not changed. */
const WAIT_S = 25;
/** An answer that came sooner than this was not waited for: then the pause is ours. */
const PROMPT_MS = 5_000;

/** Where the settings of a widget are. */
export function pathOf(widget: string): string {
  return `/v1/widgets/${encodeURIComponent(widget)}`;
}

export class LiveSettings {
  readonly current: ReadonlySignal<Settings | null>;
  /** Why there are no settings and will be none, such as `widget_disabled`. */
  readonly refused: ReadonlySignal<string | null>;

  readonly #options: SettingsOptions;
  readonly #current = signal<Settings | null>(null);
  readonly #refused = signal<string | null>(null);
  #etag: string | null = null;
  #wanted = false;
  #asking = false;
  #failures = 0;

  constructor(options: SettingsOptions) {
    this.#options = options;
    this.current = this.#current;
    this.refused = this.#refused;
    void this.#ask();
  }

  /** While `wanted`, every change is heard of within seconds; otherwise nothing is asked. */
  watch(wanted: boolean): void {
    this.#wanted = wanted;
    if (wanted && this.#etag !== null) void this.#ask();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { clock, tagged, widget, random } = this.#options;
    const began = clock.now();
    const wait = this.#etag === null ? '' : `?wait=${WAIT_S}`;
    const answer = await tagged<Settings>(pathOf(widget) + wait, this.#etag).catch(() => null);
    this.#asking = false;
    if (answer === null || answer.status === 429 || answer.status >= 500) {
      this.#again(backoffMs(2 + this.#failures++, random));
      return;
    }
    this.#failures = 0;
    const { status, etag, code, value } = answer;
    const known = status === 304 || (etag !== null && etag === this.#etag);
    this.#refused.value = code;
    if (!known) {
      this.#current.value = code === null ? value : null;
      this.#etag = etag;
    }
    // Without a version there is nothing to wait for.
    if (this.#etag === null) return;
    const prompt = known && clock.now() - began < PROMPT_MS;
    this.#again(prompt ? WAIT_S * 1_000 : 0);
  }

  /** Shows settings that are not the server's, for whoever tries them out. */
  show(settings: Settings): void {
    this.#current.value = settings;
  }

  #again(ms: number): void {
    this.#options.clock.after(ms, () => {
      if (this.#wanted || this.#current.peek() === null) void this.#ask();
    });
  }
}
