/** python-socketio over each of its transports. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Server } from '../browser/kit/server.ts';
import { serve, token } from './kit.ts';

let server: Server;

beforeAll(async () => {
  server = await serve();
});

afterAll(() => server.stop());

test.each([
  ['websocket', 'websocket'],
  ['polling', 'polling'],
  ['polling,websocket', 'websocket'],
])('%s', async (transports, used) => {
  const python = process.env.PYTHON_BIN;
  if (python === undefined)
    throw new Error('PYTHON_BIN does not name a Python with python-socketio');
  const tokens = [
    token('1', 'customer'),
    token('3', 'agent'),
    token('3', 'agent', 'another secret that is long enough'),
  ];
  const script = [`${import.meta.dirname}/talk.py`, server.address, transports, ...tokens];
  const { stdout } = await promisify(execFile)(python, script, { timeout: 50_000 });
  expect(stdout).toContain(`talked over ${used}\n`);
  expect(stdout).toContain('refused: ');
});
