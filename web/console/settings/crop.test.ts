import { expect, test } from 'vitest';
import { pushed, squareOf, WHOLE } from './crop.ts';

const WIDE = { width: 400, height: 200 };

test('at first it is the largest square in the middle', () => {
  expect(squareOf(WIDE, WHOLE)).toEqual({ x: 100, y: 0, side: 200 });
  expect(squareOf({ width: 200, height: 400 }, WHOLE)).toEqual({ x: 0, y: 100, side: 200 });
});

test('zoomed in it shows less, and no more than can be seen', () => {
  expect(squareOf(WIDE, { ...WHOLE, zoom: 2 })).toEqual({ x: 150, y: 50, side: 100 });
  expect(squareOf(WIDE, { ...WHOLE, zoom: 99 }).side).toBe(50);
  expect(squareOf(WIDE, { ...WHOLE, zoom: 0 }).side).toBe(200);
});

test('it never leaves the picture, however far it is pushed', () => {
  for (const [dx, dy] of [
    [9, 9],
    [-9, 0],
    [0.1, -0.3],
  ] as const) {
    for (const zoom of [1, 1.7, 4]) {
      const { x, y, side } = squareOf(WIDE, pushed(WIDE, { ...WHOLE, zoom }, dx, dy));
      expect(x).toBeGreaterThanOrEqual(0);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(x + side).toBeLessThanOrEqual(WIDE.width + 1e-9);
      expect(y + side).toBeLessThanOrEqual(WIDE.height + 1e-9);
    }
  }
});

test('a push at the edge is forgotten, so that pushing back moves at once', () => {
  const far = pushed(WIDE, WHOLE, 50, 0);
  expect(squareOf(WIDE, far).x).toBe(200);
  expect(squareOf(WIDE, pushed(WIDE, far, -0.1, 0)).x).toBe(180);
});
