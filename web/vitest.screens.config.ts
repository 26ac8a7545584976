import { defineConfig } from 'vitest/config';

/** The pictures of docs/SCREENS.md, taken by the kit of the browser tests. */
export default defineConfig({
  root: '../tests/browser',
  test: {
    include: ['screens.ts'],
    environment: 'node',
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
