/** Budgets of what a browser loads, over the built pages. */

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';

const DIST = join(import.meta.dirname, '../dist');
const ASSETS = readdirSync(join(DIST, 'assets')).filter((name) => /\.(js|css)$/.test(name));

/** Bytes over the wire, gzipped. */
function size(path: string): number {
  return readFileSync(join(DIST, `${path}.gz`)).length;
}

/** What a file names that a browser fetches. */
function named(path: string): string[] {
  const text = readFileSync(join(DIST, path), 'utf8');
  return ASSETS.filter((name) => text.includes(name)).map((name) => join('assets', name));
}

/** A page with everything that it loads before it can be used. */
function firstLoad(page: string): string[] {
  const found = new Set([page]);
  for (const path of named(page)) {
    found.add(path);
    for (const other of imported(path)) found.add(other);
  }
  return [...found];
}

/** Scripts that a script cannot start without, and theirs. */
function imported(path: string, seen = new Set<string>()): Set<string> {
  const text = readFileSync(join(DIST, path), 'utf8');
  for (const name of ASSETS) {
    const other = join('assets', name);
    const statically = new RegExp(`(?:from|import)\\s*["']\\./${name.replaceAll('.', '\\.')}["']`);
    if (seen.has(other) || !statically.test(text)) continue;
    seen.add(other);
    imported(other, seen);
  }
  return seen;
}

function sum(paths: Iterable<string>): number {
  return [...paths].reduce((total, path) => total + size(path), 0);
}

test.each([
  ['loader.js', 3],
  ['widget.html', 25],
  ['chat.html', 26],
  ['console.html', 90],
])('%s is at most %i KB', (name, kilobytes) => {
  const paths = name.endsWith('.html') ? firstLoad(name) : [name];
  if (name.endsWith('.html')) expect(paths.length).toBeGreaterThan(1);
  expect(sum(paths)).toBeLessThanOrEqual(kilobytes * 1_024);
});

test('each language that is not English is at most 2 KB', () => {
  const languages = readdirSync(join(import.meta.dirname, '../locales'))
    .map((name) => name.replace('.json', ''))
    .filter((name) => name !== 'en');
  const files = readdirSync(join(DIST, 'assets')).filter((name) => name.endsWith('.json'));
  expect(files.map((name) => name.split('-')[0])).toEqual(languages);
  for (const name of files) expect(size(join('assets', name))).toBeLessThanOrEqual(2 * 1_024);
});

test('each later part of the console is at most 40 KB with all it needs', () => {
  const first = new Set(['chat', 'console', 'widget'].flatMap((page) => firstLoad(`${page}.html`)));
  const demo = new Set(named('demo.html'));
  const later = ASSETS.map((name) => join('assets', name)).filter(
    (path) => path.endsWith('.js') && !first.has(path) && !demo.has(path),
  );
  expect(later.length).toBeGreaterThan(0);
  for (const path of later) {
    // Styles come along with scripts of the same name.
    const styles = ASSETS.map((name) => join('assets', name)).filter(
      (other) => other.endsWith('.css') && stem(other) === stem(path) && !first.has(other),
    );
    const needs = [...imported(path)].filter((other) => !first.has(other));
    expect(sum(new Set([path, ...styles, ...needs])), path).toBeLessThanOrEqual(40 * 1_024);
  }
});

/** The name of an asset without its hash. */
function stem(path: string): string {
  return path.replace(/-[\w-]{8}\.(js|css)$/, '');
}

/** What a script fetches when it is first needed, and what that fetches. */
function laterParts(script: string, seen = new Set<string>()): Set<string> {
  const text = readFileSync(join(DIST, script), 'utf8');
  for (const match of text.matchAll(/\bimport\(\s*["'`]\.\/([\w-]+\.js)["'`]/g)) {
    const path = join('assets', match[1] ?? '');
    if (seen.has(path)) continue;
    seen.add(path);
    laterParts(path, seen);
  }
  return seen;
}

test.each(['chat', 'widget'])('%s is one script, and later parts of at most 1 KB', (page) => {
  const [script = '', ...others] = firstLoad(`${page}.html`).filter((path) => path.endsWith('.js'));
  expect(others).toEqual([]);
  const paths = laterParts(script);
  const names = [...paths].map((path) => stem(basename(path)));
  expect(names.sort()).toEqual([
    'chime',
    'download',
    'ended',
    'forms',
    'full',
    'later-styles',
    'later-words',
    'menu',
    'reach',
  ]);
  for (const path of paths) {
    expect(size(path), path).toBeLessThanOrEqual(1_024);
    expect([...imported(path)].filter((other) => other !== script)).toEqual([]);
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
