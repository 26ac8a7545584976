/** The rail at the side of every page: places on top, the person at the bottom. */

import type { ComponentChildren, JSX } from 'preact';
import { Glyph, type GlyphName } from '../ui/icons.tsx';
import { withKeys } from '../ui/keys.tsx';
import { Menu } from '../ui/menu.tsx';
import { Avatar } from '../ui/parts.tsx';
import { timeAhead } from '../ui/time.ts';
import { now } from './clock.ts';
import { type Command, keyOf } from './commands.ts';
import { Countdown } from './countdown.tsx';
import type { Desk } from './desk.ts';
import { Mark } from './mark.tsx';
import { panel } from './panels.ts';
import { STATUSES, statusText } from './people.tsx';
import type { Prefs } from './prefs.ts';
import { quietUntil } from './quiet.ts';
import { INBOX, SETTINGS, type Shell } from './shell.ts';

interface FrameProps {
  shell: Shell;
  desk: Desk;
  commands: readonly Command[];
  children: ComponentChildren;
}

export function Frame({ shell, desk, commands, children }: FrameProps): JSX.Element {
  const path = shell.router.path.value;
  const settings = path.startsWith(SETTINGS);
  const open = !settings && desk.selected.value !== null;
  return (
    <div class={open ? 'frame open' : 'frame'}>
      <nav class="rail" aria-label="Places">
        <Mark />
        <Place
          href={INBOX}
          text="Inbox"
          icon="inbox"
          current={!settings}
          unread={desk.unread.value}
        />
        <Place
          href={`${SETTINGS}/preferences`}
          text="Settings"
          icon="settings"
          current={settings}
        />
        <span class="grow" />
        <Quiet prefs={shell.prefs} />
        <button
          type="button"
          class="place keys-button"
          aria-label="Keys"
          title={withKeys('Keys', keyOf(commands, 'Keys'))}
          onClick={() => {
            panel.value = { name: 'keys' };
          }}
        >
          <Glyph name="keyboard" />
        </button>
        <Person shell={shell} desk={desk} />
      </nav>
      <div class="page">
        <IdleWarning desk={desk} />
        <Bars shell={shell} desk={desk} />
        {children}
      </div>
    </div>
  );
}

interface PlaceProps {
  href: string;
  text: string;
  icon: GlyphName;
  current: boolean;
  unread?: number;
}

function Place({ href, text, icon, current, unread = 0 }: PlaceProps): JSX.Element {
  return (
    <a class="place" href={href} title={text} aria-current={current ? 'page' : undefined}>
      <Glyph name={icon} />
      <span class="place-text">{text}</span>
      {unread > 0 && (
        <span class="unread">
          {unread > 99 ? '99+' : unread}
          <span class="sr"> unread</span>
        </span>
      )}
    </a>
  );
}

/** Says that nothing rings now, and leads to where that is set. */
function Quiet({ prefs }: { prefs: Prefs }): JSX.Element | null {
  const end = quietUntil(prefs.quiet.value, new Date(now.value));
  if (end === null) return null;
  return (
    <Place
      href={`${SETTINGS}/preferences`}
      text={`Quiet hours until ${timeAhead(end.getTime(), now.value)}: no sounds, no notifications`}
      icon="moon"
      current={false}
    />
  );
}

function Person({ shell, desk }: { shell: Shell; desk: Desk }): JSX.Element {
  const status = desk.status.value;
  const said = status === null ? 'connecting' : statusText(status);
  return (
    <Menu
      class="person"
      label={`${desk.me.name}, ${said}`}
      groups={[
        STATUSES.map(([name, text]) => ({
          text,
          checked: name === status,
          onSelect: () => void desk.setStatus(name),
        })),
        [
          {
            text: 'Preferences',
            icon: 'settings',
            onSelect: () => shell.router.go(`${SETTINGS}/preferences`),
          },
          {
            text: 'Sign out',
            icon: 'logout',
            onSelect: () => {
              desk.leave();
              void shell.session.signOut().then((told) => {
                if (!told) shell.toasts.say('The server could not be told of it.', { bad: true });
              });
            },
          },
        ],
      ]}
    >
      <Avatar name={desk.me.name} src={shell.session.me.value?.avatar} />
      <span class={`lamp ${status ?? ''}`} aria-hidden="true" />
    </Menu>
  );
}

/** Any key and any movement takes it away: it needs no button. */
function IdleWarning({ desk }: { desk: Desk }): JSX.Element {
  const awayAt = desk.idle.warning.value;
  return (
    <div class="bars">
      <div role="alert">
        {awayAt !== null && (
          <p class="bar">
            Are you there? Touch a key or move the pointer, or you are set away in a minute.
            <Countdown until={awayAt} />
          </p>
        )}
      </div>
    </div>
  );
}

/** Thin lines about the state of the whole console. */
function Bars({ shell, desk }: { shell: Shell; desk: Desk }): JSX.Element {
  const { blocked } = shell.speaker;
  return (
    <div class="bars">
      <div role="status">
        {desk.offline.value === 'connecting' && <p class="bar">Connecting…</p>}
        {desk.offline.value === 'reconnecting' && (
          <p class="bar">Reconnecting… What you write is sent when you are back.</p>
        )}
        {shell.outdated.value && (
          <p class="bar calm">
            There is a new version.
            <button type="button" class="link" onClick={() => location.reload()}>
              Reload to update
            </button>
          </p>
        )}
        {blocked.value && (
          <p class="bar">
            The browser blocks sounds.
            <button type="button" class="link" onClick={() => void shell.speaker.unblock()}>
              Click to enable
            </button>
          </p>
        )}
      </div>
    </div>
  );
}
