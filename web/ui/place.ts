/** Puts something that floats beside what opened it, inside the window. */

const GAP = 6;
const MARGIN = 8;

export type Side = 'start' | 'end';

/** Below the anchor, or above it where there is more room; aligned at its start or its end. */
export function place(anchor: Element, floating: HTMLElement, align: Side): void {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = floating;
  const rtl = getComputedStyle(anchor).direction === 'rtl';
  const fromLeft = (align === 'start') !== rtl;
  const left = fromLeft ? at.left : at.right - width;
  const below = at.bottom + GAP;
  const fits = below + height + MARGIN <= innerHeight;
  const top = fits || at.top < innerHeight - at.bottom ? below : at.top - GAP - height;
  const within = (from: number, size: number, room: number) =>
    Math.max(MARGIN, Math.min(from, room - size - MARGIN));
  floating.style.setProperty('left', `${within(left, width, innerWidth)}px`);
  floating.style.setProperty('top', `${within(top, height, innerHeight)}px`);
}
