import { expect, test } from 'vitest';
import { details, shortly } from './changes.ts';
import type { Question } from './widget.ts';

const NAME: Question = { name: 'name', label: 'Your name', kind: 'text', required: false };
const ORDER: Question = { name: 'order', label: 'Order number', kind: 'text', required: true };
const SIZE: Question = {
  name: 'size',
  label: 'Size',
  kind: 'choice',
  required: false,
  choices: ['S', 'M'],
};

const asked = (...fields: Question[]) => ({ fields });
const lines = (what: string, from: unknown, to: unknown) =>
  details(what, from, to).map((one) => `${one.what}: ${one.from} → ${one.to}`);

test('of questions it is said which came, went, changed and moved', () => {
  for (const [from, to, said] of [
    [asked(NAME), asked(NAME), []],
    [
      asked(NAME),
      asked(NAME, ORDER),
      ['Questions: Order number: nothing → kind text, required on'],
    ],
    [
      asked(NAME, SIZE),
      asked(NAME),
      ['Questions: Size: kind choice, required off, choices S, M → nothing'],
    ],
    [
      asked(NAME, ORDER),
      asked({ ...NAME, required: true }, ORDER),
      ['Questions: Your name: required: off → on'],
    ],
    [
      asked(SIZE),
      asked({ ...SIZE, choices: ['S', 'M', 'L'] }),
      ['Questions: Size: choices: S, M → S, M, L'],
    ],
    [
      asked(NAME, ORDER),
      asked(ORDER, NAME),
      ['Questions: order: Your name, Order number → Order number, Your name'],
    ],
    [
      asked({ ...NAME, label: '' }),
      asked({ ...NAME, label: 'Who are you?' }),
      ['Questions: name: label: nothing → Who are you?'],
    ],
  ] as const) {
    expect(lines('Questions', from, to)).toEqual(said);
  }
});

test('of a look and of hours only what differs is said', () => {
  expect(
    lines('Look', { side: 'right', accent: '#000000' }, { side: 'left', accent: '#000000' }),
  ).toEqual(['Look: side: right → left']);
  const hours = (to: string) => ({
    timezone: 'UTC',
    days: { mon: [{ from: '09:00', to }], tue: [{ from: '09:00', to: '17:00' }] },
    holidays: [],
  });
  expect(lines('Hours', hours('17:00'), hours('18:00'))).toEqual([
    'Hours: days: mon: from 09:00, to 17:00 → from 09:00, to 18:00',
  ]);
  expect(lines('Hours', undefined, { ...hours('17:00'), holidays: ['2026-12-24'] })).toEqual([
    'Hours: nothing → timezone UTC, holidays 2026-12-24',
  ]);
});

test('a value in a few words', () => {
  for (const [value, said] of [
    ['', 'nothing'],
    [null, 'nothing'],
    [true, 'on'],
    [[], 'none'],
    [['a', 'b'], 'a, b'],
    [[NAME, ORDER], 'Your name, Order number'],
    [7, '7'],
  ] as const) {
    expect(shortly(value)).toBe(said);
  }
});
