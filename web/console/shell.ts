/** What every page of the console is given. */

import type { ReadonlySignal, Signal } from '@preact/signals-core';
import type { Router } from '../ui/router.ts';
import type { Toasts } from '../ui/toasts.tsx';
import type { Prefs } from './prefs.ts';
import type { Session } from './session.ts';
import type { Speaker } from './sounds.ts';

export interface Shell {
  session: Session;
  router: Router;
  toasts: Toasts;
  prefs: Prefs;
  speaker: Speaker;
  /** The server has newer pages than these. */
  outdated: ReadonlySignal<boolean>;
  /** The one-time token the address carried behind `#` at the start; whoever uses it empties it. */
  secret: Signal<Secret | null>;
}

export interface Secret {
  kind: 'setup' | 'invite';
  token: string;
}

/** The token in what stands behind `#`; `null` when there is none. */
export function secretIn(hash: string): Secret | null {
  const [, kind, token] = /^#(setup|invite)=(.+)$/.exec(hash) ?? [];
  if ((kind !== 'setup' && kind !== 'invite') || token === undefined) return null;
  return { kind, token };
}

export const INBOX = '/console';
export const SETTINGS = '/console/settings';
export const SIGN_IN = '/console/sign-in';

/** The conversation an address names. */
export function conversationIn(path: string): string | null {
  return /^\/console\/c\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(path)?.[1] ?? null;
}

export function pathOf(conversation: string | null): string {
  return conversation === null ? INBOX : `/console/c/${conversation}`;
}
