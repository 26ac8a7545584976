import { expect, test } from 'vitest';
import { companyWords } from './words.ts';

const who = (name: string, typing: boolean) => ({ agent: { id: name, name }, typing });

test.each([
  [[who('Ada', false)], 'Ada is viewing'],
  [[who('Ada', true)], 'Ada is typing'],
  [[who('Ada', false), who('Ben', false)], 'Ada, Ben are viewing'],
  [[who('Ada', false), who('Ben', true)], 'Ben is typing; Ada is viewing'],
])('who types comes before who only looks', (all, words) => {
  expect(companyWords(all)).toBe(words);
});
