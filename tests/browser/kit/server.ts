/** The real binary on free ports, with a data folder that outlives a kill. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_MS = 30_000;
const POLL_MS = 50;

export interface Options {
  readonly demo: boolean;
  /** Settings besides, as variables of its environment. */
  readonly settings?: Readonly<Record<string, string>>;
}

export class Server {
  readonly address: string;
  /** Where operators ask. */
  readonly opsAddress: string;
  readonly #args: readonly string[];
  readonly #settings: Readonly<Record<string, string>>;
  readonly #folder: string;
  #process: ChildProcess | null = null;
  #said = '';

  /** With the demo's people, widget and shop; or as it comes, without anybody. */
  static async start(options: Options = { demo: true }): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-browser-'));
    const [listen, ops] = await freePorts(2);
    const server = new Server(folder, `127.0.0.1:${listen}`, `127.0.0.1:${ops}`, options);
    await server.run();
    return server;
  }

  private constructor(folder: string, listen: string, ops: string, options: Options) {
    this.#folder = folder;
    this.address = `http://${listen}`;
    this.opsAddress = `http://${ops}`;
    const where = ['--listen', listen, '--ops-listen', ops, '--data-dir', folder];
    this.#args = options.demo ? ['serve', '--demo', ...where] : ['serve', ...where];
    this.#settings = options.settings ?? {};
  }

  /** Starts it and waits until it serves pages. */
  async run(): Promise<void> {
    const binary = process.env.SWITCHBOARD_BIN;
    if (binary === undefined) throw new Error('SWITCHBOARD_BIN does not name the server to test');
    // Our own environment is none of its settings: it would not know them.
    const others = ([name]: [string, unknown]) => !name.startsWith('SWITCHBOARD_');
    const kept = Object.fromEntries(Object.entries(process.env).filter(others));
    const env = { ...kept, ...this.#settings };
    const child = spawn(binary, this.#args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#process = child;
    let failed: Error | null = null;
    child.once('error', (error) => {
      failed = error;
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#said = (this.#said + text).slice(-8_000);
      });
    }
    const deadline = Date.now() + READY_MS;
    while (!(await this.#answers())) {
      if (failed !== null || child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the server did not start: ${failed ?? ''}\n${this.#said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** The link that makes the first owner, as the server printed it at its last start. */
  async setupLink(): Promise<string> {
    for (const deadline = Date.now() + READY_MS; Date.now() < deadline; ) {
      const links = [...this.#said.matchAll(/Set up Switchboard: (\S+)\s/g)];
      const link = links.at(-1)?.[1];
      if (link !== undefined) return link;
      // It serves pages already; what it prints comes by another way.
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`the server printed no set-up link:\n${this.#said}`);
  }

  /** `kill -9`: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** SIGTERM: clients are told when to come back. Resolves to the exit code. */
  async terminate(): Promise<number | null> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return null;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = await gone;
    return code;
  }

  /** Ends it and forgets its data. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.address}/console`)).ok;
    } catch {
      return false;
    }
  }
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(probes.map((probe) => once(probe, 'listening')));
  const ports = probes.map((probe) => (probe.address() as AddressInfo).port);
  await Promise.all(probes.map((probe) => once(probe.close(), 'close')));
  return ports;
}
