/** How the browser's tab shows the console: its title and its icon. */

import { type Signal, signal } from '@preact/signals-core';
import plain from '../ui/mark.svg';
import dotted from '../ui/mark-unread.svg';
import { SETTINGS } from './shell.ts';

/** The page as it names itself; `null` for one that has no name of its own. */
export const pageName: Signal<string | null> = signal(null);

/** The title, which says first how much is unread. */
export function titleOf(path: string, unread: number): string {
  const name = pageName.value ?? (path.startsWith(SETTINGS) ? 'Settings' : 'Inbox');
  return unread > 0 ? `(${unread}) ${name}` : name;
}

/** The icon, with a dot while something is unread. */
export function iconOf(unread: number): string {
  return unread > 0 ? dotted : plain;
}
