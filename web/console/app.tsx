/** The console: sign-in, then the desk. */

import type { ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { PresenceStatus } from '../client/frames.ts';
import { Avatar, Icon } from '../ui/parts.tsx';
import { ConversationPane } from './conversation.tsx';
import { ListPane } from './list.tsx';
import type { Desk } from './model.ts';
import type { SignIn } from './sign-in.ts';

interface AppProps {
  signIn: SignIn;
  desk: ReadonlySignal<Desk | null>;
  onTheme(): void;
}

export function App({ signIn, desk, onTheme }: AppProps): JSX.Element {
  if (signIn.current.value === null) return <SignInPage signIn={signIn} />;
  if (desk.value === null)
    return (
      <p class="sr" role="status">
        One moment…
      </p>
    );
  return <DeskPage desk={desk.value} signIn={signIn} onTheme={onTheme} />;
}

function SignInPage({ signIn }: { signIn: SignIn }): JSX.Element {
  return (
    <main class="sign-in">
      <div class="card">
        <Mark />
        <h1>Agent console</h1>
        <p>Sign in to try Switchboard. Open a second tab to be both agents at once.</p>
        <button type="button" class="primary wide" onClick={() => void signIn.signIn('ada')}>
          Continue as Ada, an admin
        </button>
        <button type="button" class="quiet wide" onClick={() => void signIn.signIn('ben')}>
          Continue as Ben, an agent
        </button>
        <p role="alert" class="broken">
          {signIn.trouble.value}
        </p>
      </div>
    </main>
  );
}

function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path d="M9 11h6a4 4 0 0 1 0 8h-2M23 21h-6a4 4 0 0 1 0-8h2" />
    </svg>
  );
}

const STATUSES: [PresenceStatus, string][] = [
  ['online', 'Online'],
  ['away', 'Away'],
  ['busy', 'Busy'],
  ['offline', 'Offline'],
];

function DeskPage({ desk, signIn, onTheme }: { desk: Desk; signIn: SignIn; onTheme(): void }) {
  const unread = desk.lists.mine.rows.value.reduce((sum, card) => sum + card.unread, 0);
  const waiting = desk.lists.waiting.total.value;
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) Console` : 'Console';
  }, [unread]);
  return (
    <div class={desk.selected.value === null ? 'desk' : 'desk open'}>
      <header class="top">
        <Mark />
        <h1>Switchboard</h1>
        <p class="sr" role="status">
          {`${waiting} waiting`}
        </p>
        <span class="grow" />
        <label class={`presence ${desk.status.value ?? ''}`}>
          <span class="sr">Your status</span>
          <span class="lamp" aria-hidden="true" />
          <select
            value={desk.status.value ?? ''}
            disabled={desk.status.value === null}
            onChange={(event) => void desk.setStatus(event.currentTarget.value as PresenceStatus)}
          >
            {desk.status.value === null && <option value="">…</option>}
            {STATUSES.map(([status, name]) => (
              <option key={status} value={status}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="plain" aria-label="Switch light and dark" onClick={onTheme}>
          <Icon name="theme" />
        </button>
        <span class="me">
          <Avatar name={desk.me.name} />
          <span class="name">{desk.me.name}</span>
        </span>
        <button
          type="button"
          class="plain"
          aria-label="Sign out"
          onClick={() => {
            desk.close();
            signIn.signOut();
          }}
        >
          <Icon name="logout" />
        </button>
      </header>
      <div role="status">
        {desk.reconnecting.value && (
          <p class="bar">Reconnecting… What you write is sent when you are back.</p>
        )}
        {desk.signedOut.value && (
          <p class="bar">
            You were signed out.
            <button type="button" class="link" onClick={() => signIn.signOut()}>
              Sign in again
            </button>
          </p>
        )}
      </div>
      <main class="panes">
        <ListPane desk={desk} />
        <ConversationPane desk={desk} />
      </main>
      <div class="toasts" role="status">
        {desk.toasts.value.map((toast) => (
          <p key={toast.id} class={toast.bad ? 'toast bad' : 'toast'}>
            <span>{toast.text}</span>
            <button
              type="button"
              class="plain"
              aria-label="Dismiss"
              onClick={() => desk.dismiss(toast.id)}
            >
              <Icon name="close" />
            </button>
          </p>
        ))}
      </div>
    </div>
  );
}
