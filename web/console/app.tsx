/** The console: which page an address is. */

import { computed, type ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { browserClock } from '../client/browser.ts';
import { Hotkeys } from '../ui/hotkeys.ts';
import { lazy, Patience } from '../ui/lazy.tsx';
import { saveFile } from '../ui/save.ts';
import { Splitter } from '../ui/splitter.tsx';
import { ToastStack } from '../ui/toasts.tsx';
import { type Command, commandsOf, type KeyCommand } from './commands.ts';
import { ContextPane } from './context.tsx';
import type { Desk } from './desk.ts';
import { Frame } from './frame.tsx';
import { contextShown, showContext, toggleContext } from './layout.ts';
import { ListPane } from './list.tsx';
import { focusOn, panel } from './panels.ts';
import { Panels } from './panels.tsx';
import { SETTINGS, type Shell } from './shell.ts';
import { TalkPane } from './talk.tsx';

const Auth = lazy(async () => (await import('./auth/auth.tsx')).Auth);
const SignInAgain = lazy(async () => (await import('./auth/again.tsx')).SignInAgain);
const Settings = lazy(async () => (await import('./settings/settings.tsx')).Settings);

/** Widths between which a pane can be moved. */
const LIST = { min: 280, max: 560 };
const CONTEXT = { min: 240, max: 480 };

interface AppProps {
  shell: Shell;
  desk: ReadonlySignal<Desk | null>;
}

export function App({ shell, desk }: AppProps): JSX.Element {
  return (
    <>
      <Page shell={shell} desk={desk} />
      {shell.session.state.value === 'expired' && <SignInAgain shell={shell} />}
      <ToastStack toasts={shell.toasts} />
    </>
  );
}

function Page({ shell, desk }: AppProps): JSX.Element {
  const { session } = shell;
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
  return <Work key={desk.value.me.id} shell={shell} desk={desk.value} />;
}

function Work({ shell, desk }: { shell: Shell; desk: Desk }): JSX.Element {
  const commands = useMemo(
    () =>
      commandsOf({
        shell,
        desk,
        focus: focusOn,
        row: () => rowAtHand() ?? desk.selected.peek(),
        toggleContext: () => toggleContext(shell.prefs),
        save: saveFile,
        open: (next) => {
          panel.value = next;
        },
      }),
    [],
  );
  useKeys(shell, commands);
  const inSettings = shell.router.path.value.startsWith(SETTINGS);
  return (
    <Frame shell={shell} desk={desk} commands={commands}>
      {inSettings ? (
        <Settings shell={shell} commands={commands} />
      ) : (
        <Inbox shell={shell} desk={desk} commands={commands} />
      )}
      <Panels shell={shell} desk={desk} commands={commands} />
    </Frame>
  );
}

interface InboxProps {
  shell: Shell;
  desk: Desk;
  commands: readonly Command[];
}

function Inbox({ shell, desk, commands }: InboxProps): JSX.Element {
  const { prefs } = shell;
  const card = desk.card;
  const context = contextShown(prefs).value;
  return (
    <main
      class={card !== null && context ? 'panes with-context' : 'panes'}
      style={{ '--list': `${prefs.listPx.value}px`, '--context': `${prefs.contextPx.value}px` }}
    >
      <h1 class="sr">Inbox</h1>
      <ListPane desk={desk} prefs={prefs} commands={commands} />
      <Splitter
        label="Width of the list"
        px={prefs.listPx.value}
        min={LIST.min}
        max={LIST.max}
        pane="before"
        onResize={(px) => {
          prefs.listPx.value = px;
        }}
      />
      <TalkPane desk={desk} prefs={prefs} commands={commands} />
      {card !== null && context && (
        <>
          <Splitter
            label="Width of the context pane"
            px={prefs.contextPx.value}
            min={CONTEXT.min}
            max={CONTEXT.max}
            pane="after"
            onResize={(px) => {
              prefs.contextPx.value = px;
            }}
          />
          <ContextPane
            key={card.id}
            desk={desk}
            card={card}
            onClose={() => {
              showContext(prefs, false);
              focusOn('heading');
            }}
          />
        </>
      )}
    </main>
  );
}

/** Keys go to commands unless something is open above the page. */
function useKeys(shell: Shell, commands: readonly KeyCommand[]): void {
  useEffect(() => {
    const bindings = computed(() =>
      commands.flatMap(({ keys, pressed, applies }) =>
        keys.map((one) => ({ keys: one, run: pressed, when: applies })),
      ),
    );
    const hotkeys = new Hotkeys(browserClock, () => bindings.value);
    const press = (event: KeyboardEvent) => {
      hotkeys.singles = shell.prefs.singleKeys.peek();
      if (event.defaultPrevented || isCovered()) return;
      if (hotkeys.press(event, isWriting(event.target))) event.preventDefault();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [commands]);
}

/** The conversation whose row has the focus. */
function rowAtHand(): string | null {
  return document.activeElement?.closest<HTMLElement>('[data-row]')?.dataset.row ?? null;
}

function isCovered(): boolean {
  return document.querySelector('dialog[open], [popover]:popover-open') !== null;
}

function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
