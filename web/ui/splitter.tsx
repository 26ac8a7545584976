/** The edge between two panes, moved by pointer or arrow keys. */

import type { JSX } from 'preact';

interface SplitterProps {
  label: string;
  /** Width of the pane it belongs to. */
  px: number;
  min: number;
  max: number;
  /** The pane is before the splitter or after it, in reading direction. */
  pane: 'before' | 'after';
  onResize(px: number): void;
}

const STEP_PX = 16;

export function Splitter({ label, px, min, max, pane, onResize }: SplitterProps): JSX.Element {
  const set = (to: number) => onResize(Math.round(Math.max(min, Math.min(max, to))));
  const sign = (element: Element) => {
    const rtl = getComputedStyle(element).direction === 'rtl';
    return (pane === 'before') === rtl ? -1 : 1;
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a separator that can be moved is no hr.
    <div
      class="splitter"
      role="separator"
      aria-label={label}
      aria-orientation="vertical"
      aria-valuenow={px}
      aria-valuemin={min}
      aria-valuemax={max}
      tabIndex={0}
      onKeyDown={(event) => {
        const steps: Record<string, number> = { ArrowLeft: -STEP_PX, ArrowRight: STEP_PX };
        const step = steps[event.key];
        if (step === undefined) return;
        event.preventDefault();
        set(px + step * sign(event.currentTarget));
      }}
      onPointerDown={(event) => {
        const element = event.currentTarget;
        const from = event.clientX;
        const way = sign(element);
        element.setPointerCapture(event.pointerId);
        element.onpointermove = (move) => set(px + (move.clientX - from) * way);
        element.onpointerup = () => {
          element.onpointermove = null;
        };
      }}
    />
  );
}
