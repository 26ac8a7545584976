/**
 * What the loader in the host's page and the widget in its iframe say to each other. They speak
 * over one port, which the loader hands to our exact origin. The iframe may have no storage of its
 * own (browsers deny it to third parties), so it keeps everything in the host's.
 */

import type { Cancel, KeyStore, Locks } from '../client/ports.ts';

/** Asked by the widget; each is answered by `['answer', id, value]`. */
export type Asked =
  | ['get', number, string]
  | ['set', number, string, string]
  | ['remove', number, string]
  | ['keys', number, string]
  | ['claim', number, string];

/** Told by the widget. */
export type Told = ['release', string] | ['unread', number] | ['close'] | ['event', string];

/** The page that the visitor is on. */
export interface HostPage {
  page: string;
  title: string;
  referrer: string;
  locale: string;
}

/** Told by the loader. */
export type FromLoader =
  | ['answer', number, unknown]
  | ['shown', boolean]
  /** Another tab changed a key. */
  | ['changed', string];

/** The one message that is not on the port: it brings the port. */
export interface Handshake {
  switchboard: 1;
  widget: string;
  host: HostPage;
}

export interface Bridge {
  widget: string;
  host: HostPage;
  store: KeyStore;
  locks: Locks;
  tell(told: Told): void;
  /** Is called for what comes from now on, and for what came before. */
  listen(heard: (said: FromLoader) => void): void;
}

/** Waits for the loader and its port. */
export function meetLoader(): Promise<Bridge> {
  return new Promise((resolve) => {
    const hear = (event: MessageEvent<Handshake>) => {
      const [port] = event.ports;
      if (event.source !== window.parent || event.data?.switchboard !== 1) return;
      if (port === undefined) return;
      removeEventListener('message', hear);
      resolve(bridgeOver(port, event.data));
    };
    addEventListener('message', hear);
  });
}

function bridgeOver(port: MessagePort, { widget, host }: Handshake): Bridge {
  const answers = new Map<number, (value: unknown) => void>();
  let next = 0;
  let heard: ((said: FromLoader) => void) | null = null;
  const early: FromLoader[] = [];
  port.onmessage = (event: MessageEvent<FromLoader>) => {
    const said = event.data;
    if (said[0] === 'answer') {
      answers.get(said[1])?.(said[2]);
      answers.delete(said[1]);
    } else if (heard === null) {
      early.push(said);
    } else {
      heard(said);
    }
  };
  const ask = <Value>(make: (id: number) => Asked): Promise<Value> =>
    new Promise((resolve) => {
      const id = next++;
      answers.set(id, (value) => resolve(value as Value));
      port.postMessage(make(id));
    });
  const tell = (told: Told) => port.postMessage(told);
  return {
    widget,
    host,
    store: {
      get: (key) => ask((id) => ['get', id, key]),
      set: (key, text) => ask((id) => ['set', id, key, text]),
      remove: (key) => ask((id) => ['remove', id, key]),
      keys: (prefix) => ask((id) => ['keys', id, prefix]),
    },
    locks: {
      claim: async (name): Promise<Cancel | null> => {
        const granted = await ask<boolean>((id) => ['claim', id, name]);
        return granted ? () => tell(['release', name]) : null;
      },
    },
    tell,
    listen: (listener) => {
      heard = listener;
      for (const said of early.splice(0)) listener(said);
    },
  };
}
