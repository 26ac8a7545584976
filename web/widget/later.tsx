/** Parts of the widget that are fetched when they are first shown, because most visitors need none. */

import { type Signal, signal } from '@preact/signals-core';
import type { ComponentType, JSX } from 'preact';
import { backoffMs } from '../client/backoff.ts';
import { learn } from './words.ts';

let prepared: Promise<void> | null = null;

/** The words and styles that only later parts have: fetched with the first of them. */
function prepare(): Promise<void> {
  prepared ??= Promise.all([import('./later-words.ts'), import('./later-styles.ts')]).then(
    ([{ english }, { wear }]) => {
      learn(english);
      wear();
    },
  );
  return prepared.catch((error) => {
    prepared = null;
    throw error;
  });
}

/** A component whose code comes by `load`, which is tried until it does. Until then it is nothing. */
export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): (props: Props) => JSX.Element | null {
  const part: Signal<ComponentType<Props> | null> = signal(null);
  let tries = 0;
  const fetchPart = () => {
    Promise.all([load(), prepare()]).then(
      ([Part]) => {
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
