/** The widget in every state under axe: both colors, both directions, wide and narrow, large text. */

import { AxeBuilder } from '@axe-core/playwright';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Admin } from './kit/admin.ts';
import { Guest } from './kit/guest.ts';
import { Line } from './kit/line.ts';
import { Agent, picture, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** What a finger needs; text links within a sentence are free of it. */
const TARGET_PX = 44;

const stage = setStage();
let admin: Admin;
let site: Site;

beforeAll(async () => {
  site = await Site.open(
    (path) =>
      (path === '/ar'
        ? '<script>document.documentElement.lang = "ar"; document.documentElement.dir = "rtl"</script>'
        : '') +
      '<main><h1>A shop</h1></main>' +
      `<script async src="${stage.server.address}/loader.js" data-widget="demo"></script>`,
  );
});

beforeEach(async () => {
  admin = await Admin.signIn(stage.server);
});

afterAll(() => site.close());

/** No violation, nothing sideways, nothing too small for a finger. */
async function check(visitor: Visitor, state: string): Promise<void> {
  const { page, chat } = visitor;
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 320]) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 760 });
      const where = `${state} ${colorScheme} ${width}`;
      await picture(page, `widget ${where}`.replaceAll(' ', '-'));
      const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`);
      expect(found, where).toEqual([]);
      if ((await page.locator('iframe').count()) === 0) continue;
      const wide = await chat
        .locator('html')
        .evaluate((root) => root.scrollWidth - root.clientWidth);
      expect(wide, where).toBeLessThanOrEqual(0);
      // Found and measured in one step: a page that draws anew in between leaves old elements.
      const small = await chat.locator('body').evaluate((body, least) => {
        const targets = 'button, summary, select, .form input, .topics label, .star';
        return [...body.querySelectorAll(targets)]
          .filter((element) => element.checkVisibility())
          .map((element) => ({ box: element.getBoundingClientRect(), html: element.outerHTML }))
          .filter(({ box }) => box.height < least || box.width < least)
          .map(({ box, html }) => `${box.width}×${box.height} ${html}`);
      }, TARGET_PX);
      expect(small, where).toEqual([]);
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await drawn(visitor);
}

/**
 * Waits until the pointer finds things where they are. Axe opens a tab of its own and closes it, and
 * until the page is drawn again the pointer may find them where they were before the last change of
 * its size.
 */
async function drawn({ page, chat }: Visitor): Promise<void> {
  const menu = chat.locator('.menu summary');
  if (!(await menu.isVisible())) return;
  await expect
    .poll(async () => {
      await page.mouse.move(0, 0);
      await page.screenshot();
      await menu.hover({ force: true });
      return menu.evaluate((element) => element.matches(':hover'));
    })
    .toBe(true);
  await page.mouse.move(0, 0);
}

test.each(['ltr', 'rtl'])(
  'every state, %s',
  async (direction) => {
    const path = direction === 'rtl' ? '/ar' : '/';
    const profile = await stage.profile();
    const line = await Line.of(profile);
    const office = await stage.profile();
    const rtl = direction === 'rtl';
    const words = rtl
      ? {
          begin: 'بدء الدردشة',
          message: 'رسالتك',
          more: 'المزيد',
          seen: /شاهدها|شوهدت/,
          end: 'كيف كانت',
          back: /إعادة الاتصال/,
          refused: /لم تُرسل/,
        }
      : {
          begin: 'Start chat',
          message: 'Your message',
          more: 'More',
          seen: /Seen/,
          end: 'How did we',
          back: /Reconnecting/,
          refused: /Not sent/,
        };
    await admin.widget({
      prechat: {
        fields: [
          { name: 'name', label: 'Your name', kind: 'text', required: true },
          { name: 'plant', label: 'Plant', kind: 'choice', required: false, choices: ['Fern'] },
          { name: 'story', label: 'Story', kind: 'long', required: false },
        ],
      },
    });
    const visitor = await Visitor.open(profile, site.address + path);
    await visitor.launcher.waitFor();
    await check(visitor, `${direction} closed`);
    await visitor.launcher.click();
    await visitor.chat.getByLabel('Your name').waitFor();
    await check(visitor, `${direction} prechat`);
    await admin.widget({ offline: { behavior: 'form' } });
    await visitor.chat.locator('textarea[name=message]').waitFor();
    await check(visitor, `${direction} leave`);
    await admin.widget({
      offline: { behavior: 'redirect', redirect_url: 'https://shop.example/contact' },
    });
    await visitor.chat.locator('.ended a').waitFor();
    await check(visitor, `${direction} redirect`);
    await admin.widget({ departments: ['sales', 'billing'] });
    const input = visitor.chat.getByRole('textbox', { name: words.message });
    await visitor.chat.locator('.topics').waitFor();
    await check(visitor, `${direction} new`);
    await visitor.chat.getByLabel(words.more).click();
    await check(visitor, `${direction} menu`);
    await visitor.chat.getByLabel(words.more).click();
    const text = `Look at https://shop.example/a-very-long-address-that-must-break-somewhere ${direction}`;
    await input.fill(text);
    await input.press('Enter');
    await visitor.chat.locator('input[type=email]').waitFor();
    await check(visitor, `${direction} waiting`);
    const ada = await Agent.open(office, stage.server.address, 'Ada');
    await ada.accept(`${direction}`);
    await ada.say('I see it. مرحبا');
    await visitor.sees('I see it. مرحبا');
    // Longer than the pause between two signs of typing.
    await ada.reply.pressSequentially('Well well', { delay: 500 });
    await visitor.page.bringToFront();
    await visitor.chat.locator('.typing').waitFor();
    await check(visitor, `${direction} talk`);
    line.refuse = ({ type, conversation, n, body }) =>
      type === 'send' && body?.text === 'No'
        ? { type: 'nack', conversation, n, code: 'forbidden' }
        : null;
    await input.fill('No');
    await input.press('Enter');
    await visitor.log.getByText(words.refused).waitFor();
    await check(visitor, `${direction} not sent`);
    await visitor.log.locator('.broken button').last().click();
    await line.cut();
    await visitor.chat.getByText(words.back).waitFor();
    await check(visitor, `${direction} reconnecting`);
    await line.mend();
    await visitor.chat.getByText(words.back).waitFor({ state: 'hidden' });
    await input.press('Escape');
    await ada.page.bringToFront();
    await ada.say('Nobody looks');
    await visitor.page.bringToFront();
    const bubble = visitor.page.getByRole('button', { name: /: Nobody looks/ });
    await bubble.waitFor();
    await check(visitor, `${direction} preview bubble`);
    await bubble.click();
    await visitor.sees('Nobody looks');
    await input.fill('x'.repeat(17_000));
    await visitor.chat.getByRole('alert').waitFor();
    await check(visitor, `${direction} too long`);
    await input.fill('A mistake');
    await input.press('Enter');
    await visitor.log.getByText(words.seen).waitFor();
    await input.press('ArrowUp');
    await visitor.chat.locator('.editing').waitFor();
    await check(visitor, `${direction} editing`);
    await input.press('Escape');
    await ada.page.bringToFront();
    await ada.button('Resolve').click();
    await visitor.page.bringToFront();
    await visitor.chat.getByText(words.end).waitFor();
    await visitor.chat.locator('.star').nth(3).click();
    await check(visitor, `${direction} rating`);
  },
  400_000,
);

test.each(['ltr', 'rtl'])(
  'a full line, %s',
  async (direction) => {
    const form = { queue_max: 1, offline: { behavior: 'form' } };
    await admin.widget({ ...form, queue_max: 2 });
    const office = await stage.profile();
    await Agent.open(office, stage.server.address, 'Ada');
    await Guest.begin(stage.server.address, { text: 'I was first' });
    const profile = await stage.profile();
    profile.expect(/409|net::ERR/);
    // News do not reach this one: what is written is refused.
    await profile.context.route(/demo\?wait=/, () => {});
    const path = direction === 'rtl' ? '/ar' : '/';
    const visitor = await Visitor.open(profile, site.address + path);
    await visitor.launcher.click();
    await visitor.chat.locator('textarea').fill('Me too');
    await admin.widget(form);
    await visitor.chat.locator('textarea').press('Enter');
    await visitor.chat.locator('.form button').nth(1).waitFor();
    await check(visitor, `${direction} refused`);
    const other = await Visitor.open(await stage.profile(), site.address + path);
    await other.launcher.click();
    await other.chat.locator('textarea[name=message]').waitFor();
    await check(other, `${direction} full form`);
    await admin.widget({ queue_max: 1 });
    await other.chat.locator('.composer').waitFor();
    await other.chat.locator('p.ended').waitFor();
    await check(other, `${direction} full`);
  },
  400_000,
);

test('with text twice as large nothing is lost', async () => {
  await admin.widget({});
  const profile = await stage.profile();
  const visitor = await Visitor.open(profile, site.address);
  await visitor.openChat();
  await visitor.say('Can you read this well enough, also when it is a long sentence?');
  await visitor.log.getByText('Sent', { exact: true }).waitFor();
  // Zoom to 200 % is half the pixels.
  await visitor.page.setViewportSize({ width: 640, height: 400 });
  await picture(visitor.page, 'widget-zoom');
  expect(await visitor.input.isVisible()).toBe(true);
  await visitor.input.fill('Yes');
  await visitor.chat.getByRole('button', { name: 'Send' }).click();
  await visitor.sees('Yes');
  const wide = await visitor.chat.locator('html').evaluate((root) => root.scrollWidth - innerWidth);
  expect(wide).toBeLessThanOrEqual(0);
});

test('with the system’s own colors every control has an edge', async () => {
  await admin.widget({});
  const profile = await stage.profile();
  const visitor = await Visitor.open(profile, site.address);
  await visitor.page.emulateMedia({ forcedColors: 'active' });
  await visitor.openChat();
  await visitor.say('Edges?');
  await visitor.sees('Edges?');
  // The chat has begun, and shows all that it will: before, it is drawn in steps.
  await visitor.chat.getByRole('button', { name: 'Leave email' }).waitFor();
  await picture(visitor.page, 'widget-forced-colors');
  // In one step: a message that becomes a stored one is drawn anew.
  const edges = await visitor.chat
    .locator('body')
    .evaluate((body) =>
      [...body.querySelectorAll('button, .bubble')].map(
        (one) => getComputedStyle(one).borderTopWidth,
      ),
    );
  expect(edges.length).toBeGreaterThan(3);
  expect(new Set(edges)).toEqual(new Set(['1px']));
});
