import './console.css';
import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import {
  browserClock,
  localStore,
  onWake,
  openStream,
  randomId,
  webLocks,
} from '../client/browser.ts';
import { fetchApi } from '../client/http.ts';
import { App } from './app.tsx';
import { now } from './list.tsx';
import { Desk } from './model.ts';
import { SignIn } from './sign-in.ts';

const settings = localStore('switchboard:console:');
const THEME = 'theme';
const CLOCK_MS = 15_000;

const signIn = new SignIn(fetchApi, sessionStorage, Date.now);
const desk = signal<Desk | null>(null);

/** The address says which conversation is open, so that reload and the back button work. */
function readAddress(): void {
  const open = desk.peek();
  if (open !== null) open.selected.value = /^#\/c\/([0-9a-f-]+)$/.exec(location.hash)?.[1] ?? null;
}

async function sitDown(): Promise<void> {
  const signedIn = signIn.current.peek();
  if (signedIn === null) return;
  const prefix = `switchboard:console:${signedIn.principal.id}:`;
  const opened = await Desk.open({
    ports: {
      clock: browserClock,
      open: openStream,
      store: localStore(prefix),
      locks: webLocks(prefix),
      random: Math.random,
      newId: randomId,
    },
    api: fetchApi,
    signedIn,
    credentials: () => signIn.credentials(),
  });
  desk.value = opened;
  readAddress();
  effect(() => {
    const id = opened.selected.value;
    const hash = id === null ? '#/' : `#/c/${id}`;
    if (location.hash !== hash) location.hash = hash;
  });
}

let sitting = false;
effect(() => {
  if (signIn.current.value === null) {
    desk.value = null;
  } else if (desk.peek() === null && !sitting) {
    sitting = true;
    void sitDown().finally(() => {
      sitting = false;
    });
  }
});

function switchTheme(): void {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const current = document.documentElement.dataset.theme ?? (dark ? 'dark' : 'light');
  const next = current === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  void settings.set(THEME, next);
}

void settings.get(THEME).then((kept) => {
  if (kept !== null) document.documentElement.dataset.theme = kept;
});
addEventListener('hashchange', readAddress);
onWake(() => desk.peek()?.client.wake());
document.addEventListener('visibilitychange', () => {
  const open = desk.peek();
  if (open !== null) open.watching.value = document.visibilityState === 'visible';
});
setInterval(() => {
  now.value = Date.now();
}, CLOCK_MS);

const app = document.getElementById('app');
if (app !== null) render(<App signIn={signIn} desk={desk} onTheme={switchTheme} />, app);
