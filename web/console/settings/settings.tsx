/** The settings: their pages by path, and who may open which. */

import type { ComponentType, JSX } from 'preact';
import type { GlyphName } from '../../ui/icons.tsx';
import { Glyph } from '../../ui/icons.tsx';
import type { Role } from '../session.ts';
import { SETTINGS, type Shell } from '../shell.ts';
import { Preferences } from './preferences.tsx';

export interface SettingsPage {
  /** The last part of the address. */
  name: string;
  title: string;
  icon: GlyphName;
  /** Who may open it; everybody else does not see it. */
  role: Role;
  Page: ComponentType<{ shell: Shell }>;
}

const PAGES: readonly SettingsPage[] = [
  { name: 'preferences', title: 'Preferences', icon: 'settings', role: 'agent', Page: Preferences },
];

export function Settings({ shell }: { shell: Shell }): JSX.Element {
  const pages = PAGES.filter(({ role }) => shell.session.may(role));
  const name = shell.router.path.value.slice(SETTINGS.length + 1);
  const page = pages.find((candidate) => candidate.name === name);
  return (
    <div class="settings">
      <nav class="settings-nav" aria-label="Settings">
        <h1>Settings</h1>
        <ul>
          {pages.map((one) => (
            <li key={one.name}>
              <a href={`${SETTINGS}/${one.name}`} aria-current={one === page ? 'page' : undefined}>
                <Glyph name={one.icon} />
                {one.title}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <main class="settings-page" key={name}>
        {page === undefined ? (
          <div class="nothing">
            <h2>There is no such page</h2>
            <p>It does not exist, or it is not for your role.</p>
          </div>
        ) : (
          <page.Page shell={shell} />
        )}
      </main>
    </div>
  );
}
