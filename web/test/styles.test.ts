/** All styles of the console end up in one document, whichever page brought them. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const WEB = join(import.meta.dirname, '..');

/** The classes that a folder's styles say something of wherever they stand. */
function classesOf(folder: string): Set<string> {
  const files = readdirSync(join(WEB, folder)).filter((name) => name.endsWith('.css'));
  const texts = files.map((name) => readFileSync(join(WEB, folder, name), 'utf8'));
  const selectors = texts
    .flatMap((text) => [...text.replace(/\/\*[\s\S]*?\*\//g, '').matchAll(/([^{};]+)\{/g)])
    .flatMap(([, list = '']) => list.split(','));
  return new Set(selectors.map((one) => one.trim()).filter((one) => /^\.[\w-]+$/.test(one)));
}

test('what the settings bring changes nothing of what was there before', () => {
  const first = new Set(['console', 'ui'].flatMap((folder) => [...classesOf(folder)]));
  const later = [...classesOf('console/settings')];
  expect(first.size).toBeGreaterThan(100);
  expect(later.length).toBeGreaterThan(40);
  expect(later.filter((name) => first.has(name))).toEqual([]);
});
