/** The settings: their pages by path, and who may open which. */

import './settings.css';
import type { ComponentType, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { GlyphName } from '../../ui/icons.tsx';
import { Glyph } from '../../ui/icons.tsx';
import { lazy } from '../../ui/lazy.tsx';
import type { Command } from '../commands.ts';
import type { Role } from '../session.ts';
import { SETTINGS, type Shell } from '../shell.ts';
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

export interface SettingsPage {
  /** The first part of the address after `settings`. */
  name: string;
  title: string;
  icon: GlyphName;
  /** Who may open it; everybody else does not see it. */
  may(shell: Shell): boolean;
  Page: ComponentType<PageProps>;
}

const atLeast = (role: Role) => (shell: Shell) => shell.session.may(role);
const everybody = () => true;
/** Tenants are kept by those who own the first of them. */
const ofDefault = (shell: Shell) =>
  shell.session.may('owner') && shell.session.me.value?.tenant.id === 'default';

const PAGES: readonly SettingsPage[] = [
  { name: '', title: 'First steps', icon: 'flag', may: atLeast('admin'), Page: Start },
  { name: 'people', title: 'People', icon: 'users', may: atLeast('admin'), Page: People },
  {
    name: 'departments',
    title: 'Departments',
    icon: 'building',
    may: atLeast('admin'),
    Page: Departments,
  },
  { name: 'widgets', title: 'Widgets', icon: 'message', may: atLeast('admin'), Page: Widgets },
  { name: 'keys', title: 'API keys', icon: 'key', may: atLeast('admin'), Page: Keys },
  { name: 'tenants', title: 'Tenants', icon: 'globe', may: ofDefault, Page: Tenants },
  { name: 'profile', title: 'Your profile', icon: 'user', may: everybody, Page: Profile },
  {
    name: 'preferences',
    title: 'Preferences',
    icon: 'settings',
    may: everybody,
    Page: Preferences,
  },
];

export function Settings({ shell, commands }: Omit<PageProps, 'id'>): JSX.Element {
  const [name = '', ...rest] = shell.router.path.value.slice(SETTINGS.length + 1).split('/');
  const id = rest.length === 0 || rest[0] === '' ? null : decodeURIComponent(rest.join('/'));
  const pages = PAGES.filter(({ may }) => may(shell));
  const page = pages.find((candidate) => candidate.name === name);
  const forbidden = page === undefined && PAGES.some((candidate) => candidate.name === name);
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    main.current?.scrollTo(0, 0);
  }, [name, id]);
  return (
    <div class="settings">
      <nav class="settings-nav" aria-label="Settings">
        <h1>Settings</h1>
        <ul>
          {pages.map((one) => (
            <li key={one.name}>
              <a
                href={one.name === '' ? SETTINGS : `${SETTINGS}/${one.name}`}
                aria-current={one === page ? 'page' : undefined}
              >
                <Glyph name={one.icon} />
                {one.title}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main class="settings-page" ref={main}>
        {page === undefined ? (
          <Nothing
            icon={forbidden ? 'lock' : 'search'}
            title={forbidden ? 'This is not for your role' : 'There is no such page'}
          >
            {forbidden
              ? 'An administrator or owner can open it.'
              : 'Choose one of the settings to go on.'}
          </Nothing>
        ) : (
          <page.Page key={`${name}/${id ?? ''}`} shell={shell} commands={commands} id={id} />
        )}
      </main>
    </div>
  );
}
