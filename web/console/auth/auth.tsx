/** The pages for somebody who is not signed in: sign-in, set-up, invitation. */

import './auth.css';
import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Problem } from '../../client/http.ts';
import { Mark } from '../mark.tsx';
import type { DemoName, Session } from '../session.ts';
import { INBOX, SETTINGS, type Shell } from '../shell.ts';
import { Entry, Form, PASSWORD_MAX, PASSWORD_MIN, Password } from './form.tsx';
import { inWords } from './words.ts';

export function Auth({ shell }: { shell: Shell }): JSX.Element {
  const secret = shell.secret.value;
  /** The secret is used up, or the person turned away from it. */
  const leave = (to: string) => {
    shell.secret.value = null;
    shell.router.go(to, 'replace');
  };
  if (secret === null) return <SignInPage session={shell.session} />;
  const Next = secret.kind === 'setup' ? SetUp : Accept;
  return <Next shell={shell} token={secret.token} onLeave={leave} />;
}

function Page({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  const card = useRef<HTMLDivElement>(null);
  useEffect(() => {
    document.title = `${title} – Switchboard`;
    card.current?.querySelector<HTMLElement>('[data-focus]')?.focus();
  }, [title]);
  return (
    <main class="sign-in">
      <div class="card" ref={card}>
        <Mark />
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}

function SignInPage({ session }: { session: Session }): JSX.Element {
  const { demo, setup } = session.ways.value;
  if (setup && !demo) {
    return (
      <Page title="Almost there">
        <p class="soft">
          This server has no owner yet. It wrote a link into its log when it started; open that link
          to set it up. It looks like this:
        </p>
        <pre class="sample">{`${location.origin}/console#setup=…`}</pre>
        <p class="soft">The link works once. Each start of the server writes a new one.</p>
        <button type="button" class="quiet wide" onClick={() => void session.begin()}>
          I have set it up
        </button>
      </Page>
    );
  }
  return (
    <Page title="Sign in">
      {demo && <DemoDoors session={session} />}
      <SignInForm session={session} />
    </Page>
  );
}

function DemoDoors({ session }: { session: Session }): JSX.Element {
  const trouble = useSignal<string | null>(null);
  const signIn = async (as: DemoName) => {
    trouble.value = null;
    try {
      await session.signInDemo(as);
    } catch (error) {
      trouble.value = inWords(error);
    }
  };
  return (
    <>
      <p class="soft">
        This is a demo. Come in with one click; open a second tab to be both agents at once.
      </p>
      <button type="button" class="primary wide" onClick={() => void signIn('ada')}>
        Continue as Ada, an admin
      </button>
      <button type="button" class="quiet wide" onClick={() => void signIn('ben')}>
        Continue as Ben, an agent
      </button>
      <p role="alert" class="wrong">
        {trouble.value}
      </p>
      <p class="or" aria-hidden="true">
        or
      </p>
    </>
  );
}

interface SignInFormProps {
  session: Session;
  /** Who signs in again; otherwise the form asks. */
  email?: string;
}

export function SignInForm({ session, email: known }: SignInFormProps): JSX.Element {
  const email = useSignal(known ?? '');
  const password = useSignal('');
  const tenant = useSignal(session.me.peek()?.tenant.id ?? '');
  const elsewhere = useSignal(false);
  const submit = async () => {
    try {
      await session.signIn(email.value.trim(), password.value, tenant.value.trim());
      return null;
    } catch (error) {
      password.value = '';
      return signInTrouble(error);
    }
  };
  return (
    <Form
      action="Sign in"
      ready={email.value.trim() !== '' && password.value !== ''}
      onSubmit={submit}
    >
      <Entry label="Email" value={email} type="email" autocomplete="username" focus={!known} />
      <Password label="Password" value={password} fresh={false} />
      {elsewhere.value ? (
        <Entry
          label="Tenant"
          value={tenant}
          autocomplete="organization"
          hint="Its short name. Leave it as it is if nobody gave you one."
        />
      ) : (
        known === undefined && (
          <button
            type="button"
            class="link start"
            onClick={() => {
              elsewhere.value = true;
            }}
          >
            Sign in to another tenant
          </button>
        )
      )}
    </Form>
  );
}

function signInTrouble(error: unknown): string {
  if (error instanceof Problem && error.code === 'bad_credentials') {
    return 'Email and password do not belong together. An administrator can send you a link for a new password.';
  }
  return inWords(error);
}

interface SecretProps {
  shell: Shell;
  token: string;
  onLeave(to: string): void;
}

function SetUp({ shell, token, onLeave }: SecretProps): JSX.Element {
  const name = useSignal('');
  const email = useSignal('');
  const password = useSignal('');
  const over = useSignal(false);
  const submit = async () => {
    try {
      await shell.session.setUp(token, name.value.trim(), email.value.trim(), password.value);
      onLeave(SETTINGS);
      return null;
    } catch (error) {
      over.value = isOver(error);
      return secretTrouble(error, 'Start the server again: its log then shows a new one.');
    }
  };
  return (
    <Page title="Set up Switchboard">
      <p class="soft">You will be the owner: you may change everything, and invite the others.</p>
      <Form
        action="Set up"
        ready={isPassword(password.value) && name.value.trim() !== '' && email.value.trim() !== ''}
        onSubmit={submit}
      >
        <Entry label="Your name" value={name} autocomplete="name" focus />
        <Entry label="Email" value={email} type="email" autocomplete="username" />
        <Password label="Password" value={password} fresh />
      </Form>
      {over.value && <TurnAway onLeave={onLeave} />}
    </Page>
  );
}

function Accept({ shell, token, onLeave }: SecretProps): JSX.Element {
  const name = useSignal('');
  const password = useSignal('');
  const over = useSignal(false);
  const submit = async () => {
    try {
      await shell.session.accept(token, password.value, name.value.trim());
      onLeave(INBOX);
      return null;
    } catch (error) {
      over.value = isOver(error);
      return secretTrouble(error, 'Ask your administrator for a new one.');
    }
  };
  return (
    <Page title="Welcome">
      <p class="soft">Choose a password, and you are in. You stay signed in in this browser.</p>
      <Form action="Continue" ready={isPassword(password.value)} onSubmit={submit}>
        <Password label="New password" value={password} fresh />
        <div class="field">
          <label for="accept-name">Your name, if it should be another</label>
          <input
            id="accept-name"
            autocomplete="name"
            dir="auto"
            value={name.value}
            onInput={(event) => {
              name.value = event.currentTarget.value;
            }}
          />
        </div>
      </Form>
      {over.value && <TurnAway onLeave={onLeave} />}
    </Page>
  );
}

function TurnAway({ onLeave }: { onLeave(to: string): void }): JSX.Element {
  return (
    <button type="button" class="quiet wide" onClick={() => onLeave(INBOX)}>
      Go to sign-in
    </button>
  );
}

function isPassword(text: string): boolean {
  const length = [...text].length;
  return length >= PASSWORD_MIN && length <= PASSWORD_MAX;
}

/** Whether the link can never work again. */
function isOver(error: unknown): boolean {
  return error instanceof Problem && [401, 404, 409, 410].includes(error.status);
}

function secretTrouble(error: unknown, way: string): string {
  return isOver(error) ? `This link was used already, or it is too old. ${way}` : inWords(error);
}
