/** Puts the chat together, in whatever it is. */

import './widget.css';
import { effect, signal } from '@preact/signals-core';
import { browserClock, onWake, openStream, randomId } from '../client/browser.ts';
import { fetchApi, fetchTagged, type Tagged, type TaggedAnswer } from '../client/http.ts';
import { App, opened } from './app.tsx';
import { type Bridge, type FromLoader, type Look, namedWidget, type Site } from './bridge.ts';
import { Widget } from './model.ts';
import { paint } from './paint.ts';
import { pathOf, type Settings } from './settings.ts';
import type { Trouble } from './stage.ts';
import { dress } from './theme.ts';
import { language, speak } from './words.ts';

/**
 * Asks for the settings before the loader has said anything: the address of the page names the
 * widget. Where settings are tried out, the server is asked for nothing.
 */
export function askEarly(): Early {
  if (location.search.endsWith('&preview')) return null;
  const answer = fetchTagged<never>(pathOf(namedWidget()), null);
  // Whoever takes it sees to that; maybe nobody does.
  answer.catch(() => {});
  return answer;
}

type Early = Promise<TaggedAnswer<never>> | null;

/** `notice` is what to say first, if anything. */
export async function begin(bridge: Bridge, notice: Trouble | null, early: Early): Promise<void> {
  const { preview } = bridge;
  /** The first answer is on its way already. */
  const tagged: Tagged = (path, etag) => {
    const answer = early ?? fetchTagged<never>(path, etag);
    early = null;
    return answer;
  };
  const widget = await Widget.open({
    ports: {
      clock: browserClock,
      open: openStream,
      store: bridge.store,
      locks: bridge.locks,
      random: Math.random,
      newId: randomId,
    },
    api: preview === null ? fetchApi : () => new Promise(() => {}),
    tagged: preview === null ? tagged : async () => answerOf(preview),
    widget: bridge.widget,
    host: bridge.host,
    onUnread: (count, newest) => bridge.tell(['unread', count, newest]),
    onEvent: (name, detail) => bridge.tell(['event', name, detail]),
    onChime: (event) =>
      void import('./chime.ts').then(
        (part) => part.chime(bridge, event),
        () => {},
      ),
  });
  widget.notice.value = notice;
  let shown = false;
  const site = signal<Site>({});
  const look = () => {
    widget.watching.value = shown && !document.hidden;
  };
  effect(() => {
    const asked = site.value.locale ?? widget.settings.value?.locale ?? 'auto';
    void speak([asked === 'auto' ? bridge.host.locale : asked, 'en']);
  });
  effect(() => {
    const settings = widget.settings.value;
    const { scheme = settings?.theme?.scheme } = site.value;
    dress(document.documentElement, { ...settings?.theme, scheme }, language.value.code);
    if (settings === null) return;
    document.title = settings.name;
    const { accent, side } = settings.theme ?? {};
    const look: Look = { accent, side, autoOpenS: settings.auto_open_s };
    bridge.tell(['look', look]);
    // For the next session of a page that may not ask.
    void bridge.store.set('look', JSON.stringify(look));
  });
  /** The loader says everything again with each change. */
  const change = (now: Site) => {
    const before = site.peek();
    site.value = now;
    const { token, contact } = now;
    if (token !== undefined && token !== before.token) {
      void widget.identify(token).then((believed) => {
        if (believed) return;
        // biome-ignore lint/suspicious/noConsole: it is for the people who build the site.
        console.warn('Switchboard: identify: the token is expired or wrongly signed');
      });
    }
    if (contact !== undefined && JSON.stringify(contact) !== JSON.stringify(before.contact)) {
      void widget.introduce(contact);
    }
  };
  const hear = (said: FromLoader) => {
    switch (said[0]) {
      case 'shown':
        // A frame that was loaded while nobody saw it takes no focus before it is drawn.
        if (said[1] && !shown && said[2]) {
          requestAnimationFrame(() => {
            opened.value += 1;
          });
        }
        shown = said[1];
        look();
        break;
      case 'changed':
        void widget.changedElsewhere(said[1]);
        break;
      case 'update':
        change(said[1]);
        break;
      case 'page':
        widget.visit(said[1], said[2], said[3]);
        break;
      case 'preview':
        if (preview !== null) widget.preview(said[1]);
        break;
      case 'answer':
        break;
    }
  };
  bridge.listen(hear);
  document.addEventListener('visibilitychange', look);
  onWake(() => widget.client.wake());
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing) bridge.close?.();
  });
  const app = document.getElementById('app');
  if (app !== null) paint(() => <App widget={widget} onClose={bridge.close} />, app);
}

function answerOf(settings: Settings): TaggedAnswer<never> {
  return { status: 200, etag: null, value: settings as never, code: null };
}
