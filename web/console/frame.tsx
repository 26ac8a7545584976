/** The rail at the side of every page: places on top, the person at the bottom. */

import type { ComponentChildren, JSX } from 'preact';
import type { PresenceStatus } from '../client/frames.ts';
import { Glyph, type GlyphName } from '../ui/icons.tsx';
import { Menu } from '../ui/menu.tsx';
import { Avatar } from '../ui/parts.tsx';
import { Mark } from './mark.tsx';
import type { Desk } from './model.ts';
import { INBOX, SETTINGS, type Shell } from './shell.ts';

export const STATUSES: [PresenceStatus, string][] = [
  ['online', 'Online'],
  ['away', 'Away'],
  ['busy', 'Busy'],
  ['offline', 'Offline'],
];

interface FrameProps {
  shell: Shell;
  desk: Desk;
  children: ComponentChildren;
}

export function Frame({ shell, desk, children }: FrameProps): JSX.Element {
  const path = shell.router.path.value;
  const settings = path.startsWith(SETTINGS);
  const open = !settings && desk.selected.value !== null;
  return (
    <div class={open ? 'frame open' : 'frame'}>
      <nav class="rail" aria-label="Places">
        <Mark />
        <Place href={INBOX} text="Inbox" icon="inbox" current={!settings} />
        <Place
          href={`${SETTINGS}/preferences`}
          text="Settings"
          icon="settings"
          current={settings}
        />
        <span class="grow" />
        <Person shell={shell} desk={desk} />
      </nav>
      {children}
    </div>
  );
}

interface PlaceProps {
  href: string;
  text: string;
  icon: GlyphName;
  current: boolean;
}

function Place({ href, text, icon, current }: PlaceProps): JSX.Element {
  return (
    <a class="place" href={href} title={text} aria-current={current ? 'page' : undefined}>
      <Glyph name={icon} />
      <span class="place-text">{text}</span>
    </a>
  );
}

function Person({ shell, desk }: { shell: Shell; desk: Desk }): JSX.Element {
  const status = desk.status.value;
  const said = STATUSES.find(([name]) => name === status)?.[1] ?? 'connecting';
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
            onSelect: () => void shell.session.signOut(),
          },
        ],
      ]}
    >
      <Avatar name={desk.me.name} />
      <span class={`lamp ${status ?? ''}`} aria-hidden="true" />
    </Menu>
  );
}
