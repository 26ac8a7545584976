import { expect, test } from 'vitest';
import { FakeClock } from '../test/fake/ports.ts';
import { Typing } from './typing.ts';

function makeTyping() {
  const clock = new FakeClock();
  const told: [boolean, string][] = [];
  const typing = new Typing(clock, (on, text) => void told.push([on, text]));
  return { clock, told, typing };
}

test('it is told seldom, with what stands there then', async () => {
  const { clock, told, typing } = makeTyping();
  typing.typed('a');
  await clock.pass(2_000);
  typing.typed('ab');
  await clock.pass(2_000);
  typing.typed('abc');
  expect(told).toEqual([
    [true, 'a'],
    [true, 'abc'],
  ]);
});

test('it is over after a pause, and at once when nothing is left', async () => {
  const { clock, told, typing } = makeTyping();
  typing.typed('a');
  await clock.pass(3_900);
  expect(told).toHaveLength(1);
  await clock.pass(200);
  expect(told.at(-1)).toEqual([false, '']);
  typing.typed('b');
  typing.typed('');
  await clock.pass(10_000);
  expect(told.slice(2)).toEqual([
    [true, 'b'],
    [false, ''],
  ]);
});

test('nothing is told of an end that had no beginning', async () => {
  const { clock, told, typing } = makeTyping();
  typing.typed('');
  await clock.pass(10_000);
  expect(told).toEqual([]);
});
