/**
 * The examples of `deploy/proxy` before two nodes: whoever polls stays on one node, and not
 * everybody on the same one. Each node has a store of its own here, so that a request that went
 * astray would be seen.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePorts, type Server } from '../browser/kit/server.ts';
import { Client, serve, token, WAYS } from './kit.ts';

const EXAMPLES = `${import.meta.dirname}/../../deploy/proxy`;
/** Where clients come from: enough that no hash sends them all to one node. */
const HOSTS = Array.from({ length: 16 }, (_, n) => `127.${n}.${7 * n}.${n + 2}`);

let nodes: Server[];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'switchboard-proxies-'));
  nodes = await Promise.all([0, 1].map(() => serve({ SWITCHBOARD_SERVER_BEHIND_PROXY: '1' })));
});

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await rm(folder, { recursive: true, force: true });
});

/** An example with our addresses in it, as a file. */
async function filled(name: string, port: number): Promise<string> {
  let text = await readFile(join(EXAMPLES, name), 'utf8');
  const replacements: [string, string][] = [
    ['8000;', `127.0.0.1:${port};`],
    [':8000\n', `127.0.0.1:${port}\n`],
    ...nodes.flatMap((node, idx): [string, string][] => [
      [`10.0.0.${idx + 1}:8080;`, `${node.address.slice('http://'.length)};`],
      [
        `10.0.0.${idx + 1}:8080\n`,
        `${node.address.slice('http://'.length)} port ${node.opsAddress.split(':').at(-1)}\n`,
      ],
    ]),
  ];
  for (const [from, to] of replacements) text = text.replace(from, to);
  expect(text).not.toContain('10.0.0.');
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

interface Proxy {
  name: string;
  check: (path: string) => string[];
  run: (path: string) => string[];
}

const PROXIES: Record<string, Proxy> = {
  nginx: {
    name: 'nginx.conf',
    check: (path) => ['-t', '-e', 'stderr', '-p', folder, '-c', path],
    run: (path) => [
      ...['-e', 'stderr', '-p', folder, '-c', path],
      ...['-g', `daemon off; pid ${folder}/nginx.pid;`],
    ],
  },
  haproxy: {
    name: 'haproxy.cfg',
    check: (path) => ['-c', '-f', path],
    run: (path) => ['-db', '-f', path],
  },
};

describe.each(Object.entries(PROXIES))('%s', (program, { name, check, run }) => {
  let proxy: ChildProcess;
  let address: string;

  beforeAll(async () => {
    const [port] = await freePorts(1);
    address = `http://127.0.0.1:${port}`;
    const path = await filled(name, port as number);
    await promisify(execFile)(program, check(path));
    proxy = spawn(program, run(path), { stdio: ['ignore', 'ignore', 'inherit'] });
    await vi.waitFor(async () => expect((await fetch(`${address}/console`)).ok).toBe(true), {
      timeout: 20_000,
    });
  });

  afterAll(async () => {
    if (proxy.exitCode !== null) return;
    const gone = once(proxy, 'exit');
    proxy.kill();
    await gone;
  });

  test.each(WAYS)('clients stay where they are: %s', async (_way, settings) => {
    const before = await Promise.all(nodes.map(waiting));
    await Promise.all(
      HOSTS.map(async (host, idx) => {
        const bearer = token(String(idx + 1), 'customer');
        const agent = new Agent({ localAddress: host, keepAlive: false });
        // socket.io-client in Node passes it on to whatever makes requests.
        const from = { agent } as unknown as object;
        const client = await Client.enter(address, bearer, { ...settings, ...from });
        const { session } = (await client.do('chat:start', {})) as { session: { id: number } };
        for (const content of ['one', 'two', 'three']) {
          await client.do('chat:send_message', { session_id: session.id, content });
          await client.hears('chat:new_message', { message: { content } });
        }
        client.close();
        agent.destroy();
      }),
    );
    const news = async () => {
      const now = await Promise.all(nodes.map(waiting));
      return now.map((n, idx) => n - (before[idx] ?? 0));
    };
    await expect.poll(async () => (await news()).reduce((a, b) => a + b)).toBe(HOSTS.length);
    for (const n of await news()) expect(n).toBeGreaterThan(0);
  });
});

/** How many chats wait at a node. */
async function waiting(node: Server): Promise<number> {
  const answer = await fetch(`${node.address}/api/live-chat/queue/stats`, {
    headers: { authorization: `Bearer ${token('3', 'agent')}` },
  });
  return ((await answer.json()) as { pending: number }).pending;
}
