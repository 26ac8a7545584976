/** The first steps of a new administrator, and how far they are. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { Glyph } from '../../ui/icons.tsx';
import { inWords } from '../auth/words.ts';
import type { Session } from '../session.ts';
import type { Agent } from './agent.ts';
import { everyPage } from './collection.ts';
import { Loaded, PageHead } from './parts.tsx';
import type { PageProps } from './settings.tsx';
import type { Widget } from './widget.ts';

const LOOK_AGAIN_MS = 4_000;

export interface Progress {
  widget: Widget | null;
  embedded: boolean;
  answered: boolean;
  people: number;
}

interface Card {
  status: string;
  agent: object | null;
}

/** What of the first steps is done, as far as the server can tell. */
export async function progressOf(session: Session): Promise<Progress> {
  const [widgets, conversations, people] = await Promise.all([
    everyPage<Widget>(session, '/v1/widgets'),
    session.ask<{ items: Card[] }>('GET', '/v1/conversations?limit=50'),
    everyPage<Agent>(session, '/v1/agents'),
  ]);
  const { items } = conversations.body;
  const ours = widgets.filter(({ settings }) => settings.allowed_origins.length > 0);
  return {
    widget: ours[0] ?? widgets[0] ?? null,
    embedded: ours.length > 0 && items.length > 0,
    answered: items.some(({ agent }) => agent !== null),
    people: people.length,
  };
}

interface Step {
  done: boolean;
  title: string;
  text: string;
  href: string;
  action: string;
}

export function stepsOf({ widget, embedded, answered, people }: Progress): Step[] {
  const designer = widget === null ? 'new' : widget.id;
  return [
    {
      done: true,
      title: 'Set up',
      text: 'You have an account, and you may change everything.',
      href: '/console/settings/profile',
      action: 'Your profile',
    },
    {
      done: widget !== null,
      title: 'Make a widget',
      text: 'The chat that your visitors see: its words, colors and hours.',
      href: `/console/settings/widgets${widget === null ? '' : `/${designer}`}`,
      action: widget === null ? 'Make a widget' : 'Change it',
    },
    {
      done: embedded,
      title: 'Put it on your site',
      text: 'Name the site, copy one line of HTML, open the page and say hello.',
      href: `/console/settings/widgets${widget === null ? '' : `/${designer}`}`,
      action: 'Show the line',
    },
    {
      done: answered,
      title: 'Answer the first conversation',
      text: 'It appears in the inbox as soon as somebody writes.',
      href: '/console',
      action: 'Open the inbox',
    },
    {
      done: people > 1,
      title: 'Invite your colleagues',
      text: 'Each gets a link, chooses a password, and answers with you.',
      href: '/console/settings/people',
      action: 'Add people',
    },
  ];
}

export function Start({ shell }: PageProps): JSX.Element {
  const progress = useSignal<Progress | null>(null);
  const trouble = useSignal<string | null>(null);
  const load = async () => {
    try {
      progress.value = await progressOf(shell.session);
      trouble.value = null;
    } catch (error) {
      if (progress.peek() === null) trouble.value = inWords(error);
    }
  };
  useEffect(() => {
    void load();
    // Lists are a moment behind, and steps are done on other pages too.
    const again = setInterval(() => document.hidden || void load(), LOOK_AGAIN_MS);
    return () => clearInterval(again);
  }, []);
  const state = trouble.value !== null ? 'failed' : progress.value === null ? 'loading' : 'ready';
  const steps = progress.value === null ? [] : stepsOf(progress.value);
  const next = steps.find(({ done }) => !done);
  const done = steps.filter((step) => step.done).length;
  return (
    <>
      <PageHead
        title={next === undefined ? 'All set' : 'First steps'}
        text={
          next === undefined
            ? 'Everything that a live chat needs is there.'
            : 'From an empty server to the first answer.'
        }
      />
      <Loaded state={state} refusal={null} trouble={trouble.value} onRetry={() => void load()}>
        <div class="panel steps">
          <p class="soft small">{`${done} of ${steps.length} done`}</p>
          <ol>
            {steps.map((step) => (
              <li key={step.title} class={step === next ? 'step next' : 'step'}>
                <span class={step.done ? 'step-mark done' : 'step-mark'} aria-hidden="true">
                  {step.done && <Glyph name="check" />}
                </span>
                <div class="grow">
                  <h3>
                    {step.title}
                    <span class="sr">{step.done ? ' (done)' : ' (to do)'}</span>
                  </h3>
                  <p class="soft small">{step.text}</p>
                </div>
                <a class={step === next ? 'primary' : 'quiet'} href={step.href}>
                  {step.action}
                </a>
              </li>
            ))}
          </ol>
        </div>
      </Loaded>
    </>
  );
}
