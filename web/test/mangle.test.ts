/** Names that are shortened must be nobody else's. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import en from '../locales/en.json';
import { names } from '../mangle.ts';

const WEB = join(import.meta.dirname, '..');
/** The compiler comes as a package for each machine. */
const TYPES = join(WEB, 'node_modules/@typescript');
const LIBRARY = readdirSync(TYPES, { recursive: true, encoding: 'utf8' }).filter((name) =>
  /lib\.(dom|es\d+).*\.d\.ts$/.test(name),
);

/** The part of a file that says what goes over a wire. */
function wire(file: string): string {
  const [types = ''] = readFileSync(join(WEB, file), 'utf8').split(/^export interface .*Options/m);
  return types;
}

/** Every name that a browser's objects and the language have, as the compiler knows them. */
function namesOfBrowsers(): Set<string> {
  const found = new Set<string>();
  for (const file of LIBRARY) {
    const text = readFileSync(join(TYPES, file), 'utf8');
    for (const match of text.matchAll(/^\s+(?:readonly |get |set )?(\w+)\??[(:<]/gm)) {
      found.add(match[1] ?? '');
    }
  }
  return found;
}

test('no shortened name is one of the browser', () => {
  const taken = namesOfBrowsers();
  expect(taken.has('ports') && taken.has('postMessage') && taken.has('scrollTop')).toBe(true);
  expect(names.filter((name) => taken.has(name))).toEqual([]);
});

test.each(['client/frames.ts', 'widget/bridge.ts', 'widget/settings.ts'])(
  'no shortened name is a property in %s',
  (file) => {
    const properties = [...wire(file).matchAll(/^\s+(\w+)\??:/gm)];
    const taken = new Set(properties.map((match) => match[1]));
    expect(taken.size).toBeGreaterThan(5);
    expect(names.filter((name) => taken.has(name))).toEqual([]);
  },
);

test('no shortened name is stored or looked up by a text', () => {
  const stored =
    'id secret conversation n kind text ifHead at tried code next entries contact fields';
  const taken = new Set([...stored.split(' '), ...Object.keys(en)]);
  expect(names.filter((name) => taken.has(name))).toEqual([]);
});

/** The keys of the records that the pages for visitors ask by a text. */
function keysOfRecords(folder: string): string[] {
  const files = readdirSync(join(WEB, folder)).filter((name) => /(?<!\.test)\.tsx?$/.test(name));
  return files.flatMap((name) => {
    const text = readFileSync(join(WEB, folder, name), 'utf8');
    const records = [...text.matchAll(/\bRecord<.*> = \{\n([\s\S]*?)\n\};/g)];
    return records.flatMap(([, body = '']) =>
      [...body.matchAll(/^ {2}(\w+):/gm)].map(([, key = '']) => key),
    );
  });
}

test('no shortened name is a key of a record', () => {
  const keys = ['client', 'loader', 'ui', 'widget'].flatMap(keysOfRecords);
  expect(keys).toEqual(expect.arrayContaining(['late', 'delivered', 'closed', 'waiting']));
  expect(names.filter((name) => keys.includes(name))).toEqual([]);
});

test('no shortened name is what a later part hands over', () => {
  const files = readdirSync(join(WEB, 'widget')).filter((name) => /(?<!\.test)\.tsx?$/.test(name));
  const texts = files.map((name) => readFileSync(join(WEB, 'widget', name), 'utf8'));
  const later = texts.flatMap((text) => [...text.matchAll(/import\('\.\/([\w.-]+)'\)/g)]);
  const handed = later.flatMap(([, file = '']) => {
    const text = readFileSync(join(WEB, 'widget', file), 'utf8');
    return [...text.matchAll(/^export (?:\{.* as|async function|function|const) (\w+)/gm)];
  });
  const taken = handed.map(([, name = '']) => name);
  expect(taken).toEqual(expect.arrayContaining(['english', 'wear', 'chime', 'Full', 'download']));
  expect(names.filter((name) => taken.includes(name))).toEqual([]);
});
