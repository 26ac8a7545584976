/** The chat as a page of its own, `/chat`: there is no loader, and storage is ours. */

import { localStore, webLocks } from '../client/browser.ts';
import { type Api, Problem } from '../client/http.ts';
import type { KeyStore } from '../client/ports.ts';
import { type Bridge, type FromLoader, namedWidget } from './bridge.ts';
import type { Trouble } from './stage.ts';
import { VISITOR, type Visitor } from './visitor.ts';

export function ownPage(): Bridge {
  const widget = namedWidget();
  const prefix = `switchboard:${widget}:`;
  return {
    widget,
    host: {
      page: location.origin + location.pathname,
      title: document.title,
      referrer: document.referrer,
      locale: navigator.language,
    },
    store: localStore(prefix),
    locks: webLocks(prefix),
    close: null,
    preview: null,
    tell: () => {},
    listen: (heard: (said: FromLoader) => void) => {
      heard(['shown', true, true]);
      addEventListener('storage', (event) => {
        if (event.key?.startsWith(prefix)) heard(['changed', event.key.slice(prefix.length)]);
      });
    },
  };
}

interface Redeemed {
  visitor: { id: string; secret: string };
  conversation: string;
}

/**
 * Takes a one-use link: its token stands in the fragment, which no server sees. The fragment stays
 * while the server cannot be asked, so that a reload can try again. Resolves to why it failed.
 */
export async function redeemLink(api: Api, store: KeyStore): Promise<Trouble | null> {
  const token = location.hash.slice(1);
  if (token === '') return null;
  let refusal: Trouble | null = null;
  try {
    const { visitor, conversation } = await api<Redeemed>('POST', '/v1/links', { body: { token } });
    const kept: Visitor = { ...visitor, conversation };
    await store.set(VISITOR, JSON.stringify(kept));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.passing) return 'cannot_begin';
    refusal = error.code === 'link_expired' ? 'link_expired' : 'link_used';
  }
  history.replaceState(null, '', location.pathname + location.search);
  return refusal;
}
