/** The console: which page an address is. */

import type { ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { lazy, Patience } from '../ui/lazy.tsx';
import { ToastStack } from '../ui/toasts.tsx';
import { ConversationPane } from './conversation.tsx';
import { Frame } from './frame.tsx';
import { ListPane } from './list.tsx';
import type { Desk } from './model.ts';
import { SETTINGS, type Shell } from './shell.ts';

const Auth = lazy(async () => (await import('./auth/auth.tsx')).Auth);
const Settings = lazy(async () => (await import('./settings/settings.tsx')).Settings);

interface AppProps {
  shell: Shell;
  desk: ReadonlySignal<Desk | null>;
}

export function App({ shell, desk }: AppProps): JSX.Element {
  return (
    <>
      <Page shell={shell} desk={desk} />
      <ToastStack toasts={shell.toasts} />
    </>
  );
}

function Page({ shell, desk }: AppProps): JSX.Element {
  const { session, router } = shell;
  const state = session.state.value;
  if (state === 'unreachable') {
    return (
      <main class="nothing">
        <h1>The server does not answer</h1>
        <p>Check the connection, then try again.</p>
        <button type="button" class="primary" onClick={() => void session.begin()}>
          Try again
        </button>
      </main>
    );
  }
  // An invitation or a set-up link is for whoever follows it, signed in or not.
  if (state === 'out' || shell.secret.value !== null) return <Auth shell={shell} />;
  if (state === 'asking' || desk.value === null) return <Patience />;
  const inSettings = router.path.value.startsWith(SETTINGS);
  return (
    <Frame shell={shell} desk={desk.value}>
      {inSettings ? <Settings shell={shell} /> : <Inbox desk={desk.value} />}
    </Frame>
  );
}

function Inbox({ desk }: { desk: Desk }): JSX.Element {
  return (
    <main class="panes">
      <ListPane desk={desk} />
      <ConversationPane desk={desk} />
    </main>
  );
}
