import { defineConfig } from 'vitest/config';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    include: ['{client,console,loader,test,ui,widget}/**/*.test.{ts,tsx}'],
    environment: 'node',
    mockReset: true,
  },
});
