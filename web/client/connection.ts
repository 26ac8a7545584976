/**
 * One lasting connection made of many sockets: says hello, renews the token before it expires,
 * notices a dead link, and reconnects with jitter. It knows nothing of conversations.
 */

import { type ReadonlySignal, signal } from '@preact/signals-core';
import { type AfterClose, afterClose, backoffMs } from './backoff.ts';
import { type ClientFrame, parseFrame, type ReadyFrame, type ServerFrame } from './frames.ts';
import type { Cancel, Clock, Credentials, OpenSocket, Socket } from './ports.ts';

export type Link =
  | { state: 'idle' }
  | { state: 'connecting' }
  | { state: 'ready'; ready: ReadyFrame }
  | { state: 'waiting'; until: number }
  | { state: 'stopped'; code: number };

export interface ConnectionOptions {
  clock: Clock;
  open: OpenSocket;
  random(): number;
  device: string;
  /** Rejects when it should be tried again later; `null` when there is no way to sign in. */
  credentials(): Promise<Credentials | null>;
  /** A socket is ready. `afresh`: the server asked to forget positions. */
  onReady(frame: ReadyFrame, afresh: boolean): void;
  onFrame(frame: ServerFrame): void;
  /** The socket that was ready is gone; what was in flight has an unknown outcome. */
  onLost(): void;
}

/** From the attempt to `ready`. */
const HANDSHAKE_MS = 10_000;
/** How long a doubted link may stay silent after a ping. */
const PROBE_MS = 4_000;
/** A link that spoke this recently is not doubted. */
const FRESH_MS = 2_000;
/** A connection that lived this long was good: waits start small again. */
const STABLE_MS = 10_000;
/** Renewal happens this long before expiry, or at half time for short tokens. */
const RENEW_BEFORE_MS = 60_000;
/** Longest wait that every browser's timer can do. */
const TIMER_MS_MAX = 24 * 60 * 60 * 1000;
/** The code for "signed out", which our servers use too. */
export const CLOSE_AUTH = 4500;

type Timer = 'handshake' | 'probe' | 'retry' | 'renew' | 'drain';

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #link = signal<Link>({ state: 'idle' });
  #socket: Socket | null = null;
  /** Grows with each attempt, so that a late callback of an earlier one is told apart. */
  #generation = 0;
  #attempt = 0;
  #afresh = false;
  #readyAt = 0;
  #lastFrameAt = 0;
  #drainAt: number | null = null;
  #timers: Partial<Record<Timer, Cancel>> = {};

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get link(): ReadonlySignal<Link> {
    return this.#link;
  }

  start(): void {
    if (this.#link.peek().state === 'idle' || this.#link.peek().state === 'stopped') {
      this.#attempt = 0;
      this.#connect();
    }
  }

  /** Ends for good; `start` begins again. */
  stop(): void {
    this.#leave();
    this.#link.value = { state: 'idle' };
  }

  /** Sends when ready; `false` when it could not. */
  send(frame: ClientFrame): boolean {
    if (this.#link.peek().state !== 'ready' || this.#socket === null) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /**
   * The page came back from sleep or the network changed: connect at once if we were waiting, and
   * doubt a link that has been silent. Timers cannot be trusted in hidden pages; this can.
   */
  wake(): void {
    const link = this.#link.peek();
    if (link.state === 'waiting' && this.#drainAt === null) {
      this.#connect();
    } else if (link.state === 'ready' && this.#now() - this.#lastFrameAt > FRESH_MS) {
      this.probe();
    }
  }

  /** Asks for a sign of life; without one soon the socket is given up. */
  probe(): void {
    if (this.#timers.probe !== undefined || !this.send({ type: 'ping' })) return;
    this.#after('probe', PROBE_MS, () => this.#lose(1006, true));
  }

  #connect(): void {
    this.#leave();
    const generation = this.#generation;
    const current = (run: () => void) => {
      if (generation === this.#generation) run();
    };
    this.#link.value = { state: 'connecting' };
    this.#after('handshake', HANDSHAKE_MS, () => this.#lose(1006, false));
    this.#options.credentials().then(
      (credentials) =>
        current(() => {
          if (credentials === null) this.#lose(CLOSE_AUTH, false);
          else this.#open(credentials, current);
        }),
      () => current(() => this.#lose(1006, false)),
    );
  }

  #open(credentials: Credentials, current: (run: () => void) => void): void {
    const hello = { type: 'hello', token: credentials.token, device: this.#options.device };
    const socket = this.#options.open({
      opened: () => current(() => socket.send(JSON.stringify(hello))),
      received: (text) => current(() => this.#received(text, credentials)),
      closed: (code) => current(() => this.#lose(code, false)),
    });
    this.#socket = socket;
  }

  #received(text: string, credentials: Credentials): void {
    this.#lastFrameAt = this.#now();
    this.#cancel('probe');
    const frame = parseFrame(text);
    if (frame === null) return;
    if (frame.type === 'ready') {
      this.#ready(frame, credentials);
    } else if (this.#link.peek().state !== 'ready') {
      // Nothing is promised before `ready`.
    } else if (frame.type === 'ping') {
      this.send({ type: 'pong' });
    } else if (frame.type === 'drain') {
      this.#drainAt = this.#now() + frame.reconnect_in_ms;
      this.#after('drain', frame.reconnect_in_ms, () => this.#lose(4001, true));
    } else {
      this.#options.onFrame(frame);
    }
  }

  #ready(frame: ReadyFrame, credentials: Credentials): void {
    const renewed = this.#link.peek().state === 'ready';
    this.#link.value = { state: 'ready', ready: frame };
    if (renewed) return;
    this.#cancel('handshake');
    this.#readyAt = this.#now();
    this.#drainAt = null;
    const afresh = this.#afresh;
    this.#afresh = false;
    this.#scheduleRenewal(credentials);
    this.#options.onReady(frame, afresh);
  }

  #scheduleRenewal(credentials: Credentials): void {
    if (credentials.expiresAt === null) return;
    const left = Math.max(0, credentials.expiresAt - this.#now());
    const wait = Math.min(Math.max(left - RENEW_BEFORE_MS, left / 2), TIMER_MS_MAX);
    const generation = this.#generation;
    this.#after('renew', wait, () => {
      this.#options.credentials().then(
        (fresh) => {
          if (fresh === null || generation !== this.#generation) return;
          this.send({ type: 'hello', token: fresh.token, device: this.#options.device });
          this.#scheduleRenewal(fresh);
        },
        // The token still holds for a while: ask again at half of what is left.
        () => {
          if (generation === this.#generation && left > 1_000) this.#scheduleRenewal(credentials);
        },
      );
    });
  }

  /** The socket is gone or given up. `atOnce` skips the wait. */
  #lose(code: number, atOnce: boolean): void {
    const wasReady = this.#link.peek().state === 'ready';
    if (wasReady && this.#now() - this.#readyAt > STABLE_MS) this.#attempt = 0;
    const drainAt = this.#drainAt;
    this.#leave();
    const next: AfterClose = afterClose(code);
    if (next === 'afresh') this.#afresh = true;
    if (next === 'stop') {
      this.#link.value = { state: 'stopped', code };
    } else if (atOnce) {
      this.#link.value = { state: 'connecting' };
    } else {
      const jitter = backoffMs(this.#attempt++, this.#options.random);
      const wait = drainAt === null ? jitter : Math.max(0, drainAt - this.#now());
      this.#drainAt = drainAt;
      this.#link.value = { state: 'waiting', until: this.#now() + wait };
      this.#after('retry', wait, () => this.#connect());
    }
    if (wasReady) this.#options.onLost();
    if (next !== 'stop' && atOnce) this.#connect();
  }

  /** Turns away from the socket and every timer of it. */
  #leave(): void {
    this.#generation += 1;
    for (const cancel of Object.values(this.#timers)) cancel();
    this.#timers = {};
    this.#drainAt = null;
    this.#socket?.close();
    this.#socket = null;
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #after(name: Timer, ms: number, run: () => void): void {
    this.#cancel(name);
    this.#timers[name] = this.#options.clock.after(ms, () => {
      delete this.#timers[name];
      run();
    });
  }

  #cancel(name: Timer): void {
    this.#timers[name]?.();
    delete this.#timers[name];
  }
}
