import { expect, test } from 'vitest';
import { begunAt, found, listIn, replaced } from './emoji.ts';
import { LIST } from './emoji-list.ts';

const list = listIn(LIST);

test.each([
  [':ta', { from: 0, code: 'ta' }],
  ['well done :tada', { from: 10, code: 'tada' }],
  ['(:Smile', { from: 1, code: 'smile' }],
  ['first\n:+1', { from: 6, code: '+1' }],
  [':-1', { from: 0, code: '-1' }],
])('%j is being written', (text, begun) => {
  expect(begunAt(text, text.length)).toEqual(begun);
});

test.each([
  '10:30',
  'at 10:30am',
  'http:',
  'http://shop.example',
  'see https://a.example:8443',
  ':)',
  ':-',
  ':-)',
  ':D',
  ': fern',
  'note:later',
  '::tada',
  'a:b:cd',
  ':10',
  ':tada:',
  '',
])('%j is left alone', (text) => {
  expect(begunAt(text, text.length)).toBe(null);
});

test('only what stands before the caret counts, and no word is cut in two', () => {
  expect(begunAt(':tada and more', 5)).toEqual({ from: 0, code: 'tada' });
  expect(begunAt(':tada', 3)).toBe(null);
  expect(begunAt(':tada', 0)).toBe(null);
});

test('the whole name first, then its beginning, then that of a later word', () => {
  const codes = (code: string) => found(list, code).map((emoji) => emoji.code);
  expect(codes('heart')[0]).toBe('heart');
  expect(codes('hear').slice(0, 2)).toEqual(['heart_eyes', 'heart_eyes_cat']);
  expect(codes('mark')).toContain('white_check_mark');
  expect(codes('zzzz')).toEqual([]);
  expect(codes('s').length).toBe(6);
});

test('a sign is offered once, whatever it is called', () => {
  expect(found(list, 'thumbsup').map(({ sign }) => sign)).toEqual(['👍']);
  const signs = found(list, 't').map(({ sign }) => sign);
  expect(new Set(signs).size).toBe(signs.length);
});

test('the sign takes the place of the code, and the caret goes on behind it', () => {
  const tada = { code: 'tada', sign: '🎉' };
  expect(replaced('so :ta', { from: 3, code: 'ta' }, tada)).toEqual({ text: 'so 🎉 ', caret: 6 });
  expect(replaced(':ta well', { from: 0, code: 'ta' }, tada)).toEqual({
    text: '🎉 well',
    caret: 2,
  });
});

test('the list is whole: each code once, of signs that can be written, with one emoji', () => {
  expect(list.length).toBeGreaterThan(390);
  expect(new Set(list.map(({ code }) => code)).size).toBe(list.length);
  const segments = new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (const { code, sign } of list) {
    expect(code).toMatch(/^[a-z0-9+-][a-z0-9_]*$/);
    expect([...segments.segment(sign)].length, code).toBe(1);
    expect(sign, code).toMatch(/\p{Emoji}/u);
  }
});
