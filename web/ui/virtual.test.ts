import { expect, test } from 'vitest';
import { spanOf } from './virtual.tsx';

test.each([
  [0, 0, 600, { first: 0, end: 0 }],
  [5, 0, 600, { first: 0, end: 5 }],
  [10_000, 0, 600, { first: 0, end: 24 }],
  [10_000, 5_000, 600, { first: 94, end: 118 }],
  [10_000, 500_000, 600, { first: 9_976, end: 10_000 }],
  // The list has become shorter than the place it was scrolled to.
  [3, 5_000, 600, { first: 0, end: 3 }],
])('of %i rows, scrolled by %i in a window of %i', (count, scrollPx, viewPx, span) => {
  expect(spanOf(count, 50, scrollPx, viewPx)).toEqual(span);
});

test('what is in sight is always in the span', () => {
  for (let scrollPx = 0; scrollPx <= 100 * 50 - 600; scrollPx += 7) {
    const { first, end } = spanOf(100, 50, scrollPx, 600);
    expect(first * 50).toBeLessThanOrEqual(scrollPx);
    expect(end * 50).toBeGreaterThanOrEqual(scrollPx + 600);
    expect(end - first).toBeLessThanOrEqual(60);
  }
});
