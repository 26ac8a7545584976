/** What is open above the pages, and where the focus is wanted. */

import { type Signal, signal } from '@preact/signals-core';

/** About one conversation or more. */
export interface ManyPanel {
  name: 'tags' | 'priority' | 'department';
  conversations: readonly string[];
}

export type Panel =
  | { name: 'palette' | 'keys' | 'new-chat' | 'save-filter' }
  /** About one conversation. */
  | { name: 'transfer' | 'assign'; conversation: string }
  | ManyPanel;

/** Elements that commands put the focus on, by their `data-place`. */
export type Place = 'composer' | 'search' | 'list' | 'heading';

export const panel: Signal<Panel | null> = signal(null);

/** Focuses a place that is there. */
export function focusNow(place: Place): void {
  document.querySelector<HTMLElement>(`[data-place="${place}"]`)?.focus();
}

/**
 * Focuses a place as soon as it is drawn, which is before the next key: whoever types on at once
 * writes into it.
 */
export function focusOn(place: Place): void {
  void Promise.resolve()
    .then(() => Promise.resolve())
    .then(() => focusNow(place));
}
