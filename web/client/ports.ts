/** What the client needs from the outside. Browsers give it in `browser.ts`, tests give fakes. */

/** Undoes what gave it; doing so twice is harmless. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once after `ms`, unless cancelled. */
  after(ms: number, run: () => void): Cancel;
}

/** One attempt at a connection. After `closed` nothing more comes. */
export interface Socket {
  send(text: string): void;
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  received(text: string): void;
  closed(code: number): void;
}

export type OpenSocket = (events: SocketEvents) => Socket;

/**
 * A small persistent store of texts. It never rejects: where a browser denies storage, reads find
 * nothing and writes are lost, and the chat still works until the page is left.
 */
export interface KeyStore {
  get(key: string): Promise<string | null>;
  /** Resolves when the text would survive the death of the page. */
  set(key: string, text: string): Promise<void>;
  remove(key: string): Promise<void>;
  keys(prefix: string): Promise<string[]>;
}

/** Locks shared by all tabs of one origin, freed when a tab dies. */
export interface Locks {
  /** `null` when another tab has it. */
  claim(name: string): Promise<Cancel | null>;
}

export interface Credentials {
  token: string;
  /** Milliseconds since the epoch; `null` for a token that never expires. */
  expiresAt: number | null;
}

export interface Ports {
  clock: Clock;
  open: OpenSocket;
  store: KeyStore;
  locks: Locks;
  /** In [0, 1). */
  random(): number;
  newId(): string;
}
