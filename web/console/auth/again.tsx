/** Over what the person was doing: signing in again, without losing it. */

import './auth.css';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Dialog } from '../../ui/dialog.tsx';
import type { Session } from '../session.ts';
import type { Shell } from '../shell.ts';
import { SignInForm } from './auth.tsx';
import { inWords } from './words.ts';

export function SignInAgain({ shell }: { shell: Shell }): JSX.Element {
  const { session } = shell;
  const me = session.me.value;
  return (
    // It cannot be closed: nothing behind it works until somebody is signed in.
    <Dialog title="Your sign-in has ended" onClose={() => {}}>
      <p class="soft">Sign in again to go on. What you wrote is still here.</p>
      {me?.via === 'token' ? (
        <DemoAgain session={session} />
      ) : (
        <SignInForm session={session} {...(me?.email ? { email: me.email } : {})} />
      )}
      <button type="button" class="ghost" onClick={() => void session.signOut()}>
        Sign in as somebody else
      </button>
    </Dialog>
  );
}

function DemoAgain({ session }: { session: Session }): JSX.Element {
  const trouble = useSignal<string | null>(null);
  const name = session.me.value?.principal.name ?? 'Ada';
  const again = async () => {
    try {
      await session.signInDemo(name === 'Ben' ? 'ben' : 'ada');
    } catch (error) {
      trouble.value = inWords(error);
    }
  };
  return (
    <>
      <button type="button" class="primary wide" data-focus onClick={() => void again()}>
        Continue as {name}
      </button>
      <p role="alert" class="wrong">
        {trouble.value}
      </p>
    </>
  );
}
