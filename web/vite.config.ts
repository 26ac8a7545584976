import { readFileSync } from 'node:fs';
import { defineConfig, minifySync, type Plugin } from 'vite';
import { names } from './mangle.ts';

/**
 * One document and what it names. Each is built by itself (`UI_PAGE` says which), so that the widget
 * carries nothing that only the console uses. Scripts and styles get names by content, so they may
 * be kept for ever.
 */
const page = process.env.UI_PAGE ?? '';
/** Pages of visitors, which are small. */
const small = page === 'widget' || page === 'chat';

/** What each name became: the later parts of a page call things as its first does. */
let shortened: Record<string, string | false> = {};

/** Before the file gets its name by content, so that another list gives another name. */
const shorten: Plugin = {
  name: 'shorten-names',
  renderChunk: (code, { fileName }) => {
    const done = minifySync(fileName, code, {
      module: true,
      compress: false,
      mangle: false,
      codegen: { removeWhitespace: false },
      mangleProps: { include: new RegExp(`^(${names.join('|')})$`), cache: shortened },
    });
    shortened = done.mangleCache ?? shortened;
    return done.code;
  },
};

/**
 * Words that the first part does not say come with the later ones: what a file says stands in it in
 * quotes, and not only in a type.
 */
function splitWords(): Plugin {
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
  const seen = new Map<string, string>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    const text = read(`widget/${name}`);
    seen.set(name, text);
    for (const [, other = ''] of text.matchAll(/ from '\.\/([\w-]+\.tsx?)'/g)) visit(other);
  };
  visit(page === 'chat' ? 'chat.ts' : 'main.ts');
  const first = [...seen.values()].join().replace(/^ {2}\| '\w+';?$/gm, '');
  const words: [string, string][] = Object.entries(JSON.parse(read('locales/en.json')));
  const later = new Set(words.flatMap(([key]) => (first.includes(`'${key}'`) ? [] : [key])));
  const part = (isWanted: (key: string) => boolean) =>
    JSON.stringify(Object.fromEntries(words.filter(([key]) => isWanted(key))));
  return {
    name: 'split-words',
    enforce: 'pre',
    load: (id) => {
      if (id.endsWith('/locales/en.json')) return part((key) => !later.has(key));
      if (id.endsWith('/later-words.ts'))
        return `export const english = ${part((key) => later.has(key))}`;
      return null;
    },
  };
}

/** Later parts have no styles of their own, so there is nothing to fetch ahead of one. */
const fetchPlainly: Plugin = {
  name: 'fetch-plainly',
  enforce: 'pre',
  load: (id) =>
    id.includes('vite/preload-helper') ? 'export const __vitePreload = (load) => load()' : null,
};

export default defineConfig({
  base: '/',
  publicDir: false,
  logLevel: 'warn',
  json: { namedExports: false },
  // The classic runtime is a part of Preact that is there anyway.
  oxc: small
    ? {
        // What has no views needs no Preact: a later part of that kind would part it from the first.
        include: /\.tsx$/,
        jsx: { runtime: 'classic', pragma: 'createElement', pragmaFrag: 'Fragment' },
        jsxInject: `import { createElement, Fragment } from 'preact'`,
      }
    : { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: small ? [shorten, splitWords(), fetchPlainly] : [],
  resolve: {
    alias: small
      ? { '@preact/signals-core': new URL('widget/signals.ts', import.meta.url).pathname }
      : {},
  },
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: false,
    emptyOutDir: false,
    // A data: URL would need a hole in the policy of the pages.
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: `${page}.html`,
      ...(small && {
        optimization: { inlineConst: { mode: 'all', pass: 3 } },
        // A `var` for a constant would keep the minifier from writing its value where it is used.
        output: { topLevelVar: false },
      }),
    },
  },
});
