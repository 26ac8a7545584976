/** Who works at this console: kept per tab, so that two agents can be tried in two tabs. */

import { signal } from '@preact/signals-core';
import { type Api, Problem } from '../client/http.ts';
import type { Credentials } from '../client/ports.ts';

export type DemoName = 'ada' | 'ben';
export type Role = 'agent' | 'supervisor' | 'admin' | 'owner';

export interface SignedIn {
  as: DemoName;
  token: string;
  expires_at: string;
  principal: { kind: string; id: string; name: string; role: Role };
}

const KEY = 'switchboard:console:signed-in';
/** A token that ends this soon is not worth using. */
const SPARE_MS = 30_000;

export class SignIn {
  readonly current = signal<SignedIn | null>(null);
  readonly trouble = signal<string | null>(null);
  readonly #api: Api;
  readonly #storage: Storage;
  readonly #now: () => number;

  constructor(api: Api, storage: Storage, now: () => number) {
    this.#api = api;
    this.#storage = storage;
    this.#now = now;
    this.current.value = this.#kept();
  }

  async signIn(as: DemoName): Promise<void> {
    this.trouble.value = null;
    try {
      this.current.value = await this.#ask(as);
    } catch (error) {
      const code = error instanceof Problem ? error.status : 0;
      this.trouble.value =
        code === 404
          ? 'This server has no demo sign-in. It is there when the server is started with --demo.'
          : 'The server did not answer. Please try again.';
    }
  }

  signOut(): void {
    this.#storage.removeItem(KEY);
    this.current.value = null;
  }

  /** For the connection: the token held, or a new one when it is about to end. */
  async credentials(): Promise<Credentials | null> {
    const held = this.current.peek();
    if (held === null) return null;
    const ends = Date.parse(held.expires_at);
    if (ends - this.#now() > SPARE_MS) return { token: held.token, expiresAt: ends };
    try {
      const fresh = await this.#ask(held.as);
      this.current.value = fresh;
      return { token: fresh.token, expiresAt: Date.parse(fresh.expires_at) };
    } catch (error) {
      if (error instanceof Problem && !error.passing) return null;
      throw error;
    }
  }

  async #ask(as: DemoName): Promise<SignedIn> {
    const answer = await this.#api<Omit<SignedIn, 'as'>>('POST', '/v1/demo/sign-in', {
      body: { as },
    });
    const signedIn = { ...answer, as };
    this.#storage.setItem(KEY, JSON.stringify(signedIn));
    return signedIn;
  }

  #kept(): SignedIn | null {
    try {
      const kept: unknown = JSON.parse(this.#storage.getItem(KEY) ?? 'null');
      const valid = typeof kept === 'object' && kept !== null && 'token' in kept;
      return valid ? (kept as SignedIn) : null;
    } catch {
      return null;
    }
  }
}
