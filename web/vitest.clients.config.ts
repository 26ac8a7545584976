import { defineConfig } from 'vitest/config';

/**
 * Clients in the field, unmodified, against the real binary (`SWITCHBOARD_BIN`): in Node, in Python
 * (`PYTHON_BIN`, with python-socketio) and in a real Chromium (`CHROMIUM_BIN`).
 */
export default defineConfig({
  root: '../tests/clients',
  test: {
    include: ['*.test.ts'],
    environment: 'node',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One file at a time is enough for two cores.
    fileParallelism: false,
  },
});
