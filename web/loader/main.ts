/**
 * The script that sites put into their pages: a launcher, and behind it the widget in an iframe of
 * our origin. It lives under any host policy: styles come as a constructed sheet in a shadow root,
 * nodes are made one by one, and nothing is evaluated. Until the visitor comes near, it loads no
 * frame; with `consent: 'wait'` it shows, asks and stores nothing at all.
 */

import type { Asked, FromLoader, Handshake, Look, Site, Told } from '../widget/bridge.ts';
import { CSS } from './style.ts';

/** What the site says at `init`. */
interface Options extends Look {
  widget?: string | undefined;
  /** The same, as another house's snippet calls it. */
  widgetId?: string;
  /** Where the site believes to be; a mistake is told on the console. */
  domain?: string;
  /** `wait`: nothing happens before the command `consent`. */
  consent?: string | undefined;
}

type Listener = (detail?: unknown) => void;
type Command = [command?: unknown, first?: unknown, second?: unknown];
type Run = { (...command: Command): void; q?: Command[] };

/** The frame has this long to speak up before we look for what is wrong. */
const SILENCE_MS = 10_000;

const script = document.currentScript as HTMLScriptElement;
const { origin } = new URL(script.src);
const globals = window as unknown as Record<string, Run | undefined>;
/** The function that sites call: the snippet that made it names its script after it. */
const global = globals[script.id] ? script.id : 'switchboard';
const listeners: Record<string, Set<Listener>> = {};
const held: Record<string, () => void> = {};

const host = document.createElement('switchboard-chat');
const root = host.attachShadow({ mode: 'open' });
const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);
root.adoptedStyleSheets = [sheet];
const box = make('div', root, '');
const panel = make('div', box, 'p');
panel.role = 'dialog';
/** The newest line, beside the closed launcher. */
const news = make('div', box, 'n');
const line = make('button', news, '');
const dismiss = make('button', news, '');
dismiss.textContent = '✕';
const launcher = make('button', box, 'l');
make('i', launcher, '');
const badge = make('b', launcher, '');

let options: Options | null = null;
let widget = '';
/** Of our keys in the storage of the page. */
let prefix = '';
let running = false;
let frame: HTMLIFrameElement | null = null;
let port: MessagePort | null = null;
/** The chat, and closing what is said of it. */
let words: [string, string] = ['Chat', 'Close'];
let unread = 0;
let open = false;
/** Whether a person opened it, so that the focus may follow. */
let wished = false;
let opening: unknown = 0;
/** The page's own title while ours stands in its place. */
let title: string | null = null;
/** What the site said of itself and its visitor, for the frame whenever it comes. */
let site: Site = {};

function make<Name extends keyof HTMLElementTagNameMap>(name: Name, parent: Node, kind: string) {
  const element = document.createElement(name);
  element.className = kind;
  parent.appendChild(element);
  return element;
}

const locale = () => document.documentElement.lang || navigator.language;

/** Storage may be denied or full; the chat then lasts as long as the page. */
function stored<Value>(run: (storage: Storage) => Value, session?: boolean): Value | null {
  try {
    return run(session ? sessionStorage : localStorage);
  } catch {
    return null;
  }
}

function read(key: string, session?: boolean): string | null {
  return stored((storage) => storage.getItem(prefix + key), session);
}

function write(key: string, text: string | null, session?: boolean): void {
  stored(
    (storage) =>
      text === null ? storage.removeItem(prefix + key) : storage.setItem(prefix + key, text),
    session,
  );
}

function emit(name: string, detail?: unknown): void {
  for (const listener of listeners[name] ?? []) listener(detail);
}

function tell(said: FromLoader): void {
  port?.postMessage(said);
}

/** The one line that says to the site what it has wrong. */
function complain(why: string): void {
  // biome-ignore lint/suspicious/noConsole: it is for the people who build the site.
  console.warn(`Switchboard: ${why}`);
}

/** Asks about the widget; nothing known when nobody answers, or may not. */
function ask(question: string): Promise<Record<string, unknown>> {
  return fetch(`${origin}/v1/widgets/${encodeURIComponent(widget)}${question}`)
    .then((response) => response.json())
    .catch(() => ({}));
}

async function diagnose(): Promise<void> {
  const { allowed, reason } = await ask(`/check?origin=${location.origin}`);
  if (allowed || !running) return;
  if (reason === 'origin') complain(`widget "${widget}" is not allowed on ${location.origin}`);
  else complain(`widget "${widget}": ${reason ?? 'no answer, check frame-src'}`);
}

function draw(): void {
  const count = open || !unread ? '' : `${unread}`;
  badge.textContent = count;
  panel.hidden = !open;
  launcher.ariaExpanded = `${open}`;
  launcher.ariaLabel = words[0] + (count && ` (${count})`);
  [panel.ariaLabel, dismiss.ariaLabel] = words;
  if (!count) news.hidden = true;
  countInTitle();
}

/** Counts in the title while nobody sees the page, and then leaves it exactly as it was. */
function countInTitle(): void {
  if (title !== null && document.title.endsWith(`) ${title}`)) document.title = title;
  title = null;
  if (document.hidden && unread) {
    title = document.title;
    document.title = `(${unread}) ${title}`;
  }
}

/** Colors and the like; what the site says itself goes before what the settings say. */
function dress(look: Look | null): void {
  const { accent, side = '', autoOpenS } = { ...look, ...options };
  words = look?.labels ?? words;
  draw();
  if (accent) host.style.setProperty('--a', accent);
  box.className = side;
  if (autoOpenS == null || opening) return;
  opening = setTimeout(() => {
    // Once per browser session, and never after it was closed by hand.
    if (!read('opened', true) && !read('dismissed')) show(true, false);
  }, autoOpenS * 1_000);
}

/**
 * The look as it was last, and then as it is. To ask is the dearest that a closed launcher does, so
 * it is done once in a session, and when the page has nothing else to do; the chat tells what
 * changes then.
 */
function look(): void {
  const known = read('look', true);
  dress(stored(() => JSON.parse((known ?? read('look')) as string)));
  (window.requestIdleCallback ?? setTimeout)(async () => {
    if (!running) return;
    // Who was here before, or is somebody, may go on.
    if (read('visitor') || site.token) load();
    // A page whose scripts need a nonce has a policy, which may not let us ask.
    if (script.nonce || known) return;
    const { theme, labels, auto_open_s } = await ask(`?locale=${locale()}`);
    if (theme) wear({ ...theme, labels, autoOpenS: auto_open_s } as Look);
    else void diagnose();
  });
}

/** From now on, on each page of the session. */
function wear(look: Look): void {
  write('look', JSON.stringify({ labels: words, ...look }), true);
  dress(look);
}

/** Where the visitor is, and what they did there. */
function page(did?: string): void {
  tell(['page', location.href, document.title, did]);
}

/** Loads the widget, hidden or not. */
function load(): void {
  if (frame) return;
  frame = document.createElement('iframe');
  frame.title = panel.ariaLabel as string;
  frame.allow = 'autoplay; clipboard-write';
  frame.src = `${origin}/widget?widget=${encodeURIComponent(widget)}`;
  const silence = setTimeout(diagnose, SILENCE_MS);
  frame.onload = () => {
    const channel = new MessageChannel();
    port?.close();
    port = channel.port1;
    port.onmessage = (event) => {
      clearTimeout(silence);
      hear(event.data);
    };
    const handshake: Handshake = {
      switchboard: 1,
      referrer: document.referrer,
      locale: locale(),
    };
    frame?.contentWindow?.postMessage(handshake, origin, [channel.port2]);
    page();
    tell(['update', site]);
    tell(['shown', open, wished]);
  };
  panel.append(frame);
}

function show(wanted: boolean, byPerson: boolean): void {
  if (open === wanted || !running) return;
  open = wanted;
  wished = byPerson;
  write('open', open ? '1' : null);
  if (open) load();
  // Only a person closes it.
  write(open ? 'opened' : 'dismissed', '1', open);
  draw();
  tell(['shown', open, wished]);
  if (byPerson) (open ? frame : launcher)?.focus();
  emit(open ? 'open' : 'close');
}

function unreadIs(now: number, newest: string | null): void {
  if (now > unread && newest) {
    line.textContent = newest;
    news.hidden = false;
  }
  unread = now;
  draw();
  emit('unread', now);
}

function hear(said: Asked | Told): void {
  const answer = (value: unknown) => tell(['answer', said[1] as number, value]);
  switch (said[0]) {
    case 'get':
      answer(read(said[2]));
      break;
    case 'set':
      answer(write(said[2], said[3]));
      break;
    case 'keys':
      answer(
        (stored(Object.keys) ?? [])
          .filter((key) => key.startsWith(prefix + said[2]))
          .map((key) => key.slice(prefix.length)),
      );
      break;
    case 'claim':
      // No locks without TLS, or denied: the widget then makes an outbox of its own.
      claim(said[2], answer).catch(() => answer(false));
      break;
    case 'release':
      held[said[1]]?.();
      break;
    case 'unread':
      unreadIs(said[1], said[2]);
      break;
    case 'close':
      show(false, true);
      break;
    case 'look':
      wear(said[1]);
      break;
    case 'event':
      emit(said[1], said[2]);
      break;
  }
}

/** Locks belong to the host's page, so that its tabs share what they share in storage. */
async function claim(key: string, answer: (granted: boolean) => void): Promise<void> {
  await navigator.locks.request(prefix + key, { ifAvailable: true }, (lock) => {
    answer(!!lock);
    return (
      lock &&
      new Promise<void>((release) => {
        held[key] = release;
      })
    );
  });
}

function start(): void {
  const domain = options?.domain;
  if (domain && !`.${location.hostname}`.endsWith(`.${domain}`)) {
    complain(`domain is "${domain}", not ${location.origin}`);
    return;
  }
  running = true;
  prefix = `switchboard:${widget}:`;
  (document.body ?? document.documentElement).append(host);
  look();
  if (read('open')) show(true, false);
  emit('ready');
}

/** Ends the chat on this device and leaves nothing behind. */
function shutdown(): void {
  running = open = false;
  opening = unread = 0;
  draw();
  port?.close();
  port = frame = null;
  site = {};
  panel.replaceChildren();
  host.remove();
  for (const session of [true, false]) {
    stored((storage) => {
      for (const key of Object.keys(storage)) if (key.startsWith(prefix)) storage.removeItem(key);
    }, session);
  }
}

function update(said: Site): void {
  site = { ...site, ...said };
  tell(['update', site]);
  if (running && said.token) load();
}

function run(command?: unknown, first?: unknown, second?: unknown): void {
  const name = first as string;
  switch (command) {
    case 'init':
      if (running) break;
      options = first as Options;
      widget = options.widgetId ?? options.widget ?? 'default';
      if (options.consent !== 'wait') start();
      break;
    case 'consent':
      if (options && !running) start();
      break;
    case 'open':
    case 'close':
      show(command === 'open', true);
      break;
    case 'toggle':
      show(!open, true);
      break;
    case 'identify':
      update({ token: name });
      break;
    case 'update':
      update(first as Site);
      break;
    case 'page':
      page();
      break;
    case 'track':
      page(name);
      break;
    case 'on':
      listeners[name] ??= new Set();
      listeners[name].add(second as Listener);
      break;
    case 'off':
      listeners[name]?.delete(second as Listener);
      break;
    case 'shutdown':
      shutdown();
      break;
  }
}

line.onclick = launcher.onclick = () => show(!open, true);
dismiss.onclick = () => {
  launcher.focus();
  news.hidden = true;
};
launcher.onpointerenter = launcher.onfocus = load;
box.onkeydown = ({ key }) => {
  if (key === 'Escape') show(false, true);
};
addEventListener('visibilitychange', countInTitle);
addEventListener('storage', ({ key }) => {
  // Without a frame nobody hears it.
  if (key?.startsWith(prefix)) tell(['changed', key.slice(prefix.length)]);
});
// Pages that change their address without loading. A browser that does not tell leaves it to the
// site, which says `page`.
(window as { navigation?: EventTarget }).navigation?.addEventListener('navigatesuccess', () =>
  page(),
);

const queued = globals[global]?.q ?? [];
globals[global] = run;
for (const command of queued) run(...command);
if (!options && script.dataset.widget) run('init', script.dataset);
