/**
 * Who works at this console, and every request made as them. An account lives in a cookie that no
 * script can read; the demo's people live in a token kept per tab, so that two can be tried in two
 * tabs. Without a DOM.
 */

import { batch, type ReadonlySignal, signal } from '@preact/signals-core';
import { Problem } from '../client/http.ts';
import type { Credentials } from '../client/ports.ts';
import type { Answer, Asking, Method, Proof } from './api.ts';

export type Role = 'agent' | 'supervisor' | 'admin' | 'owner';
export type DemoName = 'ada' | 'ben';

export interface Me {
  principal: { kind: string; id: string; name: string; role: Role };
  tenant: { id: string; name: string };
  email: string | null;
  display_name?: string;
  avatar?: string;
  csrf: string | null;
  via: 'cookie' | 'token';
}

/**
 * `asking` until the server has said who we are · `out` nobody is signed in · `in` · `expired`
 * somebody was, and may go on after signing in again · `unreachable` the server has not said.
 */
export type SessionState = 'asking' | 'out' | 'in' | 'expired' | 'unreachable';

/** How one may come in besides mail and password. */
export interface Ways {
  /** One click as one of the demo's people. */
  demo: boolean;
  /** Nobody owns this server yet: its log shows the link that sets it up. */
  setup: boolean;
}

/** A request as `api.ts` makes it. */
export type Request = <Body>(
  method: Method,
  path: string,
  asking: Asking,
  proof: Proof,
) => Promise<Answer<Body>>;

/** Kept as long as the tab. */
type Kept = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

interface DemoToken {
  as: DemoName;
  token: string;
  expires_at: string;
}

const KEY = 'switchboard:console:demo';
/** A token that ends this soon is not worth using. */
const SPARE_MS = 30_000;
/** The ranks of roles: each may what the ones before it may. */
const RANKS: Record<string, number> = { agent: 1, supervisor: 2, admin: 3, owner: 4 };

export class Session {
  readonly #state = signal<SessionState>('asking');
  readonly #me = signal<Me | null>(null);
  readonly #ways = signal<Ways>({ demo: false, setup: false });
  readonly #renewals = signal(0);
  readonly #request: Request;
  readonly #storage: Kept;
  readonly #now: () => number;
  #demo: DemoToken | null = null;

  constructor(request: Request, storage: Kept, now: () => number) {
    this.#request = request;
    this.#storage = storage;
    this.#now = now;
  }

  get state(): ReadonlySignal<SessionState> {
    return this.#state;
  }

  /** Stays while `expired`, so that what the person was doing stays too. */
  get me(): ReadonlySignal<Me | null> {
    return this.#me;
  }

  get ways(): ReadonlySignal<Ways> {
    return this.#ways;
  }

  /** Grows each time that the same person came back after the end of their sign-in. */
  get renewals(): ReadonlySignal<number> {
    return this.#renewals;
  }

  /** Whether the person's role is at least this one. */
  may(role: Role): boolean {
    return rank(this.#me.value?.principal.role) >= rank(role);
  }

  /** Asks the server who we are. */
  async begin(): Promise<void> {
    this.#state.value = 'asking';
    this.#demo = this.#kept();
    try {
      if (this.#demo !== null) await this.#freshDemo();
      const { body } = await this.#ask<{ me: Me | null } & Ways>('GET', '/v1/auth', {});
      batch(() => {
        this.#ways.value = { demo: body.demo, setup: body.setup };
        this.#arrive(body.me);
      });
    } catch (error) {
      if (error instanceof Problem && !error.passing) {
        // The token held is worth nothing any more.
        this.#forgetDemo();
        this.#state.value = 'out';
      } else {
        this.#state.value = 'unreachable';
      }
    }
  }

  /** Rejects with what the server said no with. */
  async signIn(email: string, password: string, tenant?: string): Promise<void> {
    this.#forgetDemo();
    const said = { email, password, ...(tenant ? { tenant } : {}) };
    const { body } = await this.#ask<Me>('POST', '/v1/auth/login', { body: said });
    this.adopt(body);
  }

  async signInDemo(as: DemoName): Promise<void> {
    await this.#askDemo(as);
    const { body } = await this.#ask<Me>('GET', '/v1/auth/me', {});
    this.adopt(body);
  }

  async setUp(token: string, name: string, email: string, password: string): Promise<void> {
    this.#forgetDemo();
    const said = { token, name, email, password };
    const { body } = await this.#ask<Me>('POST', '/v1/auth/setup', { body: said });
    batch(() => {
      this.#ways.value = { ...this.#ways.peek(), setup: false };
      this.adopt(body);
    });
  }

  async accept(token: string, password: string, name?: string): Promise<void> {
    this.#forgetDemo();
    const said = { token, password, ...(name ? { name } : {}) };
    const { body } = await this.#ask<Me>('POST', '/v1/auth/accept', { body: said });
    this.adopt(body);
  }

  /** Ends it here, whatever happens; whether the server, too, knows of it. */
  async signOut(): Promise<boolean> {
    const byCookie = this.#me.peek()?.via === 'cookie' && this.#state.peek() === 'in';
    const told = byCookie
      ? await this.#ask('POST', '/v1/auth/logout', {}).then(
          () => true,
          () => false,
        )
      : true;
    this.#forgetDemo();
    batch(() => {
      this.#me.value = null;
      this.#state.value = 'out';
    });
    return told;
  }

  /** The connection or a request learned that the sign-in is over. */
  expired(): void {
    if (this.#state.peek() === 'in') this.#state.value = 'expired';
  }

  /** One of the person's own things has changed: their name, their picture. */
  changed(change: Partial<Me>): void {
    const me = this.#me.peek();
    if (me !== null) this.#me.value = { ...me, ...change };
  }

  /** A request as the person. Rejects with `Refusal`. */
  async ask<Body>(method: Method, path: string, asking: Asking = {}): Promise<Answer<Body>> {
    try {
      if (this.#demo !== null) await this.#freshDemo();
      return await this.#ask<Body>(method, path, asking);
    } catch (error) {
      if (error instanceof Problem && error.code === 'csrf' && (await this.#sameInOtherTab())) {
        return this.#ask<Body>(method, path, asking);
      }
      // A wrong current password is a 401 too, and ends nothing.
      if (error instanceof Problem && error.code === 'unauthenticated') this.expired();
      throw error;
    }
  }

  /** For the socket: a ticket that is good once, or the demo's token. `null` when signed out. */
  async credentials(): Promise<Credentials | null> {
    if (this.#me.peek() === null) return null;
    try {
      if (this.#demo !== null) {
        const { token, expires_at } = await this.#freshDemo();
        return { token, expiresAt: Date.parse(expires_at) };
      }
      const { body } = await this.#ask<{ ticket: string }>('POST', '/v1/stream/tickets', {});
      // The socket lives as long as the sign-in, not as long as its ticket.
      return { token: body.ticket, expiresAt: null };
    } catch (error) {
      if (!(error instanceof Problem) || error.passing) throw error;
      this.expired();
      return null;
    }
  }

  /** Somebody signed in: what the server answered. */
  adopt(me: Me): void {
    this.#arrive(me);
  }

  #arrive(me: Me | null): void {
    batch(() => {
      const before = this.#me.peek();
      const again = this.#state.peek() === 'expired' && before !== null;
      this.#me.value = me;
      this.#state.value = me === null ? 'out' : 'in';
      if (again && me?.principal.id === before.principal.id) {
        this.#renewals.value = this.#renewals.peek() + 1;
      }
    });
  }

  /** Another tab signed in anew, so our proof is an old one: is it still the same person? */
  async #sameInOtherTab(): Promise<boolean> {
    const { body } = await this.#ask<{ me: Me | null }>('GET', '/v1/auth', {});
    if (body.me === null || body.me.principal.id !== this.#me.peek()?.principal.id) {
      this.expired();
      return false;
    }
    this.#me.value = body.me;
    return true;
  }

  #ask<Body>(method: Method, path: string, asking: Asking): Promise<Answer<Body>> {
    const proof =
      this.#demo === null
        ? { csrf: this.#me.peek()?.csrf ?? undefined }
        : { token: this.#demo.token };
    return this.#request<Body>(method, path, asking, proof);
  }

  async #freshDemo(): Promise<DemoToken> {
    const held = this.#demo;
    if (held === null) throw new Problem(401, 'unauthenticated');
    if (Date.parse(held.expires_at) - this.#now() > SPARE_MS) return held;
    return this.#askDemo(held.as);
  }

  async #askDemo(as: DemoName): Promise<DemoToken> {
    const asking = { body: { as } };
    const { body } = await this.#request<DemoToken>('POST', '/v1/demo/sign-in', asking, {});
    const { token, expires_at } = body;
    const held = { as, token, expires_at };
    this.#demo = held;
    this.#storage.setItem(KEY, JSON.stringify(held));
    return held;
  }

  #forgetDemo(): void {
    this.#demo = null;
    this.#storage.removeItem(KEY);
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

export function rank(role: string | undefined): number {
  return RANKS[role ?? ''] ?? 0;
}
