import { expect, test } from 'vitest';
import { Finder } from './finder.ts';

function make(): Finder {
  const finder = new Finder();
  finder.addPanel('colors', 'Colors');
  finder.add({ words: 'Colors Scheme As the visitor has it', panel: 'colors' });
  finder.add({ words: 'Colors Accent Launcher and header', panel: 'colors' });
  finder.addPanel('password', 'Password Changing it signs you out');
  return finder;
}

test('every word must be there, in any order, without regard to case and accents', () => {
  const finder = make();
  for (const [text, fits] of [
    ['', true],
    ['ACCENT', true],
    ['header accent', true],
    ['áccent', true],
    ['accent footer', false],
  ] as const) {
    finder.text.value = text;
    expect(finder.fits('Colors Accent Launcher and header'), text).toBe(fits);
  }
});

test('a panel is there for its own words and for a setting in it', () => {
  const finder = make();
  const shown = () => [
    finder.shows('colors', 'Colors'),
    finder.shows('password', 'Password Changing it signs you out'),
  ];
  expect([finder.looks, shown()]).toEqual([false, [true, true]]);
  finder.text.value = 'scheme';
  expect([finder.looks, shown()]).toEqual([true, [true, false]]);
  finder.text.value = 'signs';
  expect(shown()).toEqual([false, true]);
});

test('a panel without settings counts as one, and what is gone counts no more', () => {
  const finder = make();
  const end = finder.add({ words: 'Notice', panel: null });
  const counts = () => [finder.found.value, finder.total.value];
  expect(counts()).toEqual([4, 4]);
  finder.text.value = 'colors';
  expect(counts()).toEqual([2, 4]);
  end();
  expect(counts()).toEqual([2, 3]);
});
