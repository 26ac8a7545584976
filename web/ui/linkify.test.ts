import { expect, test } from 'vitest';
import { randomFrom } from '../test/fake/ports.ts';
import { linkify } from './linkify.ts';

test('only http and https become links, without what ends the sentence', () => {
  const cases: [string, string[]][] = [
    ['see https://shop.example/a?b=c#d.', ['https://shop.example/a?b=c#d']],
    ['(http://a.example)', ['http://a.example/']],
    ['javascript:alert(1) data:text/html,x ftp://a.example', []],
    ['JAVASCRIPT:alert(1)//https://a.example', ['https://a.example/']],
    ['https:// https://', []],
    ['no links here', []],
  ];
  for (const [text, hrefs] of cases) {
    const found = linkify(text).flatMap(({ href }) => (href === null ? [] : [href]));
    expect([text, found]).toEqual([text, hrefs]);
  }
});

test('whatever comes in, the text stays the same and no other scheme becomes a link', () => {
  const pieces = [
    'https://',
    'http://',
    'javascript:',
    'a.example',
    '/',
    '"',
    '<',
    '>',
    ' ',
    '.',
    '%',
    '@',
    ':',
    '\n',
    '🌱',
    'x',
  ];
  for (let seed = 1; seed <= 500; seed += 1) {
    const random = randomFrom(seed);
    const text = Array.from(
      { length: 12 },
      () => pieces[Math.floor(random() * pieces.length)],
    ).join('');
    const parts = linkify(text);
    expect(parts.map((part) => part.text).join(''), `seed ${seed}`).toBe(text);
    for (const { href } of parts)
      expect(href ?? 'https://', `seed ${seed}`).toMatch(/^https?:\/\//);
  }
});
