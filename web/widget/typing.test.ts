import { expect, test } from 'vitest';
import { FakeClock } from '../test/fake/ports.ts';
import { Typing } from './typing.ts';

function makeTyping() {
  const clock = new FakeClock();
  const told: string[] = [];
  const typing = new Typing(clock, (text) => void told.push(text));
  return { clock, told, typing };
}

test('it is told seldom, and what was typed just before a pause is told too', async () => {
  const { clock, told, typing } = makeTyping();
  typing.typed('a');
  await clock.pass(1_000);
  typing.typed('ab');
  await clock.pass(500);
  typing.typed('abc');
  await clock.pass(1_400);
  expect(told).toEqual(['a']);
  await clock.pass(200);
  expect(told.slice(1)).toEqual(['abc']);
  typing.typed('abcd');
  await clock.pass(20_000);
  expect(told.slice(2)).toEqual(['abcd', '']);
});

test('what is typed without a pause is told again and again', async () => {
  const { clock, told, typing } = makeTyping();
  for (let n = 1; n <= 20; n += 1) {
    typing.typed('x'.repeat(n));
    await clock.pass(500);
  }
  expect(told.map((text) => text.length)).toEqual([1, 6, 12, 18]);
});

test('it is over after a pause, and at once when nothing is left', async () => {
  const { clock, told, typing } = makeTyping();
  typing.typed('a');
  await clock.pass(2_900);
  expect(told).toHaveLength(1);
  await clock.pass(200);
  expect(told.at(-1)).toBe('');
  typing.typed('b');
  typing.typed('');
  await clock.pass(10_000);
  expect(told.slice(2)).toEqual(['b', '']);
});

test('nothing is told of an end that had no beginning', async () => {
  const { clock, told, typing } = makeTyping();
  typing.typed('');
  await clock.pass(10_000);
  expect(told).toEqual([]);
});
