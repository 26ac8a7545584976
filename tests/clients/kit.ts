/** What the tests of real clients share: people with tokens, and sockets that can be waited for. */

import { createHmac } from 'node:crypto';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { expect } from 'vitest';
import { type Options, Server } from '../browser/kit/server.ts';

const SECRET = '0123456789abcdef0123456789abcdef';
/** Nothing in a test takes longer; what does is broken. */
const PATIENCE_MS = 20_000;

/** A server that takes our tokens. */
export function serve(settings: Options['settings'] = {}): Promise<Server> {
  return Server.start({ demo: true, settings: { SWITCHBOARD_JWT_SECRET: SECRET, ...settings } });
}

/** A token of the tenant `default`. */
export function token(subject: string, role: string, secret = SECRET): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const claims = { sub: subject, role, name: `Name of ${subject}`, exp };
  const signed = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

export type Told = Record<string, unknown>;
type Settings = Partial<ManagerOptions & SocketOptions>;

/** The ways a client of Socket.IO may go. */
export const WAYS: readonly [string, Settings][] = [
  ['websocket', { transports: ['websocket'] }],
  ['polling', { transports: ['polling'] }],
  ['polling, then an upgrade', {}],
];

/** A client, and all that it heard. */
export class Client {
  readonly socket: Socket;
  readonly #heard: [string, Told][] = [];
  #wake: () => void = () => {};

  constructor(url: string, settings: Settings) {
    this.socket = io(url, { forceNew: true, reconnectionDelay: 100, ...settings });
    this.socket.onAny((event: string, told: Told) => {
      this.#heard.push([event, told]);
      this.#wake();
    });
  }

  /** Waits until it is in its namespace. */
  static async enter(url: string, bearer: string, settings: Settings = {}): Promise<Client> {
    const client = new Client(url, { auth: { token: bearer }, ...settings });
    await client.connected();
    return client;
  }

  async connected(): Promise<void> {
    if (this.socket.connected) return;
    await inTime('a connection', (done) => this.socket.once('connect', () => done(undefined)));
  }

  /** Why it was not let in. */
  async refused(): Promise<string> {
    const error = await inTime<Error>('a refusal', (done) => {
      this.socket.once('connect_error', done);
    });
    this.close();
    return error.message;
  }

  /** What it goes through now. */
  get transport(): string {
    return this.socket.io.engine.transport.name;
  }

  /** Emits an event and waits for the answer. */
  ask(event: string, data: object): Promise<Told> {
    return this.socket.timeout(PATIENCE_MS).emitWithAck(event, data);
  }

  /** The same, where the answer must say that it was done. */
  async do(event: string, data: object): Promise<Told> {
    const answer = await this.ask(event, data);
    expect(answer).toMatchObject({ success: true });
    return answer;
  }

  /** The next event of that name that is like that; earlier ones of the name are passed over. */
  async hears(event: string, like: object = {}): Promise<Told> {
    return inTime(`${event} ${JSON.stringify(like)}`, (done) => {
      const look = () => {
        for (let idx = 0; idx < this.#heard.length; idx += 1) {
          const [name, told] = this.#heard[idx] as [string, Told];
          if (name !== event) continue;
          if (includes(told, like)) {
            this.#heard.splice(idx, 1);
            this.#wake = () => {};
            done(told);
            return;
          }
          this.#heard.splice(idx, 1);
          idx -= 1;
        }
      };
      this.#wake = look;
      look();
    });
  }

  close(): void {
    this.socket.disconnect();
  }
}

/** Whether `told` has everything that `like` has. */
function includes(told: unknown, like: unknown): boolean {
  if (typeof like !== 'object' || like === null) return Object.is(told, like);
  if (typeof told !== 'object' || told === null) return false;
  return Object.entries(like).every(([key, part]) => includes((told as Told)[key], part));
}

/** Waits for something, but not for ever. */
export function inTime<T>(what: string, wait: (done: (it: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE_MS);
    wait((it) => {
      clearTimeout(late);
      resolve(it);
    });
  });
}
