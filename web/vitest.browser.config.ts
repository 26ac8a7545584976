import { defineConfig } from 'vitest/config';

/** Browser tests: the real binary (`SWITCHBOARD_BIN`) and a real Chromium (`CHROMIUM_BIN`). */
export default defineConfig({
  root: '../tests/browser',
  test: {
    // Browsers on a busy machine have moments. A test that needs its second try is named as such in
    // the output; one that fails twice is red.
    retry: 1,
    include: ['*.test.ts'],
    environment: 'node',
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // As long as the people of the tests wait for what they want to see.
    expect: { poll: { timeout: 30_000 } },
    // Each file has a browser and servers of its own; one at a time is enough for two cores.
    fileParallelism: false,
  },
});
