/** Every state of the widget under axe, in light and dark, wide and narrow, with pictures. */

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { Admin } from './kit/admin.ts';
import { Agent, picture, Visitor } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const stage = setStage();

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

test('every state of the widget', async () => {
  const profile = await stage.profile();
  const visitor = await Visitor.open(profile, `${stage.server.address}/demo`);
  await visitor.launcher.waitFor();
  await check(visitor.page, 'demo');
  await visitor.openChat();
  await check(visitor.page, 'widget new');
  const ada = await Agent.open(profile, stage.server.address, 'Ada');
  await visitor.page.bringToFront();
  await visitor.say('Do you ship to Ireland? I saw https://shop.example/ireland but it is old.');
  await ada.page.bringToFront();
  await ada.accept('Ireland');
  await ada.say('We do, from Monday to Wednesday.');
  await visitor.page.bringToFront();
  await visitor.sees('We do, from Monday to Wednesday.');
  await check(visitor.page, 'widget talk');
  await ada.page.bringToFront();
  await ada.button('Resolve').click();
  await visitor.page.bringToFront();
  await visitor.chat.getByRole('button', { name: 'Start a new chat' }).waitFor();
  await check(visitor.page, 'widget ended');
}, 300_000);

test('a link that was used, and a chat that is not there any more', async () => {
  const admin = await Admin.signIn(stage.server);
  const begun = await admin.call('POST', '/v1/conversations/outbound', {
    widget: 'demo',
    contact: { email: 'walter@shop.example', name: 'Walter' },
    message: { text: 'Your parcel is here' },
  });
  const link = new URL(String(begun.body.link));
  const address = stage.server.address + link.pathname + link.search + link.hash;
  const profile = await stage.profile();
  profile.expect(/410|404/);
  const page = await profile.context.newPage();
  const token = link.hash.slice(1);
  const used = await fetch(`${stage.server.address}/v1/links`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  expect(used.status).toBe(200);
  await page.goto(address);
  await page.getByText('This link was used already. Please ask for another.').waitFor();
  await check(page, 'chat used link');
  await admin.widget({ enabled: false });
  await page.reload();
  await page.getByText('This chat is not available any more.').waitFor();
  await check(page, 'chat gone');
}, 300_000);
