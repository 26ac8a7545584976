/** Who is signed in here: by cookie, or in the demo by a token that this tab alone holds. */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import type { Credentials } from '../client/ports.ts';
import { type Answer, type Asking, type Method, type Proof, Refusal } from './api.ts';

export type Role = 'agent' | 'supervisor' | 'admin' | 'owner';

/** What the server says of the caller. */
export interface Me {
  principal: { kind: string; id: string; name: string; role: Role };
  tenant?: { id: string; name: string };
  email?: string | null;
  display_name?: string | null;
  /** A path on this server. */
  avatar?: string | null;
  csrf?: string | null;
}

export type DemoName = 'ada' | 'ben';

export type SessionState =
  /** The server has not said yet. */
  | 'asking'
  /** Nobody is signed in. */
  | 'out'
  | 'in'
  /** The server did not answer at all. */
  | 'unreachable';

/** A request as `api.ts` makes it. */
export type Request = <Body>(
  method: Method,
  path: string,
  asking: Asking,
  proof: Proof,
) => Promise<Answer<Body>>;

interface DemoToken {
  as: DemoName;
  token: string;
  expires_at: string;
  principal: Me['principal'];
}

type Kept = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Whether somebody signed in by cookie here: scripts cannot see the cookie itself. */
export interface Hint {
  get(): boolean;
  set(signedIn: boolean): void;
}

const KEY = 'switchboard:console:demo';
/** A token that ends this soon is not worth using. */
const SPARE_MS = 30_000;
const RANKS: Record<Role, number> = { agent: 0, supervisor: 1, admin: 2, owner: 3 };

export class Session {
  readonly state: ReadonlySignal<SessionState>;
  readonly me: ReadonlySignal<Me | null>;

  readonly #request: Request;
  /** Of this tab, so that two tabs can be two people of the demo. */
  readonly #storage: Kept;
  readonly #hint: Hint;
  readonly #now: () => number;
  readonly #state = signal<SessionState>('asking');
  readonly #me = signal<Me | null>(null);
  #demo: DemoToken | null;

  constructor(request: Request, storage: Kept, hint: Hint, now: () => number) {
    this.#request = request;
    this.#storage = storage;
    this.#hint = hint;
    this.#now = now;
    this.state = this.#state;
    this.me = this.#me;
    this.#demo = this.#kept();
  }

  /** Asks the server who we are, if there is a reason to think that it knows. */
  async begin(): Promise<void> {
    if (this.#demo !== null) {
      this.adopt({ principal: this.#demo.principal });
      return;
    }
    if (!this.#hint.get()) {
      this.#state.value = 'out';
      return;
    }
    this.#state.value = 'asking';
    try {
      this.adopt((await this.#ask<Me>('GET', '/v1/auth/me', {}, await this.#proof())).body);
    } catch (error) {
      if (error instanceof Refusal && error.passing) {
        this.#state.value = 'unreachable';
      } else {
        this.#end();
      }
    }
  }

  /** Somebody signed in, or changed what is known of them: what the server answered. */
  adopt(me: Me): void {
    if (this.#demo === null) this.#hint.set(true);
    this.#me.value = me;
    this.#state.value = 'in';
  }

  /** Signs in as somebody of the demo; only where the server offers it. */
  async signInDemo(as: DemoName): Promise<void> {
    this.#demo = await this.#mint(as);
    await this.begin();
  }

  async signOut(): Promise<void> {
    if (this.#demo === null) {
      // Signed out here even when the server does not hear of it; its cookie ends by itself.
      await this.ask('POST', '/v1/auth/logout').catch(() => null);
    }
    this.#end();
  }

  /** Whether the person may do what needs this role. */
  may(role: Role): boolean {
    const own = this.#me.value?.principal.role;
    return own !== undefined && RANKS[own] >= RANKS[role];
  }

  /** A request as the person who is signed in; being told that nobody is ends the session here. */
  async ask<Body>(method: Method, path: string, asking: Asking = {}): Promise<Answer<Body>> {
    try {
      return await this.#ask(method, path, asking, await this.#proof());
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) this.#end();
      throw error;
    }
  }

  /** For the connection: the demo's token, or a ticket that is good for one hello. */
  async credentials(): Promise<Credentials | null> {
    if (this.#me.peek() === null) return null;
    try {
      const { token } = await this.#proof();
      if (token !== undefined && this.#demo !== null) {
        return { token, expiresAt: Date.parse(this.#demo.expires_at) };
      }
      const { body } = await this.ask<{ ticket: string }>('POST', '/v1/stream/tickets');
      return { token: body.ticket, expiresAt: null };
    } catch (error) {
      if (error instanceof Refusal && !error.passing) return null;
      throw error;
    }
  }

  #ask<Body>(method: Method, path: string, asking: Asking, proof: Proof): Promise<Answer<Body>> {
    return this.#request<Body>(method, path, asking, proof);
  }

  async #proof(): Promise<Proof> {
    const demo = this.#demo;
    if (demo === null) return { csrf: this.#me.peek()?.csrf ?? undefined };
    if (Date.parse(demo.expires_at) - this.#now() <= SPARE_MS) {
      this.#demo = await this.#mint(demo.as);
    }
    return { token: this.#demo?.token };
  }

  async #mint(as: DemoName): Promise<DemoToken> {
    const asking = { body: { as } };
    const { body } = await this.#ask<DemoToken>('POST', '/v1/demo/sign-in', asking, {});
    const demo = { ...body, as };
    this.#storage.setItem(KEY, JSON.stringify(demo));
    return demo;
  }

  #end(): void {
    if (this.#demo === null) this.#hint.set(false);
    this.#demo = null;
    this.#storage.removeItem(KEY);
    this.#me.value = null;
    this.#state.value = 'out';
  }

  #kept(): DemoToken | null {
    try {
      const kept: unknown = JSON.parse(this.#storage.getItem(KEY) ?? 'null');
      const valid = typeof kept === 'object' && kept !== null && 'token' in kept;
      return valid ? (kept as DemoToken) : null;
    } catch {
      return null;
    }
  }
}
