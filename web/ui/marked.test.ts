import { expect, test } from 'vitest';
import { pieces, wordsOf } from './marked.ts';

/** The text with what is marked in brackets. */
function shown(text: string, search: string): string {
  return pieces(text, wordsOf(search))
    .map(([piece, wanted]) => (wanted ? `[${piece}]` : piece))
    .join('');
}

test.each([
  ['Renée Müller', 'renee', '[Renée] Müller'],
  ['Renée Müller', 'MULL ren', '[Ren]ée [Müll]er'],
  ['Rene\u0301e', 'rene', '[Rene\u0301]e'],
  ['Straße nach Łódź', 'strasse lodz', '[Straße] nach [Łódź]'],
  ['Straße', 'stras', '[Straß]e'],
  ['أهلاً وسهلاً', 'اهلا', '[أهلاً] وسهلاً'],
  ['Visitor 12', '#12', 'Visitor [12]'],
  ['to be or not to be', 'to be', '[to] [be] or not [to] [be]'],
  ['banana', 'ana', 'b[anana]'],
  ['👋 hello', 'hello', '👋 [hello]'],
  ['hello', 'nobody', 'hello'],
  ['hello', ' ', 'hello'],
  ['', 'hello', ''],
])('in %j, %j marks %j', (text, search, marked) => {
  expect(shown(text, search)).toBe(marked);
});
