/** What the console does outside its page: title, icon, badge, desktop notifications. And its version. */

import { computed, effect, type Signal, signal } from '@preact/signals';
import { browserClock } from '../client/browser.ts';
import { type Notice, watchAlerts } from './alerts.ts';
import type { Desk } from './desk.ts';
import type { SharedText } from './idle.ts';
import { INBOX, pathOf, type Shell } from './shell.ts';
import { iconOf, titleOf } from './tab.ts';
import { Writing } from './writing.ts';

/** Runs until called off. */
export function watchOutside(shell: Shell, desk: Desk): () => void {
  let leads = false;
  let step: (() => void) | null = null;
  // The first tab of this person rings; when it goes, the next one has the lock.
  const stay = new Promise<void>((resolve) => {
    step = resolve;
  });
  void navigator.locks
    ?.request(`switchboard:alerts:${desk.me.id}`, () => {
      leads = true;
      return stay;
    })
    .catch(() => null);
  const endAlerts = watchAlerts(desk, shell.prefs, {
    play: (sound, volume) => shell.speaker.play(sound, volume),
    tell: (notice) => tell(notice, shell, desk),
    leads: () => leads || navigator.locks === undefined,
    competence: () => desk.competence(),
    now: () => new Date(),
  });
  const endTitle = effect(() => {
    const unread = desk.unread.value;
    document.title = titleOf(shell.router.path.value, unread);
    if (unread > 0) void navigator.setAppBadge?.(unread).catch(() => null);
    else void navigator.clearAppBadge?.().catch(() => null);
  });
  const icon = computed(() => iconOf(desk.unread.value));
  const endIcon = effect(() => showIcon(icon.value));
  const endTouches = watchTouches(() => desk.idle.touched());
  return () => {
    endAlerts();
    endTitle();
    endIcon();
    // Who is not signed in has nothing unread.
    showIcon(iconOf(0));
    endTouches();
    step?.();
  };
}

function showIcon(href: string): void {
  document.querySelector('link[rel="icon"]')?.setAttribute('href', href);
}

/** Calls whenever the person touches anything. */
function watchTouches(touched: () => void): () => void {
  const end = new AbortController();
  const options = { capture: true, passive: true, signal: end.signal };
  for (const name of ['keydown', 'pointerdown', 'wheel', 'touchmove'] as const) {
    addEventListener(name, touched, options);
  }
  addEventListener(
    'pointermove',
    ({ movementX, movementY }) => {
      // What moves under a pointer that lies still is nobody's doing.
      if (movementX !== 0 || movementY !== 0) touched();
    },
    options,
  );
  return () => end.abort();
}

/** A text in `localStorage`; where that is denied each tab is by itself. */
export function sharedText(key: string): SharedText {
  let own: string | null = null;
  return {
    get: () => {
      try {
        return localStorage.getItem(key);
      } catch {
        return own;
      }
    },
    set: (text) => {
      own = text;
      try {
        localStorage.setItem(key, text);
      } catch {
        // Denied or full.
      }
    },
  };
}

function tell({ title, text, conversation }: Notice, shell: Shell, desk: Desk): void {
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
  const notification = new Notification(title, { body: text, tag: conversation });
  notification.onclick = () => {
    window.focus();
    shell.router.go(pathOf(conversation));
    desk.selected.value = conversation;
    notification.close();
  };
}

/** Between two looks at whether there is a newer version. */
const LOOK_MS = 10 * 60_000;

/**
 * Sees by the document's tag that the server has newer pages: after each reconnect, and now and
 * then. It is said when nobody writes.
 */
export function watchVersion(desk: Desk, outdated: Signal<boolean>): () => void {
  let first: string | null = null;
  const newer = signal(false);
  const writing = new Writing(browserClock);
  const look = async () => {
    const response = await fetch(INBOX, { cache: 'no-cache' }).catch(() => null);
    const tag = response?.ok ? response.headers.get('etag') : null;
    if (tag == null) return;
    first ??= tag;
    if (tag !== first) newer.value = true;
  };
  let next = browserClock.after(LOOK_MS, again);
  function again() {
    void look();
    next = browserClock.after(LOOK_MS, again);
  }
  const ends = [
    effect(() => {
      if (desk.client.link.value.state === 'ready') void look();
    }),
    effect(() => {
      if (newer.value && !writing.now.value) outdated.value = true;
    }),
  ];
  const listening = new AbortController();
  const options = { capture: true, passive: true, signal: listening.signal };
  addEventListener('input', () => writing.wrote(), options);
  addEventListener('focusout', () => writing.done(), options);
  return () => {
    next();
    writing.done();
    for (const end of ends) end();
    listening.abort();
  };
}
