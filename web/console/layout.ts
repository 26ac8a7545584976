/** Whether there is room for the context pane beside the conversation, and whether it is shown. */

import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { Prefs } from './prefs.ts';

/** As in `frame.css`. */
const NARROW = '(max-width: 1199px)';

const query = typeof matchMedia === 'function' ? matchMedia(NARROW) : null;
const isNarrow = signal(query?.matches ?? false);
query?.addEventListener('change', (event) => {
  isNarrow.value = event.matches;
});
/** Where it covers the conversation it is open only when just asked for. */
const covering = signal(false);

export const narrow: ReadonlySignal<boolean> = isNarrow;

export function contextShown(prefs: Prefs): ReadonlySignal<boolean> {
  return computed(() => (isNarrow.value ? covering.value : prefs.context.value));
}

export function showContext(prefs: Prefs, on: boolean): void {
  if (isNarrow.peek()) covering.value = on;
  else prefs.context.value = on;
}

export function toggleContext(prefs: Prefs): void {
  showContext(prefs, !contextShown(prefs).peek());
}
