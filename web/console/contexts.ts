/** What is known around a conversation: who it is, where they are, what was before. Without a DOM. */

import { type Signal, signal } from '@preact/signals-core';
import type { Card } from '../client/frames.ts';

export interface Page {
  url: string;
  title?: string | null;
  /** What the visitor did there, in the words of the site; absent for looking at it. */
  did?: string | null;
  at?: string;
}

/** As `GET /v1/conversations/{id}/context` answers. */
export interface Context {
  contact: {
    name?: string | null;
    email?: string | null;
    phone?: string | null;
    verified?: boolean;
    first_seen_at?: string | null;
  };
  device?: {
    user_agent?: string | null;
    locale?: string | null;
    address?: string | null;
  } | null;
  page?: Page | null;
  pages?: Page[];
  referrer?: string | null;
  fields?: Record<string, string>;
  earlier?: Card[];
  earlier_total?: number;
}

export type Loaded =
  | { state: 'loading' }
  | { state: 'failed'; error: unknown }
  | { state: 'ready'; context: Context };

/** Conversations whose context is kept, so that going back is instant. */
const KEPT_MAX = 50;

export class Contexts {
  readonly #ask: (id: string) => Promise<Context>;
  readonly #kept = new Map<string, Signal<Loaded>>();

  constructor(ask: (id: string) => Promise<Context>) {
    this.#ask = ask;
  }

  /** What is known; the first look asks for it. */
  of(id: string): Signal<Loaded> {
    const kept = this.#kept.get(id);
    if (kept !== undefined) {
      // Newest last, so that those not looked at for long go first.
      this.#kept.delete(id);
      this.#kept.set(id, kept);
      return kept;
    }
    const loaded: Signal<Loaded> = signal({ state: 'loading' });
    this.#kept.set(id, loaded);
    for (const old of [...this.#kept.keys()].slice(0, -KEPT_MAX)) this.#kept.delete(old);
    void this.refresh(id);
    return loaded;
  }

  /** Asks again; what is held stays until the answer. */
  async refresh(id: string): Promise<void> {
    const loaded = this.#kept.get(id);
    if (loaded === undefined) return;
    if (loaded.peek().state === 'failed') loaded.value = { state: 'loading' };
    try {
      loaded.value = { state: 'ready', context: await this.#ask(id) };
    } catch (error) {
      if (loaded.peek().state !== 'ready') loaded.value = { state: 'failed', error };
    }
  }
}

/** The trail with the steps of the visitor since, newest first. Pure. */
export function trail(context: Context, since: readonly Page[]): Page[] {
  const steps = [...(context.pages ?? [])];
  if (steps.length === 0 && context.page != null) steps.push(context.page);
  const until = steps.at(-1)?.at ?? '';
  for (const step of since) {
    if ((step.at ?? '') <= until) continue;
    const last = steps.at(-1);
    // A title that came late: it is still the same visit.
    if (!step.did && last?.url === step.url) steps.splice(-1, 1, { ...last, title: step.title });
    else steps.push(step);
  }
  return steps.reverse();
}

/** A browser and a system in words, as far as a user agent tells. Pure. */
export function deviceName(agent: string): string {
  const browser = /Edg\//.test(agent)
    ? 'Edge'
    : /OPR\//.test(agent)
      ? 'Opera'
      : /Firefox\//.test(agent)
        ? 'Firefox'
        : /Chrom(e|ium)\//.test(agent)
          ? 'Chrome'
          : /Safari\//.test(agent)
            ? 'Safari'
            : null;
  const system = /iPhone|iPad/.test(agent)
    ? 'iOS'
    : /Android/.test(agent)
      ? 'Android'
      : /Windows/.test(agent)
        ? 'Windows'
        : /Mac OS X/.test(agent)
          ? 'macOS'
          : /Linux|X11/.test(agent)
            ? 'Linux'
            : null;
  if (browser !== null && system !== null) return `${browser} on ${system}`;
  return browser ?? system ?? agent.slice(0, 60);
}
