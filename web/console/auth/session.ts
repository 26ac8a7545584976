/**
 * Who works at this console, and every request made as them. An account lives in a cookie that no
 * script can read; the demo's people live in a token kept per tab, so that two can be tried in two
 * tabs. Without a DOM.
 */

import { batch, type ReadonlySignal, signal } from '@preact/signals-core';
import { type Api, Problem } from '../../client/http.ts';
import type { Credentials } from '../../client/ports.ts';
import type { Method, Reply, Transport } from './transport.ts';

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
 * `looking` until the server has said who we are · `out` nobody is signed in · `in` · `expired`
 * somebody was, and may go on after signing in again · `unreachable` the server has not said.
 */
export type Phase = 'looking' | 'out' | 'in' | 'expired' | 'unreachable';

/** How one may come in besides mail and password. */
export interface Ways {
  /** One click as one of the demo's people. */
  demo: boolean;
  /** Nobody owns this server yet: its log shows the link that sets it up. */
  setup: boolean;
}

export interface SessionPorts {
  transport: Transport;
  /** Kept as long as the tab. */
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  now(): number;
}

export interface AskOptions {
  body?: object | Blob | undefined;
  /** The version that is to be changed. */
  ifMatch?: string | null | undefined;
  /** Makes a repeated POST safe. */
  key?: string | undefined;
}

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
  readonly #phase = signal<Phase>('looking');
  readonly #me = signal<Me | null>(null);
  readonly #ways = signal<Ways>({ demo: false, setup: false });
  readonly #renewals = signal(0);
  readonly #ports: SessionPorts;
  #demo: DemoToken | null = null;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  get phase(): ReadonlySignal<Phase> {
    return this.#phase;
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
    this.#phase.value = 'looking';
    this.#demo = this.#kept();
    try {
      if (this.#demo !== null) await this.#freshDemo();
      const { value } = await this.#ask<{ me: Me | null } & Ways>('GET', '/v1/auth', {});
      batch(() => {
        this.#ways.value = { demo: value.demo, setup: value.setup };
        this.#arrive(value.me);
      });
    } catch (error) {
      if (error instanceof Problem && !error.passing) {
        // The token held is worth nothing any more.
        this.#forgetDemo();
        this.#phase.value = 'out';
      } else {
        this.#phase.value = 'unreachable';
      }
    }
  }

  /** Rejects with what the server said no with. */
  async signIn(email: string, password: string, tenant?: string): Promise<void> {
    this.#forgetDemo();
    const body = { email, password, ...(tenant ? { tenant } : {}) };
    const { value } = await this.#ask<Me>('POST', '/v1/auth/login', { body });
    this.#arrive(value);
  }

  async signInDemo(as: DemoName): Promise<void> {
    await this.#askDemo(as);
    const { value } = await this.#ask<Me>('GET', '/v1/auth/me', {});
    this.#arrive(value);
  }

  async setUp(token: string, name: string, email: string, password: string): Promise<void> {
    this.#forgetDemo();
    const body = { token, name, email, password };
    const { value } = await this.#ask<Me>('POST', '/v1/auth/setup', { body });
    batch(() => {
      this.#ways.value = { ...this.#ways.peek(), setup: false };
      this.#arrive(value);
    });
  }

  async accept(token: string, password: string, name?: string): Promise<void> {
    this.#forgetDemo();
    const body = { token, password, ...(name ? { name } : {}) };
    const { value } = await this.#ask<Me>('POST', '/v1/auth/accept', { body });
    this.#arrive(value);
  }

  /** Ends it here at once; the server is told, and told or not, this tab is out. */
  async signOut(): Promise<void> {
    const me = this.#me.peek();
    const told =
      me?.via === 'cookie' && this.#phase.peek() === 'in'
        ? this.#ask('POST', '/v1/auth/logout', {})
        : Promise.resolve();
    try {
      await told;
    } finally {
      this.#forgetDemo();
      batch(() => {
        this.#me.value = null;
        this.#phase.value = 'out';
      });
    }
  }

  /** The connection or a request learned that the sign-in is over. */
  expired(): void {
    if (this.#phase.peek() === 'in') this.#phase.value = 'expired';
  }

  /** One of the person's own things has changed: their name, their picture. */
  changed(change: Partial<Me>): void {
    const me = this.#me.peek();
    if (me !== null) this.#me.value = { ...me, ...change };
  }

  /** A request as the person. Rejects with `Refusal`. */
  async request<Value>(
    method: Method,
    path: string,
    options: AskOptions = {},
  ): Promise<Reply<Value>> {
    try {
      if (this.#demo !== null) await this.#freshDemo();
      return await this.#ask<Value>(method, path, options);
    } catch (error) {
      if (error instanceof Problem && error.code === 'csrf' && (await this.#sameInOtherTab())) {
        return this.#ask<Value>(method, path, options);
      }
      if (error instanceof Problem && error.status === 401) this.expired();
      throw error;
    }
  }

  /** The same in the form that the desk asks in; whatever token it gives is not needed. */
  readonly api: Api = async <Answer>(
    method: Method,
    path: string,
    options: { body?: object; key?: string } = {},
  ): Promise<Answer> => (await this.request<Answer>(method, path, options)).value;

  /** For the socket: a ticket that is good once, or the demo's token. `null` when signed out. */
  async credentials(): Promise<Credentials | null> {
    if (this.#me.peek() === null) return null;
    try {
      if (this.#demo !== null) {
        const { token, expires_at } = await this.#freshDemo();
        return { token, expiresAt: Date.parse(expires_at) };
      }
      const { value } = await this.#ask<{ ticket: string }>('POST', '/v1/stream/tickets', {});
      // The socket lives as long as the sign-in, not as long as its ticket.
      return { token: value.ticket, expiresAt: null };
    } catch (error) {
      if (!(error instanceof Problem) || error.passing) throw error;
      this.expired();
      return null;
    }
  }

  #arrive(me: Me | null): void {
    batch(() => {
      const before = this.#me.peek();
      const again = this.#phase.peek() === 'expired' && before !== null;
      this.#me.value = me;
      this.#phase.value = me === null ? 'out' : 'in';
      if (again && me?.principal.id === before.principal.id) {
        this.#renewals.value = this.#renewals.peek() + 1;
      }
    });
  }

  /** Another tab signed in anew, so our proof is an old one: is it still the same person? */
  async #sameInOtherTab(): Promise<boolean> {
    const { value } = await this.#ask<{ me: Me | null }>('GET', '/v1/auth', {});
    if (value.me === null || value.me.principal.id !== this.#me.peek()?.principal.id) {
      this.expired();
      return false;
    }
    this.#me.value = value.me;
    return true;
  }

  async #ask<Value>(method: Method, path: string, options: AskOptions): Promise<Reply<Value>> {
    const headers: Record<string, string> = { accept: 'application/json' };
    const me = this.#me.peek();
    if (this.#demo !== null) headers.authorization = `Bearer ${this.#demo.token}`;
    else if (method !== 'GET' && typeof me?.csrf === 'string') {
      headers['x-switchboard-csrf'] = me.csrf;
    }
    if (options.ifMatch != null) headers['if-match'] = options.ifMatch;
    if (options.key !== undefined) headers['idempotency-key'] = options.key;
    let body: string | Blob | null = null;
    if (options.body instanceof Blob) {
      body = options.body;
      headers['content-type'] = options.body.type;
    } else if (options.body !== undefined) {
      body = JSON.stringify(options.body);
      headers['content-type'] = 'application/json';
    }
    const reply = await this.#ports.transport({ method, path, headers, body });
    return reply as Reply<Value>;
  }

  async #freshDemo(): Promise<DemoToken> {
    const held = this.#demo;
    if (held === null) throw new Problem(401, 'unauthenticated');
    if (Date.parse(held.expires_at) - this.#ports.now() > SPARE_MS) return held;
    return this.#askDemo(held.as);
  }

  async #askDemo(as: DemoName): Promise<DemoToken> {
    const { value } = await this.#ports.transport({
      method: 'POST',
      path: '/v1/demo/sign-in',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ as }),
    });
    const { token, expires_at } = value as Omit<DemoToken, 'as'>;
    const held = { as, token, expires_at };
    this.#demo = held;
    this.#ports.storage.setItem(KEY, JSON.stringify(held));
    return held;
  }

  #forgetDemo(): void {
    this.#demo = null;
    this.#ports.storage.removeItem(KEY);
  }

  #kept(): DemoToken | null {
    try {
      const kept: unknown = JSON.parse(this.#ports.storage.getItem(KEY) ?? 'null');
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
