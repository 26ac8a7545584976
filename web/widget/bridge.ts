/**
 * What the loader in the host's page and the widget in its iframe say to each other. They speak
 * over one port, which the loader hands to our exact origin. The iframe may have no storage of its
 * own (browsers deny it to third parties), so it keeps everything in the host's.
 */

import type { Cancel, KeyStore, Locks } from '../client/ports.ts';
import type { Settings } from './settings.ts';

/** Asked by the widget; each is answered by `['answer', id, value]`. */
export type Asked =
  | ['get', number, string]
  /** `null` removes. */
  | ['set', number, string, string | null]
  | ['keys', number, string]
  | ['claim', number, string];

/** What the loader has to know of the settings; it keeps them for the session. */
export interface Look {
  accent?: string | undefined;
  side?: string | undefined;
  autoOpenS?: number | null | undefined;
  /** What the loader calls the chat, and closing it, where that is not English. */
  labels?: [chat: string, close: string] | undefined;
}

/** Told by the widget. */
export type Told =
  | ['release', string]
  /** And the newest line of somebody else, with the name. */
  | ['unread', number, string | null]
  | ['close']
  | ['look', Look]
  | ['event', string, object?];

/** The page that the visitor is on. */
export interface HostPage {
  page: string;
  title: string;
  referrer: string;
  locale: string;
}

/** What the site says of its visitor without proof. */
export interface Contact {
  name?: string;
  email?: string;
  phone?: string;
}

/** What the site may change while the chat is there. */
export interface Site {
  locale?: string;
  scheme?: 'auto' | 'light' | 'dark';
  contact?: Contact;
  /** Signed by the site: says who the visitor is. */
  token?: string;
}

/** Told by the loader. */
export type FromLoader =
  | ['answer', number, unknown]
  /** And whether a person opened it: then the focus may follow. */
  | ['shown', boolean, boolean]
  /** Another tab changed a key. */
  | ['changed', string]
  | ['update', Site]
  /** And what the visitor did there, where the site says so. */
  | ['page', string, string, string?]
  /** Other settings to try out, see `Handshake`. */
  | ['preview', Settings];

/** The one message that is not on the port: it brings the port. */
export interface Handshake {
  switchboard: 1;
  referrer: string;
  locale: string;
  /**
   * Settings to show instead of the server's, which then is asked for nothing. Only from our own
   * origin: the console shows so what an administrator changes.
   */
  preview?: Settings;
}

export interface Bridge {
  widget: string;
  host: HostPage;
  store: KeyStore;
  locks: Locks;
  /** Closes the panel; `null` where the chat is the whole page. */
  close: (() => void) | null;
  preview: Settings | null;
  tell(told: Told): void;
  /** Is called for what comes from now on, and for what came before. */
  listen(heard: (said: FromLoader) => void): void;
}

/** The widget that the address of the page names. */
export function namedWidget(): string {
  return new URLSearchParams(location.search).get('widget') ?? 'default';
}

/** Waits for the loader and its port. */
export function meetLoader(): Promise<Bridge> {
  return new Promise((resolve) => {
    const hear = (event: MessageEvent<Handshake>) => {
      const [port] = event.ports;
      if (event.source !== window.parent || event.data?.switchboard !== 1) return;
      if (port === undefined) return;
      removeEventListener('message', hear);
      const preview = event.origin === location.origin ? event.data.preview : undefined;
      resolve(bridgeOver(port, event.data, preview ?? null));
    };
    addEventListener('message', hear);
  });
}

function bridgeOver(
  port: MessagePort,
  { referrer, locale }: Handshake,
  preview: Settings | null,
): Bridge {
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
    widget: namedWidget(),
    host: { page: '', title: '', referrer, locale },
    store: {
      get: (key) => ask((id) => ['get', id, key]),
      set: (key, text) => ask((id) => ['set', id, key, text]),
      remove: (key) => ask((id) => ['set', id, key, null]),
      keys: (prefix) => ask((id) => ['keys', id, prefix]),
    },
    locks: {
      claim: async (name): Promise<Cancel | null> => {
        const granted = await ask<boolean>((id) => ['claim', id, name]);
        return granted ? () => tell(['release', name]) : null;
      },
    },
    close: () => tell(['close']),
    preview,
    tell,
    listen: (listener) => {
      heard = listener;
      for (const said of early.splice(0)) listener(said);
    },
  };
}
