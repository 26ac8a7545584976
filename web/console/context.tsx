/** Who the visitor is, where they are, and what was before. */

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Card } from '../client/frames.ts';
import { Glyph } from '../ui/icons.tsx';
import { Patience } from '../ui/lazy.tsx';
import { Avatar } from '../ui/parts.tsx';
import { dayName, duration, timeOfDay } from '../ui/time.ts';
import { quotable } from './api.ts';
import { StatusBadge, Verified } from './badges.tsx';
import { now } from './clock.ts';
import { type Context, deviceName, type Page, trail } from './contexts.ts';
import type { Desk } from './desk.ts';
import { narrow } from './layout.ts';
import { panel } from './panels.ts';
import { pathOf } from './shell.ts';
import { lastLine, visitorName } from './words.ts';

interface ContextPaneProps {
  desk: Desk;
  card: Card;
  onClose(): void;
}

export function ContextPane({ desk, card, onClose }: ContextPaneProps): JSX.Element {
  const loaded = desk.contexts.of(card.id).value;
  useEffect(() => {
    // What was kept is shown at once and brought up to date; what is just asked for is new anyway.
    if (desk.contexts.of(card.id).peek().state === 'ready') void desk.contexts.refresh(card.id);
  }, [card.id]);
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // Where it covers the conversation, it has the focus too.
    if (narrow.peek()) close.current?.focus();
  }, []);
  const context = loaded.state === 'ready' ? loaded.context : null;
  const contact = context?.contact;
  const verified = contact?.verified ?? card.visitor.verified ?? false;
  const email = contact?.email ?? card.visitor.email;
  return (
    <aside
      class="context"
      aria-label="Context"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !narrow.peek()) return;
        event.stopPropagation();
        onClose();
      }}
    >
      <header class="context-head">
        <Avatar name={visitorName(card)} large />
        <div class="grow">
          <h2>
            <bdi>{visitorName(card)}</bdi>
          </h2>
          <p class="soft">
            <Verified verified={verified} />
          </p>
        </div>
        <button
          ref={close}
          type="button"
          class="plain"
          aria-label="Close the context pane"
          onClick={onClose}
        >
          <Glyph name="close" />
        </button>
      </header>
      <Facts>
        {email && <Fact icon="mail" name="Email" text={email} />}
        {contact?.phone && <Fact icon="phone" name="Phone" text={contact.phone} />}
        {contact?.first_seen_at && (
          <Fact icon="clock" name="Known" text={when(contact.first_seen_at)} />
        )}
      </Facts>
      <Conversation desk={desk} card={card} />
      {loaded.state === 'loading' && <Patience rows={5} />}
      {loaded.state === 'failed' && (
        <div class="context-failed" role="alert">
          <p>{quotable('More about this visitor could not be loaded.', loaded.error)}</p>
          <button
            type="button"
            class="quiet slim"
            onClick={() => void desk.contexts.refresh(card.id)}
          >
            Try again
          </button>
        </div>
      )}
      {context !== null && <Around desk={desk} card={card} context={context} />}
    </aside>
  );
}

function Conversation({ desk, card }: { desk: Desk; card: Card }): JSX.Element {
  const department = desk.departments.value.find(({ id }) => id === card.department)?.name;
  const open = (name: 'tags' | 'priority' | 'department') => () => {
    panel.value = { name, conversations: [card.id] };
  };
  const ended = card.status === 'closed' || card.status === 'archived';
  return (
    <Part title="Conversation">
      <dl class="settings-of">
        <Setting name="Priority" onChange={ended ? null : open('priority')}>
          {card.priority ?? 'medium'}
        </Setting>
        {desk.departments.value.length > 0 && (
          <Setting name="Department" onChange={ended ? null : open('department')}>
            {department ?? card.department ?? 'None'}
          </Setting>
        )}
        <Setting name="Tags" onChange={card.status === 'archived' ? null : open('tags')}>
          {(card.tags ?? []).length === 0
            ? 'None'
            : (card.tags ?? []).map((tag) => (
                <span key={tag} class="badge tag">
                  {tag}
                </span>
              ))}
        </Setting>
        {card.rating !== null && (
          <Setting name="Rating" onChange={null}>
            {`${card.rating.score} of 5`}
          </Setting>
        )}
      </dl>
      {card.rating?.comment && <p class="quote">{card.rating.comment}</p>}
    </Part>
  );
}

interface SettingProps {
  name: string;
  /** `null` when it cannot be changed. */
  onChange: (() => void) | null;
  children: ComponentChildren;
}

function Setting({ name, onChange, children }: SettingProps): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {onChange === null ? (
          children
        ) : (
          <button type="button" class="setting" onClick={onChange} aria-label={`Change: ${name}`}>
            {children}
            <Glyph name="edit" />
          </button>
        )}
      </dd>
    </div>
  );
}

function Around({
  desk,
  card,
  context,
}: {
  desk: Desk;
  card: Card;
  context: Context;
}): JSX.Element {
  const pages = trail(context, desk.client.pages.value.get(card.id) ?? []);
  const { device, fields = {}, earlier = [] } = context;
  return (
    <>
      {pages.length > 0 && (
        <Part title="Pages">
          <ol class="trail">
            {pages.slice(0, 8).map((page, idx) => (
              <PageLine
                key={`${page.at} ${page.url} ${page.did}`}
                page={page}
                current={idx === 0}
              />
            ))}
          </ol>
          {context.referrer && <p class="soft small">{`Came from ${hostOf(context.referrer)}`}</p>}
        </Part>
      )}
      {Object.keys(fields).length > 0 && (
        <Part title="Answers">
          <dl class="answers">
            {Object.entries(fields).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd dir="auto">{value}</dd>
              </div>
            ))}
          </dl>
        </Part>
      )}
      {device != null && (device.user_agent || device.locale || device.address) && (
        <Part title="Device">
          <Facts>
            {device.user_agent && (
              <Fact icon="monitor" name="Browser" text={deviceName(device.user_agent)} />
            )}
            {device.locale && (
              <Fact icon="message" name="Language" text={language(device.locale)} />
            )}
            {device.address && (
              <Fact icon="globe" name="Network" text={`Address ${device.address}`} />
            )}
          </Facts>
        </Part>
      )}
      <Part
        title={`Earlier conversations${earlier.length > 0 ? ` (${context.earlier_total ?? earlier.length})` : ''}`}
      >
        {earlier.length === 0 ? (
          <p class="soft small">This is the first.</p>
        ) : (
          <ul class="earlier">
            {earlier.map((one) => (
              <li key={one.id}>
                <a href={pathOf(one.id)}>
                  <span class="earlier-line">
                    <StatusBadge card={one} />
                    <span class="soft small">{`${duration(now.value - Date.parse(one.last_at))}`}</span>
                  </span>
                  <span class="last">
                    <bdi>{lastLine(one)}</bdi>
                  </span>
                </a>
              </li>
            ))}
          </ul>
        )}
      </Part>
    </>
  );
}

function PageLine({ page, current }: { page: Page; current: boolean }): JSX.Element {
  const safe = /^https?:\/\//i.test(page.url);
  const text = page.did || page.title || page.url;
  return (
    <li class={`${current ? 'current' : ''}${page.did ? ' deed' : ''}`}>
      {page.did && <span class="sr">Did: </span>}
      {safe ? (
        <a
          href={page.url}
          target="_blank"
          rel="noopener noreferrer nofollow"
          title={page.url}
          dir="auto"
        >
          {text}
        </a>
      ) : (
        <span title={page.url} dir="auto">
          {text}
        </span>
      )}
      {page.at !== undefined && (
        <span class="soft small" dir="auto">
          {timeOfDay(Date.parse(page.at))}
        </span>
      )}
    </li>
  );
}

function Part({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="context-part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Facts({ children }: { children: ComponentChildren }): JSX.Element {
  return <ul class="facts">{children}</ul>;
}

type FactIcon = 'mail' | 'phone' | 'clock' | 'monitor' | 'globe' | 'message';

function Fact({ icon, name, text }: { icon: FactIcon; name: string; text: string }): JSX.Element {
  return (
    <li>
      <Glyph name={icon} />
      <span class="sr">{`${name}: `}</span>
      <bdi>{text}</bdi>
    </li>
  );
}

function when(at: string): string {
  const time = Date.parse(at);
  return `First seen: ${dayName(time, now.value)}`;
}

function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

function language(locale: string): string {
  try {
    return new Intl.DisplayNames(undefined, { type: 'language' }).of(locale) ?? locale;
  } catch {
    return locale;
  }
}
