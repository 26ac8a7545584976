import { expect, test } from 'vitest';
import { afterClose, backoffMs } from './backoff.ts';

test('waits grow twofold from half a second to thirty, and jitter covers all of it', () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 7, 100].map((attempt) =>
    backoffMs(attempt, () => 0.999999),
  );
  expect(longest).toEqual([499, 999, 1999, 3999, 7999, 15999, 29999, 29999, 29999]);
  expect(backoffMs(9, () => 0)).toBe(0);
});

test('close codes say whether to come back', () => {
  const cases: [number, string][] = [
    [1000, 'resume'],
    [1006, 'resume'],
    [1009, 'resume'],
    [4000, 'resume'],
    [4008, 'resume'],
    [4099, 'resume'],
    [4100, 'afresh'],
    [4199, 'afresh'],
    [4200, 'resume'],
    [4499, 'resume'],
    [4500, 'stop'],
    [4501, 'stop'],
    [4999, 'stop'],
  ];
  for (const [code, then] of cases) expect([code, afterClose(code)]).toEqual([code, then]);
});
