/** A list of rows of one height, of which only those in sight are in the document. */

import { useSignal } from '@preact/signals';
import type { JSX, Ref } from 'preact';
import { useImperativeHandle, useLayoutEffect, useRef } from 'preact/hooks';

/** Rows kept ready above and below those in sight. */
const SPARE = 6;

export interface Span {
  first: number;
  /** One after the last. */
  end: number;
}

/** The rows to have in the document. Pure. */
export function spanOf(count: number, rowPx: number, scrollPx: number, viewPx: number): Span {
  const top = Math.max(0, Math.floor(scrollPx / rowPx) - SPARE);
  const shown = Math.ceil(viewPx / rowPx) + 2 * SPARE;
  const first = Math.max(0, Math.min(top, count - shown));
  return { first, end: Math.min(count, first + shown) };
}

export interface VirtualHandle {
  /** Brings a row into sight if it is not. */
  reveal(idx: number): void;
  toTop(): void;
}

interface VirtualListProps {
  label: string;
  /** Keys of all rows, in order. */
  keys: readonly string[];
  rowPx: number;
  handle?: Ref<VirtualHandle>;
  /** How far it is scrolled at first. */
  fromPx?: number;
  onScrolled?(px: number): void;
  /** The end of what there is has come near. */
  onNearEnd?(): void;
  /** The row for a key; its place is for `aria-posinset`. */
  row(key: string, idx: number): JSX.Element;
}

export function VirtualList(props: VirtualListProps): JSX.Element {
  const { label, keys, rowPx, row, onNearEnd } = props;
  const box = useRef<HTMLDivElement>(null);
  const scrollPx = useSignal(0);
  const viewPx = useSignal(800);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const measure = () => {
      viewPx.value = element.clientHeight;
    };
    measure();
    element.scrollTop = props.fromPx ?? 0;
    scrollPx.value = element.scrollTop;
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useImperativeHandle(
    props.handle ?? null,
    () => ({
      reveal(idx) {
        const element = box.current;
        if (element === null) return;
        const top = idx * rowPx;
        if (top < element.scrollTop) element.scrollTop = top;
        else if (top + rowPx > element.scrollTop + element.clientHeight) {
          element.scrollTop = top + rowPx - element.clientHeight;
        }
        scrollPx.value = element.scrollTop;
      },
      toTop() {
        if (box.current !== null) box.current.scrollTop = 0;
      },
    }),
    [rowPx],
  );
  const { first, end } = spanOf(keys.length, rowPx, scrollPx.value, viewPx.value);
  return (
    <div
      ref={box}
      class="virtual"
      onScroll={(event) => {
        const element = event.currentTarget;
        props.onScrolled?.(element.scrollTop);
        // A row's height at a time is often enough, and saves most of the work.
        const rows = Math.floor(element.scrollTop / rowPx) * rowPx;
        if (rows !== scrollPx.peek()) scrollPx.value = rows;
        const left = element.scrollHeight - element.scrollTop - element.clientHeight;
        if (left < 10 * rowPx) onNearEnd?.();
      }}
    >
      <ul
        aria-label={label}
        style={{ blockSize: `${keys.length * rowPx}px`, paddingBlockStart: `${first * rowPx}px` }}
      >
        {keys.slice(first, end).map((key, idx) => row(key, first + idx))}
      </ul>
    </div>
  );
}
