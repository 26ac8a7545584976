import './widget.css';
import { render } from 'preact';
import { browserClock, onWake, openStream, randomId } from '../client/browser.ts';
import { fetchApi } from '../client/http.ts';
import { App, opened } from './app.tsx';
import { type Bridge, meetLoader } from './bridge.ts';
import { Widget } from './model.ts';

async function begin(bridge: Bridge): Promise<void> {
  const widget = await Widget.open({
    ports: {
      clock: browserClock,
      open: openStream,
      store: bridge.store,
      locks: bridge.locks,
      random: Math.random,
      newId: randomId,
    },
    api: fetchApi,
    widget: bridge.widget,
    host: bridge.host,
    onUnread: (count) => bridge.tell(['unread', count]),
    onEvent: (name) => bridge.tell(['event', name]),
  });
  let shown = false;
  const look = () => {
    widget.watching.value = shown && document.visibilityState === 'visible';
  };
  bridge.listen((said) => {
    if (said[0] === 'shown') {
      if (said[1] && !shown) opened.value += 1;
      shown = said[1];
      look();
    } else if (said[0] === 'changed') {
      void widget.changedElsewhere(said[1]);
    }
  });
  document.addEventListener('visibilitychange', look);
  onWake(() => widget.client.wake());
  const close = () => bridge.tell(['close']);
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !event.isComposing) close();
  });
  const app = document.getElementById('app');
  if (app !== null) render(<App widget={widget} onClose={close} />, app);
}

void meetLoader().then(begin);
