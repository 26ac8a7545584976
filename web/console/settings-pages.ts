/** The pages of the settings: their names, and who may open which. What they show is with them. */

import type { Role } from './session.ts';
import { SETTINGS, type Shell } from './shell.ts';

export interface SettingsPage {
  /** The first part of the address after `settings`. */
  name: string;
  title: string;
  /** Who may open it; everybody else does not see it. */
  may(shell: Shell): boolean;
}

const atLeast = (role: Role) => (shell: Shell) => shell.session.may(role);
const everybody = () => true;
/** Tenants are kept by those who own the first of them. */
const ofDefault = (shell: Shell) =>
  shell.session.may('owner') && shell.session.me.value?.tenant.id === 'default';

export const SETTINGS_PAGES = [
  { name: '', title: 'First steps', may: atLeast('admin') },
  { name: 'people', title: 'People', may: atLeast('admin') },
  { name: 'departments', title: 'Departments', may: atLeast('admin') },
  { name: 'widgets', title: 'Widgets', may: atLeast('admin') },
  { name: 'keys', title: 'API keys', may: atLeast('admin') },
  { name: 'tenants', title: 'Tenants', may: ofDefault },
  { name: 'audit', title: 'Audit log', may: atLeast('admin') },
  { name: 'profile', title: 'Your profile', may: everybody },
  { name: 'preferences', title: 'Preferences', may: everybody },
] as const satisfies readonly SettingsPage[];

export type SettingsName = (typeof SETTINGS_PAGES)[number]['name'];

export function pathOfSettings(name: SettingsName): string {
  return name === '' ? SETTINGS : `${SETTINGS}/${name}`;
}
