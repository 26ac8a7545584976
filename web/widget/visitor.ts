/** Who the visitor is: the secret that this browser keeps, or the token that the site signed. */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import type { Credentials, KeyStore } from '../client/ports.ts';

/** What is kept of the visitor between pages. */
export interface Visitor {
  id: string;
  /** Empty for a visitor whom the site identifies. */
  secret: string;
  /** The chat that goes on; `null` when the next message begins one. */
  conversation: string | null;
}

/** Where a visitor without a signed token is kept. */
export const VISITOR = 'visitor';

interface Identity {
  token: string;
  sub: string;
  expiresAt: number | null;
}

export class Who {
  readonly visitor: ReadonlySignal<Visitor | null>;
  /** Whether the site says who it is, with proof. */
  readonly verified: ReadonlySignal<boolean>;

  readonly #store: KeyStore;
  readonly #visitor = signal<Visitor | null>(null);
  readonly #verified = signal(false);
  #identity: Identity | null = null;

  constructor(store: KeyStore) {
    this.#store = store;
    this.visitor = this.#visitor;
    this.verified = this.#verified;
  }

  /** Where this visitor is kept; a change of it by another tab concerns us. */
  get key(): string {
    return this.#identity === null ? VISITOR : `${VISITOR}:${this.#identity.sub}`;
  }

  /** What requests show; `undefined` before there is a visitor. */
  get token(): string | undefined {
    return this.#identity?.token ?? this.#visitor.peek()?.secret;
  }

  credentials(): Credentials | null {
    const { token } = this;
    if (token === undefined) return null;
    return { token, expiresAt: this.#identity?.expiresAt ?? null };
  }

  /** Takes a token that the site signed; `false` for what cannot be one. */
  identify(token: string): boolean {
    const claims = claimsOf(token);
    if (claims === null) return false;
    this.#identity = { token, ...claims };
    this.#verified.value = true;
    return true;
  }

  /** Reads again what is kept, whoever kept it. */
  async read(): Promise<Visitor | null> {
    const kept = parse<Visitor>(await this.#store.get(this.key));
    this.#visitor.value = kept;
    return kept;
  }

  async keep(visitor: Visitor): Promise<void> {
    const secret = this.#identity === null ? visitor.secret : '';
    this.#visitor.value = { ...visitor, secret };
    await this.#store.set(this.key, JSON.stringify(this.#visitor.peek()));
  }

  async forget(): Promise<void> {
    this.#visitor.value = null;
    await this.#store.remove(this.key);
  }
}

/** Reads the claims without judging them: the server does that. */
function claimsOf(token: string): Omit<Identity, 'token'> | null {
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const claims = parse<{ sub?: unknown; exp?: number }>(atob(part));
    if (!claims?.sub) return null;
    return { sub: String(claims.sub), expiresAt: claims.exp ? claims.exp * 1_000 : null };
  } catch {
    return null;
  }
}

/** An object that was stored as text; `null` for anything else. */
export function parse<Value>(text: string | null): Value | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' ? (value as Value) : null;
  } catch {
    return null;
  }
}
