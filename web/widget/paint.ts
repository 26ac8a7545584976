/**
 * Draws a view whenever a signal that it read has changed. The whole view is one reader, so a part
 * that skips drawing must not read signals itself: what it shows comes by its props.
 */

import { effect } from '@preact/signals-core';
import { type ComponentChild, render } from 'preact';

export function paint(view: () => ComponentChild, root: Element): void {
  let drawn = false;
  const stop = effect(() => {
    if (!drawn) {
      drawn = true;
      render(view(), root);
    } else {
      // This run reads nothing, so that any number of changes makes one more drawing.
      queueMicrotask(() => {
        stop();
        paint(view, root);
      });
    }
  });
}
