/** The pages for somebody who is not signed in. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Refusal } from '../api.ts';
import { Mark } from '../mark.tsx';
import type { DemoName } from '../session.ts';
import type { Shell } from '../shell.ts';

export function Auth({ shell }: { shell: Shell }): JSX.Element {
  const trouble = useSignal<string | null>(null);
  const signIn = async (as: DemoName) => {
    trouble.value = null;
    try {
      await shell.session.signInDemo(as);
    } catch (error) {
      const missing = error instanceof Refusal && error.status === 404;
      trouble.value = missing
        ? 'This server has no demo sign-in. It is there when the server is started with --demo.'
        : 'The server did not answer. Please try again.';
    }
  };
  return (
    <main class="sign-in">
      <div class="card">
        <Mark />
        <h1>Agent console</h1>
        <p>Sign in to try Switchboard. Open a second tab to be both agents at once.</p>
        <button type="button" class="primary wide" onClick={() => void signIn('ada')}>
          Continue as Ada, an admin
        </button>
        <button type="button" class="quiet wide" onClick={() => void signIn('ben')}>
          Continue as Ben, an agent
        </button>
        <p role="alert" class="broken">
          {trouble.value}
        </p>
      </div>
    </main>
  );
}
