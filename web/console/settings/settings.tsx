/** The settings: their pages by path. */

import './settings.css';
import type { ComponentType, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { GlyphName } from '../../ui/icons.tsx';
import { Glyph } from '../../ui/icons.tsx';
import { lazy } from '../../ui/lazy.tsx';
import type { Command } from '../commands.ts';
import { pathOfSettings, SETTINGS_PAGES, type SettingsName } from '../settings-pages.ts';
import { SETTINGS, type Shell } from '../shell.ts';
import { Audit } from './audit.tsx';
import { Departments } from './departments.tsx';
import { Keys } from './keys.tsx';
import { Nothing } from './parts.tsx';
import { People } from './people.tsx';
import { Preferences } from './preferences.tsx';
import { Profile } from './profile.tsx';
import { Start } from './start.tsx';
import { Tenants } from './tenants.tsx';

const Widgets = lazy(async () => (await import('./widgets.tsx')).Widgets);

export interface PageProps {
  shell: Shell;
  commands: readonly Command[];
  /** What of the page: the part of the address after its name. */
  id: string | null;
}

interface Shown {
  icon: GlyphName;
  Page: ComponentType<PageProps>;
}

const SHOWN: Record<SettingsName, Shown> = {
  '': { icon: 'flag', Page: Start },
  people: { icon: 'users', Page: People },
  departments: { icon: 'building', Page: Departments },
  widgets: { icon: 'message', Page: Widgets },
  keys: { icon: 'key', Page: Keys },
  tenants: { icon: 'globe', Page: Tenants },
  audit: { icon: 'clock', Page: Audit },
  profile: { icon: 'user', Page: Profile },
  preferences: { icon: 'settings', Page: Preferences },
};

export function Settings({ shell, commands }: Omit<PageProps, 'id'>): JSX.Element {
  const [name = '', ...rest] = shell.router.path.value.slice(SETTINGS.length + 1).split('/');
  const id = rest.length === 0 || rest[0] === '' ? null : decodeURIComponent(rest.join('/'));
  const pages = SETTINGS_PAGES.filter(({ may }) => may(shell));
  const page = pages.find((candidate) => candidate.name === name);
  const forbidden =
    page === undefined && SETTINGS_PAGES.some((candidate) => candidate.name === name);
  const Page = page && SHOWN[page.name].Page;
  const main = useRef<HTMLElement>(null);
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    main.current?.scrollTo(0, 0);
    // On a narrow screen the pages are a row that goes on beyond its edge.
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ inline: 'center' });
  }, [name, id]);
  return (
    <div class="settings">
      <nav class="settings-nav" aria-label="Settings" ref={nav}>
        <h1>Settings</h1>
        <ul>
          {pages.map((one) => (
            <li key={one.name}>
              <a href={pathOfSettings(one.name)} aria-current={one === page ? 'page' : undefined}>
                <Glyph name={SHOWN[one.name].icon} />
                {one.title}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main class="settings-page" ref={main}>
        {Page === undefined ? (
          <Nothing
            icon={forbidden ? 'lock' : 'search'}
            title={forbidden ? 'This is not for your role' : 'There is no such page'}
          >
            {forbidden ? 'Ask an owner if you need it.' : 'Choose one of the settings to go on.'}
          </Nothing>
        ) : (
          <Page key={`${name}/${id ?? ''}`} shell={shell} commands={commands} id={id} />
        )}
      </main>
    </div>
  );
}
