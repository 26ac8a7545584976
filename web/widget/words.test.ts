import { beforeEach, expect, test } from 'vitest';
import type { QueueFrame } from '../client/frames.ts';
import ar from '../locales/ar.json';
import en from '../locales/en.json';
import { language, placeOf } from './words.ts';

beforeEach(() => {
  language.value = { code: 'en', words: en };
});

function place(position: number, eta_s?: QueueFrame['eta_s']): string {
  return placeOf({ type: 'queue', conversation: 'chat', position, ...(eta_s && { eta_s }) });
}

test.each<[QueueFrame['eta_s'], string]>([
  [undefined, 'Number 3 in line'],
  [null, 'Number 3 in line'],
  [[180, 300], 'Number 3 in line · about 3–5 min'],
  [[181, 300], 'Number 3 in line · about 4–5 min'],
  [[1, 59], 'Number 3 in line · about 1 min'],
  [[60, 61], 'Number 3 in line · about 1–2 min'],
])('the wait %j is told from the middle to the slow end, or not at all', (eta_s, words) => {
  expect(place(3, eta_s)).toBe(words);
});

test('numbers and ranges are written as the language does', () => {
  language.value = { code: 'ar-EG', words: ar };
  expect(place(3)).toBe('رقمك في الانتظار ٣');
  // From right to left, with the marks that keep the smaller number before the greater one.
  expect(place(3, [180, 300]).replace(/[\u200e\u200f\u061c]/g, '')).toBe(
    'رقمك في الانتظار ٣ · حوالي ٣–٥ دقيقة',
  );
});
