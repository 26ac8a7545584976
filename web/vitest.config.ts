import { defineConfig } from 'vitest/config';

const SMALL = new URL('widget/signals.ts', import.meta.url).pathname;

export default defineConfig({
  test: {
    environment: 'node',
    mockReset: true,
    projects: [
      {
        extends: true,
        oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
        test: {
          name: 'pages',
          include: ['{client,console,loader,test,ui,widget}/**/*.test.{ts,tsx}'],
        },
      },
      {
        // Over the signals that visitors get.
        extends: true,
        resolve: { alias: { '@preact/signals-core': SMALL } },
        test: { name: 'small signals', include: ['{client,widget}/**/*.test.ts'] },
      },
    ],
  },
});
