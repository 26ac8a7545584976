import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Days, type QuietHours, quietUntil, USUAL_QUIET } from './quiet.ts';

const zone = process.env.TZ;
beforeAll(() => {
  process.env.TZ = 'Europe/Berlin';
});
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const WORKDAYS: Days = [false, true, true, true, true, true, false];

/** The end in words of the clock on the wall; `null` when it is not quiet. */
function until(changes: Partial<QuietHours>, now: string): string | null {
  const end = quietUntil({ ...USUAL_QUIET, on: true, ...changes }, new Date(now));
  if (end === null) return null;
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${end.getFullYear()}-${two(end.getMonth() + 1)}-${two(end.getDate())}`;
  return `${day}T${two(end.getHours())}:${two(end.getMinutes())}`;
}

// 2 November 2026 is a Monday.
test.each([
  ['before', '2026-11-02T19:59', null],
  ['from the minute on', '2026-11-02T20:00', '2026-11-03T08:00'],
  ['past midnight', '2026-11-03T07:59', '2026-11-03T08:00'],
  ['to the minute', '2026-11-03T08:00', null],
])('at night: %s', (_, now, end) => {
  expect(until({}, now)).toBe(end);
});

test.each([
  ['during', '2026-11-02T12:30', '2026-11-02T13:00'],
  ['after', '2026-11-02T13:00', null],
])('at noon: %s', (_, now, end) => {
  expect(until({ from: '12:00', to: '13:00' }, now)).toBe(end);
});

test('a night belongs to the day on which it begins', () => {
  const hours = { days: WORKDAYS };
  expect(until(hours, '2026-11-06T23:00')).toBe('2026-11-07T08:00');
  expect(until(hours, '2026-11-07T07:00')).toBe('2026-11-07T08:00');
  expect(until(hours, '2026-11-07T23:00')).toBe(null);
  expect(until(hours, '2026-11-09T07:00')).toBe(null);
});

test('the same time twice is a whole day, and days that touch are one', () => {
  const weekend: Days = [true, false, false, false, false, false, true];
  const hours = { from: '00:00', to: '00:00', days: weekend };
  expect(until(hours, '2026-11-07T15:00')).toBe('2026-11-09T00:00');
  expect(until(hours, '2026-11-09T00:00')).toBe(null);
});

test('the clock on the wall counts when it is changed', () => {
  // In Berlin the clocks go back at 3:00 on 25 October 2026, and forth at 2:00 on 29 March.
  const hours: QuietHours = { ...USUAL_QUIET, on: true };
  const autumn = quietUntil(hours, new Date('2026-10-24T20:00'));
  expect((autumn?.getTime() ?? 0) - new Date('2026-10-24T20:00').getTime()).toBe(13 * 3_600_000);
  expect(until({}, '2026-03-28T23:00')).toBe('2026-03-29T08:00');
});

test.each([
  { on: false },
  { from: '24:00' },
  { to: '' },
  { days: [false, false, false, false, false, false, false] as Days },
])('none: %j', (changes) => {
  expect(until(changes, '2026-11-02T23:00')).toBe(null);
});
