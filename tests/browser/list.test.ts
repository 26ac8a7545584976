/**
 * Figures of the console, for the record; only what does not depend on the machine is held to a
 * bound. Ten thousand conversations in the list, fifty changes a second: the server's side of the
 * socket is played here, for no real one has ten thousand people to talk for it. LIST_SECONDS
 * lengthens it. And what it takes to open a conversation, and to see what a key does.
 */

import type { CDPSession, Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import type { WebSocket } from 'ws';
import { Front } from './kit/front.ts';
import { Guest } from './kit/guest.ts';
import { Agent, picture } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const CONVERSATIONS = 10_000;
const CHANGES_A_SECOND = 50;
const SECONDS = Number(process.env.LIST_SECONDS ?? '20');
const NODES_MAX = 60;
/** How long an empty page is watched. */
const EMPTY_MS = 5_000;
/** How long it is watched with a slower processor. */
const SLOW_MS = 5_000;
/** Keys whose effect is timed. */
const PRESSES = 40;
/** The list and its cards; what is read, sent and thrown away must not stay. */
const GROWTH_MAX_BYTES = 8 * 1_024 * 1_024;

const stage = setStage();

const START = Date.UTC(2026, 0, 1);
const WORDS = 'fern yellow parcel Ireland refund pot monstera water light order'.split(' ');

function cardAt(idx: number, at: number, unread: number): object {
  const id = `01900000-0000-7000-8000-${idx.toString(16).padStart(12, '0')}`;
  const text = `${WORDS[idx % 10]} ${WORDS[(idx * 7) % 10]} ${idx}, said ${unread} times`;
  const time = new Date(at).toISOString();
  return {
    id,
    number: 1_000_000 + idx,
    status: 'waiting',
    offline: false,
    transferred: false,
    priority: idx % 17 === 0 ? 'urgent' : 'medium',
    tags: idx % 5 === 0 ? ['plants'] : [],
    visitor: { id, name: `Visitor number ${idx}` },
    agent: null,
    created_at: time,
    last_at: time,
    waiting_since: time,
    log: id,
    head: 3 + unread,
    last: { from: { kind: 'visitor' }, text, at: time },
    unread,
    rating: null,
  };
}

/** The server of the stream, and what changes some conversations more. */
interface Played {
  front: Front;
  change(n: number): void;
}

/** Plays the server of the stream, on a socket like any other: nothing of it runs in the page. */
async function play(server: string): Promise<Played> {
  const sockets: { socket: WebSocket; ref: string; version: number }[] = [];
  const cards = Array.from({ length: CONVERSATIONS }, (_, idx) => ({
    at: START + idx * 1_000,
    unread: 1,
  }));
  const front = await Front.start(server, (socket) => {
    const say = (frame: object) => socket.send(JSON.stringify(frame));
    socket.on('message', (message) => {
      const frame = JSON.parse(String(message));
      if (frame.type === 'hello') {
        say({
          type: 'ready',
          connection: 'c',
          principal: { kind: 'agent', id: 'me', name: 'Ada' },
          ping_ms: 25_000,
          limits: { text_bytes: 16_384, unacked: 16 },
        });
      } else if (frame.type === 'watch') {
        const all = frame.view.status === undefined && frame.limit > 0;
        const total = frame.view.status === undefined ? CONVERSATIONS : 0;
        const snapshot = all ? cards.map(({ at, unread }, idx) => cardAt(idx, at, unread)) : [];
        say({ type: 'view', ref: frame.ref, version: 1, total, snapshot });
        if (all) sockets.push({ socket, ref: frame.ref, version: 1 });
      }
    });
  });
  let now = START + CONVERSATIONS * 1_000;
  const change = (n: number) => {
    const changes = Array.from({ length: n }, () => {
      const idx = Math.floor(Math.random() * CONVERSATIONS);
      const card = cards[idx] ?? { at: 0, unread: 0 };
      now += 50;
      card.at = now;
      card.unread = (card.unread % 9) + 1;
      return { put: cardAt(idx, card.at, card.unread) };
    });
    for (const one of sockets) {
      one.version += 1;
      const { ref, version } = one;
      one.socket.send(
        JSON.stringify({ type: 'view', ref, version, total: CONVERSATIONS, changes }),
      );
    }
  };
  return { front, change };
}

/** Collects the length of frames, and how many rows are in the document. */
function watchFrames(page: Page): Promise<void> {
  return page.evaluate(() => {
    const seen = { frames: [] as number[], nodes: 0 };
    const running = window as unknown as { seen: typeof seen };
    running.seen = seen;
    let last = performance.now();
    const look = () => {
      if (running.seen !== seen) return;
      const at = performance.now();
      seen.frames.push(at - last);
      last = at;
      seen.nodes = Math.max(seen.nodes, document.querySelectorAll('.virtual li').length);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}

function seenIn(page: Page): Promise<{ frames: number[]; nodes: number }> {
  return page.evaluate(
    () => (window as unknown as { seen: { frames: number[]; nodes: number } }).seen,
  );
}

/** Percentiles in milliseconds, as text. */
function spread(values: readonly number[]): Record<string, string> {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(1);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** Says figures where whoever runs the tests reads them. */
function record(name: string, figures: object): void {
  process.stdout.write(`${name}: ${JSON.stringify(figures)}\n`);
}

/** The frames of a page with nothing on it: what this machine gives whatever a page does. */
async function emptyPage(): Promise<number[]> {
  const page = await (await stage.profile()).context.newPage();
  await watchFrames(page);
  await page.waitForTimeout(EMPTY_MS);
  const { frames } = await seenIn(page);
  await page.close();
  return frames;
}

/** What the page's own thread has done, whoever else uses the machine. */
async function workMs(session: CDPSession): Promise<Record<string, number>> {
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (wanted: string) =>
    1_000 * (metrics.find(({ name }) => name === `${wanted}Duration`)?.value ?? 0);
  return { all: of('Task'), script: of('Script'), style: of('RecalcStyle'), layout: of('Layout') };
}

/** What was done since, for each of so many times. */
function since(
  before: Record<string, number>,
  now: Record<string, number>,
  times = 1,
): Record<string, number> {
  const each = ([name, ms]: [string, number]): [string, number] => [
    name,
    Math.round((10 * (ms - (before[name] ?? 0))) / times) / 10,
  ];
  return Object.fromEntries(Object.entries(now).map(each));
}

async function heapBytes(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize;
}

test('ten thousand rows and fifty changes a second: few nodes, even frames, a flat heap', async () => {
  const page = await (await stage.profile()).context.newPage();
  const { front, change } = await play(stage.server.address);
  onTestFinished(() => front.stop());
  await page.goto(`${front.address}/console`);
  await page.getByRole('button', { name: /Continue as Ada/ }).click();
  const list = page.getByRole('region', { name: 'Conversations' });
  await list.getByRole('button', { name: /^All/ }).click();
  await page.mouse.move(760, 300);
  await list.getByText('Visitor number 9999').waitFor();
  const session = await page.context().newCDPSession(page);
  // Of the main thread's own time: who else uses the machine does not count.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  // Warm: code is compiled, caches are filled.
  for (let batch = 0; batch < 20; batch += 1) {
    change(5);
    await page.waitForTimeout(100);
  }
  const empty = await emptyPage();
  const before = await heapBytes(session);
  await watchFrames(page);
  const workBefore = await workMs(session);
  const from = Date.now();
  for (let tick = 0; Date.now() - from < SECONDS * 1_000; tick += 1) {
    change(CHANGES_A_SECOND / 10);
    // Somebody scrolls now and then, with the wheel, far into the list and back.
    if (tick % 50 === 20) {
      await page.mouse.move(250, 500);
      await page.mouse.wheel(0, tick % 100 === 20 ? 90_000 : -90_000);
    }
    if (tick % 50 === 30) await page.mouse.move(760, 300);
    await page.waitForTimeout(Math.max(0, from + (tick + 1) * 100 - Date.now()));
  }
  const seconds = (Date.now() - from) / 1_000;
  const work = since(workBefore, await workMs(session));
  const busy = (work.all ?? 0) / 1_000 / seconds;
  const { frames, nodes } = await seenIn(page);
  const grown = (await heapBytes(session)) - before;
  await picture(page, 'list-10k');
  // The same on a machine a quarter as fast.
  await session.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  await watchFrames(page);
  const slowFrom = Date.now();
  while (Date.now() - slowFrom < SLOW_MS) {
    change(CHANGES_A_SECOND / 10);
    await page.waitForTimeout(100);
  }
  const slow = (await seenIn(page)).frames;
  const slowSeconds = (Date.now() - slowFrom) / 1_000;
  await session.send('Emulation.setCPUThrottlingRate', { rate: 1 });
  record('10k list', {
    empty_page_frame_ms: spread(empty),
    seconds: Math.round(seconds),
    fps: Math.round(frames.length / seconds),
    frame_ms: spread(frames),
    fps_at_a_quarter: Math.round(slow.length / slowSeconds),
    frame_ms_at_a_quarter: spread(slow),
    main_thread_busy: `${Math.round(busy * 100)} %`,
    main_thread_ms: work,
    list_nodes_max: nodes,
    heap_mb: Math.round(before / 1_048_576),
    heap_grown_kb: Math.round(grown / 1_024),
  });
  expect(nodes).toBeGreaterThan(5);
  expect(nodes).toBeLessThanOrEqual(NODES_MAX);
  expect(grown).toBeLessThan(GROWTH_MAX_BYTES);
  // Frames depend on who else uses the machine; the work of the page does not.
  expect(busy).toBeLessThan(0.5);
  // Every row can be reached.
  await page.mouse.move(250, 500);
  await page.mouse.wheel(0, 1_000_000);
  await expect
    .poll(() => list.getByRole('listitem').last().getAttribute('aria-posinset'))
    .toBe(String(CONVERSATIONS));
  await page.mouse.move(760, 300);
  // What was changed last is on top, where it belongs.
  change(1);
  await page.mouse.move(250, 500);
  await page.mouse.wheel(0, -1_000_000);
  await expect
    .poll(() => list.getByRole('listitem').first().getAttribute('aria-posinset'))
    .toBe('1');
}, 900_000);

test('a conversation opens, and a key shows what it does: how long it takes is written down', async () => {
  const guests = [];
  for (let n = 0; n < 6; n += 1) {
    const guest = await Guest.begin(stage.server.address, { text: `talk ${n}, line 0` });
    for (let line = 1; line < 30; line += 1) await guest.say(`talk ${n}, line ${line}`);
    guests.push({ id: guest.conversation, last: `talk ${n}, line 29` });
  }
  const ada = await Agent.open(await stage.profile(), stage.server.address, 'Ada');
  await ada.row('talk 5, line 29').waitFor();
  // From the click to the frame that has the last line in the transcript.
  const open = ({ id, last }: { id: string; last: string }) =>
    ada.page.evaluate(
      ([path, text]) =>
        new Promise<number>((resolve) => {
          const from = performance.now();
          document.querySelector<HTMLElement>(`.row a[href="${path}"]`)?.click();
          const look = () => {
            const shown = document.querySelector('.log')?.textContent?.includes(text ?? '');
            requestAnimationFrame(shown ? () => resolve(performance.now() - from) : look);
          };
          look();
        }),
      [`/console/c/${id}`, last],
    );
  const session = await ada.page.context().newCDPSession(ada.page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const [first, again]: [number[], number[]] = [[], []];
  for (const guest of guests) first.push(await open(guest));
  const beforeAgain = await workMs(session);
  for (const guest of guests) again.push(await open(guest));
  const openWork = since(beforeAgain, await workMs(session), guests.length);
  // From the key to the task after the next frame, with the list changing its open row.
  await ada.page.evaluate(() => {
    const keys: number[] = [];
    Object.assign(window, { keys });
    const time = ({ timeStamp }: Event) =>
      requestAnimationFrame(() => setTimeout(() => keys.push(performance.now() - timeStamp)));
    document.addEventListener('keydown', time, { capture: true });
  });
  await ada.heading.focus();
  const beforeKeys = await workMs(session);
  const keys = () => ada.page.evaluate(() => (window as unknown as { keys: number[] }).keys);
  for (let press = 0; press < PRESSES; press += 1) {
    await ada.page.keyboard.press(press % 2 === 0 ? 'k' : 'j');
    // As somebody does who looks: not before the last one shows.
    await expect.poll(async () => (await keys()).length, { interval: 30 }).toBe(press + 1);
  }
  record('console', {
    open_first_ms: spread(first),
    open_again_ms: spread(again),
    key_to_paint_ms: spread(await keys()),
    main_thread_ms_per_open: openWork,
    main_thread_ms_per_key: since(beforeKeys, await workMs(session), PRESSES),
  });
});
