/** Every page and state under axe, in light and dark, wide and narrow, with pictures. */

import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Agent, launch, Profile, picture, Visitor } from './kit/people.ts';
import { Server } from './kit/server.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

let browser: Browser;
let server: Server;
let profile: Profile;
let other: Profile;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start()]);
  profile = await Profile.open(browser);
  other = await Profile.open(browser);
});

afterAll(async () => {
  try {
    await profile.close();
    await other.close();
  } finally {
    await Promise.all([browser.close(), server.stop()]);
  }
});

/** No violation and no sideways scrolling, in both colors and both widths. */
async function check(page: Page, state: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 320]) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 760 });
      const where = `${state} ${colorScheme} ${width}`;
      await picture(page, where.replaceAll(' ', '-'));
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`);
      expect(found, where).toEqual([]);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide, where).toBeLessThanOrEqual(0);
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

test('every state of widget and console', async () => {
  const visitor = await Visitor.open(profile, `${server.address}/demo`);
  await visitor.launcher.waitFor();
  await check(visitor.page, 'demo');
  await visitor.openChat();
  await check(visitor.page, 'widget new');

  const page = await profile.context.newPage();
  await page.goto(`${server.address}/console`);
  await page.getByRole('button', { name: /Continue as Ada/ }).waitFor();
  await check(page, 'console sign-in');
  await page.close();
  const ada = await Agent.open(profile, server.address, 'Ada');
  await ada.page.getByText('Nobody is waiting.').waitFor();
  await check(ada.page, 'console empty');

  await visitor.page.bringToFront();
  await visitor.say('Do you ship to Ireland? I saw https://shop.example/ireland but it is old.');
  await ada.page.bringToFront();
  await ada.row('Ireland').waitFor();
  await check(ada.page, 'console waiting');
  await ada.accept('Ireland');
  await ada.say('We do, from Monday to Wednesday.');
  await ada.note('Third question about Ireland this week.');
  await check(ada.page, 'console talk');
  await ada.page.getByRole('tab', { name: 'Internal note' }).click();
  await check(ada.page, 'console noting');
  await ada.button('Transfer').click();
  await ada.page.getByRole('dialog').waitFor();
  await check(ada.page, 'console transfer');
  await ada.page.keyboard.press('Escape');
  await ada.page.getByRole('dialog').waitFor({ state: 'hidden' });

  await visitor.page.bringToFront();
  await visitor.sees('We do, from Monday to Wednesday.');
  await check(visitor.page, 'widget talk');
  await ada.page.bringToFront();
  await ada.button('Close').click();
  await ada.button('Reopen').waitFor();
  await check(ada.page, 'console closed');
  await visitor.page.bringToFront();
  await visitor.chat.getByRole('button', { name: 'Start a new chat' }).waitFor();
  await check(visitor.page, 'widget ended');
}, 300_000);

test('an agent works by keyboard alone', async () => {
  const visitor = await Visitor.open(other, `${server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Keyboard please');
  const ada = await Agent.open(profile, server.address, 'Ada');
  await ada.row('Keyboard please').waitFor();
  const { keyboard } = ada.page;
  const focused = () =>
    ada.page.evaluate(() => {
      const element = document.activeElement;
      return element?.getAttribute('aria-label') ?? element?.textContent ?? '';
    });
  const tabTo = async (name: RegExp) => {
    for (let presses = 0; presses < 40; presses += 1) {
      if (name.test(await focused())) return;
      await keyboard.press('Tab');
    }
    throw new Error(`the Tab key does not reach ${name}`);
  };
  await tabTo(/^Waiting/);
  await keyboard.press('ArrowRight');
  expect(await focused()).toMatch(/^Mine/);
  await keyboard.press('ArrowLeft');
  await tabTo(/^Accept /);
  await keyboard.press('Enter');
  await ada.reply.waitFor();
  await tabTo(/^Reply$/);
  await keyboard.press('Tab');
  await keyboard.type('By keyboard');
  await keyboard.press('Enter');
  await visitor.sees('By keyboard');
});
