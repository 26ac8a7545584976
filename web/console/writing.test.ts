import { expect, test } from 'vitest';
import { FakeClock } from '../test/fake/ports.ts';
import { WRITING_MS, Writing } from './writing.ts';

test('who writes writes until a while after the last letter', async () => {
  const clock = new FakeClock();
  const writing = new Writing(clock);
  expect(writing.now.value).toBe(false);
  for (let letter = 0; letter < 3; letter += 1) {
    writing.wrote();
    await clock.pass(WRITING_MS - 1);
    expect(writing.now.value).toBe(true);
  }
  await clock.pass(1);
  expect(writing.now.value).toBe(false);
});

test('who leaves the field has done', () => {
  const writing = new Writing(new FakeClock());
  writing.wrote();
  writing.done();
  expect(writing.now.value).toBe(false);
});
