/**
 * What the widget costs the page that it stands on. Held to a bound is what no machine changes: that
 * nothing moves, that a closed chat does nothing, that an open one asks for nothing twice, and how
 * often the page is laid out for it. Times are said, for the record.
 */

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Agent, type Profile, picture, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

/** Times that each page is loaded with the loader, and as often with nothing in its place. */
const LOADS = 7;
/**
 * What shops have of their own. The first script of a page, its first request and its first look
 * into storage cost the browser several times what the next ones do, whoever makes them.
 */
const OWN = `<script>
  const cart = JSON.parse(localStorage.getItem('cart') ?? '[]');
  fetch('/stock').then((answer) => answer.text());
</script>`;
/** How often the loader may have styles and layout worked out. */
const LAYOUTS_MAX = 6;
const SLOWER = 4;

const stage = setStage();
let site: Site;

beforeAll(async () => {
  const text = '<p>Cacti need light, little water and patience.</p>'.repeat(60);
  site = await Site.open((path) => {
    const loader = `<script async src="${stage.server.address}/loader.js" data-widget="demo"></script>`;
    const own = path.startsWith('/bare') ? '' : OWN;
    const script = path.endsWith('without') ? '<script async src="/nothing.js"></script>' : loader;
    return `${own}<main><h1>A shop</h1>${text}</main>${script}`;
  });
});

afterAll(() => site.close());

/** From before the first script on: what moves, what takes long, and what is set for later. */
async function watched(): Promise<Page> {
  const profile = await stage.profile();
  const page = await profile.context.newPage();
  await page.addInitScript(() => {
    const seen = { shifts: [] as number[], timers: 0 };
    Object.assign(window, { seen });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        seen.shifts.push((entry as PerformanceEntry & { value: number }).value);
      }
    }).observe({ type: 'layout-shift', buffered: true });
    for (const name of ['setTimeout', 'setInterval'] as const) {
      const set = window[name] as (...given: unknown[]) => number;
      Object.assign(window, {
        [name]: (...given: unknown[]) => {
          seen.timers += 1;
          return set(...given);
        },
      });
    }
  });
  return page;
}

function seenBy(page: Page): Promise<{ shifts: number[]; timers: number }> {
  return page.evaluate(async () => {
    // What moved is told with a frame.
    for (const _ of [1, 2]) await new Promise((drawn) => requestAnimationFrame(drawn));
    return (window as unknown as { seen: { shifts: number[]; timers: number } }).seen;
  });
}

test('nothing on the page moves, whatever the chat does', async () => {
  const page = await watched();
  await page.goto(site.address);
  const visitor = Visitor.on(page);
  await visitor.openChat();
  await visitor.say('Does it move?');
  await visitor.sees('Does it move?');
  const ada = await Agent.open(await stage.profile(), stage.server.address, 'Ada');
  await ada.accept('Does it move?');
  await visitor.input.press('Escape');
  await ada.say('Not a pixel');
  await page.getByRole('button', { name: /Not a pixel/ }).waitFor();
  await picture(page, 'cost-nothing-moves');
  expect((await seenBy(page)).shifts).toEqual([]);
  // And it would have been seen.
  await page.evaluate(() => {
    const banner = document.createElement('div');
    banner.style.blockSize = '200px';
    document.body.prepend(banner);
  });
  await expect.poll(async () => (await seenBy(page)).shifts.length).toBeGreaterThan(0);
});

test('a closed chat has no frame, no socket and no timer', async () => {
  const page = await watched();
  let sockets = 0;
  page.on('websocket', () => {
    sockets += 1;
  });
  await page.goto(site.address);
  await Visitor.on(page).launcher.waitFor();
  await page.waitForLoadState('networkidle');
  expect(page.frames()).toHaveLength(1);
  expect({ sockets, timers: (await seenBy(page)).timers }).toEqual({ sockets: 0, timers: 0 });
});

/** What a page's main thread has done so far. */
interface Work {
  /**
   * Milliseconds of scripts, styles and layout that the thread worked: what it waited for others, as
   * for storage, or for the processor, says more of the machine than of the page.
   */
  ms: number;
  /** How often styles, and the layout, were worked out. */
  styles: number;
  layouts: number;
}

/**
 * What the main thread does for a page, from its beginning until it is quiet. Each time it is a new
 * one: the counts begin anew with a document, so that differences between two mean nothing.
 */
async function workOf(profile: Profile, address: string, slower: number): Promise<Work> {
  const page = await profile.context.newPage();
  const session = await profile.context.newCDPSession(page);
  await session.send('Emulation.setCPUThrottlingRate', { rate: slower });
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  await page.goto(address, { waitUntil: 'networkidle' });
  const { metrics } = await session.send('Performance.getMetrics');
  await page.close();
  const sum = (names: RegExp) =>
    metrics.reduce((total, { name, value }) => total + (names.test(name) ? value : 0), 0);
  return {
    ms: sum(/^(Script|Layout|RecalcStyle)Duration$/) * 1_000,
    styles: sum(/^RecalcStyleCount$/),
    layouts: sum(/^LayoutCount$/),
  };
}

/** The middle one, so that a pause of the machine counts for nothing. */
function median(works: readonly Work[], what: keyof Work): number {
  const sorted = works.map((work) => work[what]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

test('the loader lays the page out a few times more, and no more than that', async () => {
  // A script of the same size that does nothing: to be fetched and read is no work of the loader's.
  const loader = await (await fetch(`${stage.server.address}/loader.js`)).text();
  const body = `/*${'x'.repeat(loader.length - 4)}*/`;
  for (const slower of [1, SLOWER]) {
    const profile = await stage.profile();
    await profile.context.route('**/nothing.js', (route) =>
      route.fulfill({ contentType: 'text/javascript', body }),
    );
    const pages = ['/', '/without', '/bare', '/bare-without'] as const;
    const works = new Map<string, Work[]>(pages.map((path) => [path, []]));
    for (let load = 0; load < LOADS; load += 1) {
      for (const [path, seen] of works) {
        seen.push(await workOf(profile, site.address + path, slower));
      }
    }
    for (const [name, path, control] of [
      ['a shop', pages[0], pages[1]],
      ['a page without any script', pages[2], pages[3]],
    ] as const) {
      const of = (what: keyof Work) =>
        median(works.get(path) ?? [], what) - median(works.get(control) ?? [], what);
      const [ms, styles, layouts] = [of('ms'), of('styles'), of('layouts')];
      const itself = median(works.get(control) ?? [], 'ms');
      // biome-ignore lint/suspicious/noConsole: the figures are what it is run for.
      console.log(
        `processor ÷ ${slower}: on ${name} (itself ${itself.toFixed(1)} ms) the loader takes ${ms.toFixed(1)} ms, styles ${styles} ×, layout ${layouts} ×`,
      );
      // Once it is there, once it is dressed; frames in between may double them.
      expect(layouts).toBeLessThanOrEqual(LAYOUTS_MAX);
      expect(styles).toBeLessThanOrEqual(LAYOUTS_MAX);
    }
  }
}, 180_000);

/**
 * From the press of the launcher to the focus in the composer, in milliseconds by the pages' own
 * clocks: what the test takes to look is no part of it.
 */
async function openingMs(page: Page): Promise<number> {
  const { launcher, input, chat } = Visitor.on(page);
  await page.evaluate(() => {
    addEventListener(
      'keydown',
      ({ timeStamp }) => Object.assign(window, { pressed: performance.timeOrigin + timeStamp }),
      { capture: true, once: true },
    );
  });
  // It is focused in the same moment, so that nothing is loaded earlier.
  await launcher.press('Enter');
  await input.waitFor();
  await expect
    .poll(() => input.evaluate((element) => element === document.activeElement))
    .toBe(true);
  const focused = await chat
    .locator('html')
    .evaluate(() => (window as unknown as { focusedAt?: number }).focusedAt);
  const pressed = await page.evaluate(() => (window as unknown as { pressed: number }).pressed);
  return Math.round((focused ?? Number.NaN) - pressed);
}

test('opening asks for each thing once, and for nothing when the pointer was there before', async () => {
  for (const slower of [1, SLOWER]) {
    const profile = await stage.profile();
    const page = await profile.context.newPage();
    const session = await profile.context.newCDPSession(page);
    await session.send('Emulation.setCPUThrottlingRate', { rate: slower });
    await page.addInitScript(() => {
      addEventListener('focusin', ({ target, timeStamp }) => {
        if (!(target instanceof HTMLTextAreaElement)) return;
        Object.assign(window, { focusedAt: performance.timeOrigin + timeStamp });
      });
    });
    let asked: string[] = [];
    page.on('request', (request) => {
      const { origin, pathname, search } = new URL(request.url());
      // To wait for news of the settings is to ask for nothing that opening needs.
      if (origin === stage.server.address && !search.includes('wait=')) asked.push(pathname);
    });
    await page.goto(site.address, { waitUntil: 'networkidle' });
    asked = [];
    const cold = await openingMs(page);
    expect(asked).toContain('/widget');
    expect([...new Set(asked)]).toEqual(asked);

    await page.evaluate(() => localStorage.clear());
    await page.goto(site.address, { waitUntil: 'networkidle' });
    await Visitor.on(page).launcher.hover();
    // It is there, and nobody sees it.
    await Visitor.on(page).chat.locator('[role=log]').waitFor({ state: 'attached' });
    await page.waitForLoadState('networkidle');
    asked = [];
    const warm = await openingMs(page);
    expect(asked).toEqual([]);
    // biome-ignore lint/suspicious/noConsole: the figures are what it is run for.
    console.log(`processor ÷ ${slower}: opened cold in ${cold} ms, warm in ${warm} ms`);
    await page.close();
  }
}, 120_000);
