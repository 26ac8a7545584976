/** Parts of the widget that are fetched when they are first shown, because most visitors need none. */

import { type Signal, signal } from '@preact/signals-core';
import type { ComponentType, JSX } from 'preact';
import { backoffMs } from '../client/backoff.ts';

/** A component whose code comes by `load`, which is tried until it does. Until then it is nothing. */
export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): (props: Props) => JSX.Element | null {
  const part: Signal<ComponentType<Props> | null> = signal(null);
  let tries = 0;
  const fetchPart = () => {
    load().then(
      (Part) => {
        part.value = Part;
      },
      () => setTimeout(fetchPart, backoffMs(2 + tries++, Math.random)),
    );
  };
  return (props) => {
    const Part = part.value;
    if (Part !== null) return <Part {...props} />;
    if (tries === 0) {
      tries = 1;
      fetchPart();
    }
    return null;
  };
}
