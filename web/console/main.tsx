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
import { Router } from '../ui/router.ts';
import { Toasts } from '../ui/toasts.tsx';
import { request } from './api.ts';
import { App } from './app.tsx';
import { now } from './clock.ts';
import { Desk } from './desk.ts';
import { MARKS_KEY } from './marks.ts';
import { sharedText, watchOutside, watchVersion } from './outside.ts';
import { openPrefs, PREFS_KEY, type Prefs, rereadPrefs } from './prefs.ts';
import { Profile } from './profile.ts';
import { type Me, Session } from './session.ts';
import {
  conversationIn,
  INBOX,
  pathOf,
  SETTINGS,
  type Secret,
  type Shell,
  SIGN_IN,
  secretIn,
} from './shell.ts';
import { Speaker } from './sounds.ts';
import { Where } from './where.ts';

const CLOCK_MS = 15_000;
/** What is kept in this browser: for all who sign in here, and for one of them. */
const PREFIX = 'switchboard:console:';
const prefixOf = (person: string) => `${PREFIX}${person}:`;
const presenceKeyOf = (person: string) => `${prefixOf(person)}presence`;

/** What stands behind `#` may be a secret: it is taken out of the address before anything else. */
function takeSecret(): Secret | null {
  const secret = secretIn(location.hash);
  if (location.hash !== '') history.replaceState(history.state, '', location.pathname);
  return secret;
}

/** The theme and the density are attributes of the root, for the style sheets. */
function dress(prefs: Prefs): void {
  const root = document.documentElement;
  effect(() => {
    if (prefs.theme.value === 'system') delete root.dataset.theme;
    else root.dataset.theme = prefs.theme.value;
  });
  effect(() => {
    root.dataset.density = prefs.density.value;
  });
}

async function sitDown(shell: Shell, me: Me): Promise<{ desk: Desk; profile: Profile }> {
  const { session, toasts, prefs } = shell;
  const person = me.principal.id;
  const prefix = prefixOf(person);
  const store = localStore(prefix);
  const desk = await Desk.open({
    ports: {
      clock: browserClock,
      open: openStream,
      store,
      locks: webLocks(prefix),
      random: Math.random,
      newId: randomId,
    },
    session,
    me,
    toasts,
    prefs,
    where: new Where(sessionStorage, person),
    presence: sharedText(presenceKeyOf(person)),
  });
  const profile = await Profile.open({
    prefs,
    person,
    store,
    clock: browserClock,
    ask: (method, path, asking) => session.ask(method, path, asking),
    link: desk.client.link,
    told: desk.client.preferences,
    onRefused: () =>
      toasts.say('Your preferences are too large for your profile: they stay in this browser.', {
        bad: true,
      }),
  });
  return { desk, profile };
}

async function start(root: HTMLElement): Promise<void> {
  const secret = takeSecret();
  const store = localStore(PREFIX);
  const prefs = await openPrefs(store);
  dress(prefs);
  const outdated = signal(false);
  const shell: Shell = {
    session: new Session(request, sessionStorage, Date.now),
    router: new Router(window, INBOX),
    toasts: new Toasts(browserClock),
    prefs,
    speaker: new Speaker(),
    outdated,
    secret: signal(secret),
  };
  const desk = signal<Desk | null>(null);
  let wanted: string | null = null;
  const ends: (() => void)[] = [];
  effect(() => {
    const me = shell.session.me.value;
    const id = me?.principal.id ?? null;
    if (id === wanted) return;
    wanted = id;
    desk.peek()?.close();
    for (const end of ends.splice(0)) end();
    desk.value = null;
    if (me === null) return;
    void sitDown(shell, me).then(({ desk: opened, profile }) => {
      if (wanted !== id) {
        profile.close();
        opened.close();
        return;
      }
      ends.push(() => profile.close());
      opened.selected.value = conversationIn(shell.router.path.peek());
      desk.value = opened;
      ends.push(watchOutside(shell, opened), watchVersion(opened, outdated));
    });
  });
  // The address says which conversation is open, and opening one changes the address.
  effect(() => {
    const path = shell.router.path.value;
    const open = desk.value;
    if (open !== null && !path.startsWith(SETTINGS)) open.selected.value = conversationIn(path);
  });
  effect(() => {
    const id = desk.value?.selected.value;
    if (id === undefined || shell.router.path.peek().startsWith(SETTINGS)) return;
    shell.router.go(pathOf(id));
  });
  effect(() => {
    const { value } = shell.session.state;
    const path = shell.router.path.peek();
    if (value === 'in' && path === SIGN_IN) shell.router.go(INBOX, 'replace');
  });
  // The end of the sign-in is told by whoever learns of it first; coming back connects again.
  effect(() => {
    if (desk.value?.signedOut.value) shell.session.expired();
  });
  effect(() => {
    if (shell.session.renewals.value > 0) desk.peek()?.client.connect();
  });
  // What another tab keeps counts here at once.
  addEventListener('storage', ({ key }) => {
    const open = desk.peek();
    if (key === PREFIX + PREFS_KEY) void rereadPrefs(prefs, store);
    else if (open !== null && key === prefixOf(open.me.id) + MARKS_KEY) void open.marks.restore();
    else if (open !== null && key === presenceKeyOf(open.me.id)) open.idle.heard();
  });
  document.addEventListener('click', (event) => shell.router.follow(event));
  addEventListener('pagehide', () => desk.peek()?.leave());
  onWake(() => desk.peek()?.client.wake());
  document.addEventListener('visibilitychange', () => {
    const open = desk.peek();
    if (open !== null) open.watching.value = document.visibilityState === 'visible';
  });
  setInterval(() => {
    now.value = Date.now();
  }, CLOCK_MS);
  render(<App shell={shell} desk={desk} />, root);
  await shell.session.begin();
}

const root = document.getElementById('app');
if (root !== null) void start(root);
