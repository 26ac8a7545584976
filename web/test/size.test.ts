/** Budgets of what a browser loads, over the built pages. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const DIST = join(import.meta.dirname, '../dist');

/** Bytes over the wire, gzipped: the file itself, or a page with the script and styles it names. */
function gzipped(name: string): number {
  const size = (path: string) => readFileSync(join(DIST, `${path}.gz`)).length;
  if (!name.endsWith('.html')) return size(name);
  const html = readFileSync(join(DIST, name), 'utf8');
  const named = [...html.matchAll(/\/(assets\/[^"]+\.(?:js|css))"/g)].map(
    (match) => match[1] ?? '',
  );
  expect(named.length).toBeGreaterThan(0);
  return [name, ...named].reduce((sum, path) => sum + size(path), 0);
}

test.each([
  ['loader.js', 3],
  ['widget.html', 25],
  ['console.html', 90],
])('%s is at most %i KB', (name, kilobytes) => {
  expect(gzipped(name)).toBeLessThanOrEqual(kilobytes * 1_024);
});

test('nothing but the pages names assets, so the sums above are the whole', () => {
  const scripts = readdirSync(join(DIST, 'assets')).filter((name) => name.endsWith('.js'));
  for (const name of scripts) {
    expect(readFileSync(join(DIST, 'assets', name), 'utf8')).not.toMatch(/["'`]\.?\/?assets\//);
  }
});

test('no page can write HTML', () => {
  const scripts = readdirSync(join(DIST, 'assets')).filter((name) => name.endsWith('.js'));
  for (const name of [...scripts.map((script) => join('assets', script)), 'loader.js']) {
    const script = readFileSync(join(DIST, name), 'utf8');
    expect(script.match(/\beval\(|new Function|document\.write|insertAdjacentHTML/)).toBeNull();
    // Preact names the property in its support for dangerouslySetInnerHTML, which nobody uses.
    expect(script).not.toMatch(/dangerouslySetInnerHTML:/);
  }
});
