// Builds every page into `dist/`: the documents, then the loader, then compressed copies.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'vite';

process.chdir(import.meta.dirname);
const words = async (name) =>
  Object.keys(JSON.parse(await readFile(join('locales', name), 'utf8')));
const english = await words('en.json');
for (const name of await readdir('locales')) {
  const keys = await words(name);
  const missing = english.filter((key) => !keys.includes(key));
  const unknown = keys.filter((key) => !english.includes(key));
  if (missing.length + unknown.length > 0) {
    throw new Error(`locales/${name}: missing [${missing}], unknown [${unknown}]`);
  }
}
await rm('dist', { recursive: true, force: true });
for (const page of ['chat', 'console', 'demo', 'widget']) {
  process.env.UI_PAGE = page;
  await build();
}
// The loader has a name that never changes, because it stands in other people's pages, and is a
// plain script that leaves nothing but `window.switchboard`.
await build({
  configFile: false,
  logLevel: 'warn',
  publicDir: false,
  build: {
    target: 'es2022',
    emptyOutDir: false,
    lib: {
      entry: 'loader/main.ts',
      formats: ['iife'],
      name: 'switchboardLoader',
      fileName: () => 'loader.js',
    },
  },
});

for (const entry of await readdir('dist', { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(html|js|json|css|svg)$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const raw = await readFile(path);
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  await writeFile(`${path}.br`, brotliCompressSync(raw, { params: quality }));
  // A smaller memory makes more blocks, each with a code of its own: our files are short.
  await writeFile(`${path}.gz`, gzipSync(raw, { level: 9, memLevel: 7 }));
}
