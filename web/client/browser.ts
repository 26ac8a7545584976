/** The client's ports as a browser gives them. */

import type { Cancel, Clock, KeyStore, Locks, OpenSocket } from './ports.ts';

export const browserClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Sockets to the server this document came from. */
export const openStream: OpenSocket = (events) => {
  const address = new URL('/v1/stream', location.href);
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address, 'switchboard.v1.json');
  socket.addEventListener('open', () => events.opened());
  socket.addEventListener('message', (message) => events.received(String(message.data)));
  socket.addEventListener('close', (close) => events.closed(close.code));
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => socket.close(),
  };
};

/** `localStorage` under a prefix. Denied or full storage reads as empty and writes as nothing. */
export function localStore(prefix: string): KeyStore {
  const attempt = <T>(run: () => T, otherwise: T): T => {
    try {
      return run();
    } catch {
      return otherwise;
    }
  };
  return {
    get: async (key) => attempt(() => localStorage.getItem(prefix + key), null),
    set: async (key, text) => attempt(() => localStorage.setItem(prefix + key, text), undefined),
    remove: async (key) => attempt(() => localStorage.removeItem(prefix + key), undefined),
    keys: async (start) =>
      attempt(() => Object.keys(localStorage), [])
        .filter((key) => key.startsWith(prefix + start))
        .map((key) => key.slice(prefix.length)),
  };
}

/**
 * Web Locks under a prefix. Where there are none (pages without TLS), nothing is ever free: each
 * page makes its own device, which is safe, and what it left unsent stays behind.
 */
export function webLocks(prefix: string): Locks {
  return { claim: (name) => claimLock(prefix + name) };
}

function claimLock(name: string): Promise<Cancel | null> {
  if (navigator.locks === undefined) return Promise.resolve(null);
  return new Promise((resolve) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (lock === null) {
          resolve(null);
          return undefined;
        }
        return new Promise<void>((release) => resolve(release));
      })
      .catch(() => resolve(null));
  });
}

/** Calls `wake` whenever the page comes back or the network changes. */
export function onWake(wake: () => void): void {
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) wake();
  });
  addEventListener('online', wake);
  addEventListener('pageshow', (event) => {
    if (event.persisted) wake();
  });
}

/** A random UUID, also on pages without TLS, where `crypto.randomUUID` is missing. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
