/** Parts of a page that are fetched when they are first shown. */

import { type Signal, signal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { useEffect } from 'preact/hooks';

type Part<Props> =
  | { state: 'asked' | 'failed' }
  | { state: 'there'; Component: ComponentType<Props> };

/** A component whose code comes by `load`. It says so when that fails, and tries again when asked. */
export function lazy<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): ((props: Props) => JSX.Element) & { prefetch(): void } {
  const part: Signal<Part<Props> | null> = signal(null);
  const fetchPart = () => {
    if (part.peek() !== null && part.peek()?.state !== 'failed') return;
    part.value = { state: 'asked' };
    load().then(
      (Component) => {
        part.value = { state: 'there', Component };
      },
      () => {
        part.value = { state: 'failed' };
      },
    );
  };
  const Lazy = (props: Props): JSX.Element => {
    useEffect(fetchPart, []);
    const now = part.value;
    if (now?.state === 'there') return <now.Component {...props} />;
    if (now?.state !== 'failed') return <Patience />;
    return (
      <div class="nothing" role="alert">
        <h2>This part could not be loaded</h2>
        <p>The connection may be down, or there is a newer version. Nothing you wrote is lost.</p>
        <p class="buttons">
          <button type="button" class="quiet" onClick={fetchPart}>
            Try again
          </button>
          <button type="button" class="primary" onClick={() => location.reload()}>
            Reload
          </button>
        </p>
      </div>
    );
  };
  return Object.assign(Lazy, { prefetch: fetchPart });
}

/** Grey lines where something will be; invisible for the first moment, so that speed stays calm. */
export function Patience({ rows = 3 }: { rows?: number }): JSX.Element {
  return (
    <div class="patience" role="status">
      <span class="sr">Loading…</span>
      {Array.from({ length: rows }, (_, idx) => (
        <span key={idx} class="bone" aria-hidden="true" />
      ))}
    </div>
  );
}
