/**
 * The script that sites put into their pages: a launcher, and behind it the widget in an iframe of
 * our origin. It lives under any host policy: styles come as a constructed sheet in a shadow root,
 * nodes are made one by one, and nothing is evaluated. Until the visitor comes near, it loads nothing.
 */

import type { Asked, FromLoader, Handshake, Told } from '../widget/bridge.ts';

type Command = ['open' | 'close' | 'toggle' | 'shutdown'] | ['on' | 'off', string, () => void];
type Queue = { (...command: Command): void; q?: Command[] };

declare global {
  interface Window {
    switchboard?: Queue;
  }
}

const CSS = `:host{all:initial}
button{position:fixed;inset-block-end:20px;inset-inline-end:20px;z-index:2147483000;width:60px;height:60px;border:0;border-radius:50%;
background:#4338ca;color:#fff;cursor:pointer;box-shadow:0 6px 20px rgb(20 20 60/.35);transition:transform .15s}
button:hover{transform:scale(1.06)}
button:focus-visible{outline:3px solid #fff;outline-offset:-6px;box-shadow:0 0 0 3px #4338ca}
svg{width:28px;height:28px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
b{position:absolute;inset-block-start:-4px;inset-inline-end:-4px;min-width:22px;box-sizing:border-box;padding:0 6px;border-radius:11px;
background:#b91c1c;color:#fff;font:600 13px/22px system-ui,sans-serif}
b:empty{display:none}
div{position:fixed;inset-block-end:92px;inset-inline-end:20px;z-index:2147483000;width:384px;height:min(640px,100vh - 112px);
border-radius:16px;overflow:hidden;box-shadow:0 12px 48px rgb(20 20 60/.32)}
div[hidden]{display:none}
iframe{width:100%;height:100%;border:0;display:block;color-scheme:normal}
@media(max-width:480px){div{inset:0;width:auto;height:auto;border-radius:0}div:not([hidden])+button{display:none}}
@media(prefers-reduced-motion){button{transition:none}}`;
const BUBBLE = 'M21 11.5a8.4 8.4 0 0 1-12 7.6L3 21l1.9-6A8.5 8.5 0 1 1 21 11.5z';
const CROSS = 'M18 6L6 18M6 6l12 12';

const script = document.currentScript as HTMLScriptElement;
const origin = new URL(script.src).origin;
const widget = script.dataset.widget ?? 'default';
const prefix = `switchboard:${widget}:`;
const listeners = new Map<string, Set<() => void>>();
const held = new Map<string, () => void>();
const near = new AbortController();

const host = document.createElement('switchboard-chat');
const root = host.attachShadow({ mode: 'open' });
const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);
root.adoptedStyleSheets = [sheet];
const panel = document.createElement('div');
panel.hidden = true;
panel.setAttribute('role', 'dialog');
panel.setAttribute('aria-label', 'Chat');
const launcher = document.createElement('button');
launcher.type = 'button';
const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
icon.setAttribute('viewBox', '0 0 24 24');
icon.setAttribute('aria-hidden', 'true');
const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
icon.append(path);
const badge = document.createElement('b');
badge.setAttribute('aria-hidden', 'true');
launcher.append(icon, badge);
root.append(panel, launcher);

let frame: HTMLIFrameElement | null = null;
let port: MessagePort | null = null;
let unread = 0;
let open = false;

/** Storage may be denied or full; the chat then lasts as long as the page. */
function stored<Value>(run: (storage: Storage) => Value): Value | null {
  try {
    return run(localStorage);
  } catch {
    return null;
  }
}

function emit(name: string): void {
  for (const listener of listeners.get(name) ?? []) listener();
}

function tell(said: FromLoader): void {
  port?.postMessage(said);
}

function draw(): void {
  path.setAttribute('d', open ? CROSS : BUBBLE);
  badge.textContent = open || unread === 0 ? '' : unread > 9 ? '9+' : `${unread}`;
  launcher.setAttribute('aria-expanded', `${open}`);
  const news = unread > 0 ? `, ${unread} unread` : '';
  launcher.setAttribute('aria-label', open ? 'Close chat' : `Open chat${news}`);
}

/** Loads the widget, hidden or not. */
function load(): void {
  if (frame !== null) return;
  frame = document.createElement('iframe');
  frame.title = 'Chat';
  frame.src = `${origin}/widget?widget=${encodeURIComponent(widget)}`;
  frame.addEventListener('load', () => {
    const channel = new MessageChannel();
    port?.close();
    port = channel.port1;
    port.onmessage = (event) => hear(event.data);
    const handshake: Handshake = {
      switchboard: 1,
      widget,
      host: {
        page: location.href,
        title: document.title,
        referrer: document.referrer,
        locale: navigator.language,
      },
    };
    frame?.contentWindow?.postMessage(handshake, origin, [channel.port2]);
    tell(['shown', open]);
  });
  panel.append(frame);
}

function show(wanted: boolean, byPerson: boolean): void {
  if (open === wanted) return;
  open = wanted;
  if (open) load();
  panel.hidden = !open;
  stored((storage) =>
    open ? storage.setItem(`${prefix}open`, '1') : storage.removeItem(`${prefix}open`),
  );
  draw();
  tell(['shown', open]);
  if (byPerson) (open ? frame : launcher)?.focus();
  emit(open ? 'open' : 'close');
}

function hear(said: Asked | Told): void {
  switch (said[0]) {
    case 'get':
      tell(['answer', said[1], stored((storage) => storage.getItem(prefix + said[2]))]);
      break;
    case 'set':
      stored((storage) => storage.setItem(prefix + said[2], said[3]));
      tell(['answer', said[1], null]);
      break;
    case 'remove':
      stored((storage) => storage.removeItem(prefix + said[2]));
      tell(['answer', said[1], null]);
      break;
    case 'keys': {
      const start = prefix + said[2];
      const keys = (stored(Object.keys) ?? []).filter((key) => key.startsWith(start));
      tell(['answer', said[1], keys.map((key) => key.slice(prefix.length))]);
      break;
    }
    case 'claim':
      claim(said[1], said[2]);
      break;
    case 'release':
      held.get(said[1])?.();
      break;
    case 'unread':
      unread = said[1];
      draw();
      emit('unread');
      break;
    case 'close':
      show(false, true);
      break;
    case 'event':
      emit(said[1]);
      break;
  }
}

/** Locks belong to the host's page, so that its tabs share what they share in storage. */
async function claim(id: number, name: string): Promise<void> {
  const answer = (granted: boolean) => tell(['answer', id, granted]);
  try {
    await navigator.locks.request(prefix + name, { ifAvailable: true }, (lock) => {
      answer(lock !== null);
      return lock && new Promise<void>((release) => held.set(name, release));
    });
  } catch {
    // No locks without TLS, or denied: the widget then makes an outbox of its own.
    answer(false);
  }
}

/** Ends the chat on this device and leaves nothing behind. */
function shutdown(): void {
  port?.close();
  near.abort();
  host.remove();
  stored((storage) => {
    for (const key of Object.keys(storage)) if (key.startsWith(prefix)) storage.removeItem(key);
  });
}

function run(...[name, event, listener]: Command): void {
  if (name === 'open') show(true, true);
  else if (name === 'close') show(false, true);
  else if (name === 'toggle') show(!open, true);
  else if (name === 'shutdown') shutdown();
  else if (event !== undefined && listener !== undefined) {
    const known = listeners.get(event) ?? new Set();
    listeners.set(event, known);
    if (name === 'on') known.add(listener);
    else known.delete(listener);
  }
}

launcher.addEventListener('click', () => show(!open, true));
for (const sign of ['pointerenter', 'focus', 'touchstart'] as const) {
  launcher.addEventListener(sign, load, { passive: true });
}
root.addEventListener('keydown', (event) => {
  if ((event as KeyboardEvent).key === 'Escape') show(false, true);
});
addEventListener(
  'storage',
  (event) => {
    if (event.key?.startsWith(prefix)) tell(['changed', event.key.slice(prefix.length)]);
  },
  { signal: near.signal },
);
draw();
(document.body ?? document.documentElement).append(host);

const queued = window.switchboard?.q ?? [];
window.switchboard = run;
for (const command of queued) run(...command);
if (stored((storage) => storage.getItem(`${prefix}open`)) !== null) show(true, false);
else if (stored((storage) => storage.getItem(`${prefix}visitor`)) !== null) load();
emit('ready');
