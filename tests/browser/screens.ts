/**
 * Makes docs/SCREENS.md and its pictures (`cargo xtask screens`): every page of the product as it
 * comes out of the real binary, with a small story in it.
 */

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Admin } from './kit/admin.ts';
import { Owner } from './kit/owner.ts';
import { Agent, launch, Profile, Visitor } from './kit/people.ts';
import { Server } from './kit/server.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const FOLDER = 'images/screens';
const BYTES_MAX = 150 * 1_024;
/** Of WebP; text stays sharp. */
const QUALITY = 82;

interface Shot {
  name: string;
  text: string;
}

interface Section {
  title: string;
  shots: Shot[];
}

const sections: Section[] = [];
let browser: Browser;

beforeAll(async () => {
  browser = await launch();
  await rm(join(DOCS, FOLDER), { recursive: true, force: true });
  await mkdir(join(DOCS, FOLDER), { recursive: true });
});

afterAll(async () => {
  await browser.close();
});

function section(title: string): void {
  sections.push({ title, shots: [] });
}

/** Notices come and go; a page is shown without. Behind a dialog nothing can be dismissed. */
async function quiet(page: Page): Promise<void> {
  for (const dismiss of await page.getByRole('button', { name: 'Dismiss' }).all()) {
    await dismiss.click({ timeout: 1_000 }).catch(() => {});
  }
}

interface Look {
  dark?: boolean;
  rtl?: boolean;
  width?: number;
  height?: number;
}

/** Takes a picture of a page in a certain look, and puts the page back as it was. */
async function shoot(page: Page, name: string, text: string, look: Look = {}): Promise<void> {
  const before = page.viewportSize();
  await page.setViewportSize({ width: look.width ?? 1280, height: look.height ?? 800 });
  await page.emulateMedia({ colorScheme: look.dark ? 'dark' : 'light', reducedMotion: 'reduce' });
  const turn = (dir: string) =>
    page.evaluate((value) => {
      document.documentElement.dir = value;
    }, dir);
  if (look.rtl) await turn('rtl');
  await quiet(page);
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', {
    format: 'webp',
    quality: QUALITY,
  });
  await session.detach();
  const bytes = Buffer.from(data, 'base64');
  expect(bytes.length, name).toBeLessThanOrEqual(BYTES_MAX);
  await writeFile(join(DOCS, FOLDER, `${name}.webp`), bytes);
  sections.at(-1)?.shots.push({ name, text });
  if (look.rtl) await turn('ltr');
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  if (before !== null) await page.setViewportSize(before);
}

const PHONE = { width: 360, height: 720 };

test('visitors and agents', async () => {
  const server = await Server.start();
  const shop = await Profile.open(browser);
  const desk = await Profile.open(browser);
  const visitor = await Visitor.open(shop, `${server.address}/demo`);
  section('Visitors');
  await visitor.launcher.waitFor();
  await shoot(visitor.page, 'demo', 'A shop with the launcher in its corner');
  await visitor.openChat();
  await shoot(visitor.page, 'widget-new', 'The widget, just opened');
  await visitor.say('Hello! Do you ship ferns to Ireland?');
  await visitor.sees('Hello! Do you ship ferns to Ireland?');
  const ada = await Agent.open(desk, server.address, 'Ada');
  await ada.row('ferns').waitFor();
  const waiting = async (look: Look, name: string, text: string) =>
    shoot(ada.page, name, text, look);
  await ada.accept('ferns');
  await ada.say('We do, from Monday to Wednesday. They travel in paper, with damp moss.');
  await ada.note('Third question about Ireland this week.');
  await visitor.page.bringToFront();
  await visitor.sees('We do, from Monday to Wednesday. They travel in paper, with damp moss.');
  await visitor.say('Lovely. And how long does it take?');
  await visitor.log
    .getByText(/^(Delivered|Seen)/)
    .last()
    .waitFor();
  await shoot(visitor.page, 'widget-talk', 'A conversation, seen by the visitor');
  await shoot(visitor.page, 'widget-phone', 'The same on a phone, dark', { ...PHONE, dark: true });
  await visitor.chat.getByLabel('More').click();
  await visitor.chat.getByRole('button', { name: 'Save chat as text' }).waitFor();
  await shoot(visitor.page, 'widget-menu', 'What a visitor can do, and what is kept');
  await visitor.chat.getByLabel('More').click();
  for (const text of ['My monstera has yellow leaves.', 'Is the moon cactus back?']) {
    const other = await Profile.open(browser);
    const another = await Visitor.open(other, `${server.address}/demo`);
    await another.openChat();
    await another.say(text);
    await ada.filter('All').click();
    await ada.row(text).waitFor();
    await other.close();
  }
  section('Agents');
  await ada.page.bringToFront();
  await ada.sees('Lovely. And how long does it take?');
  await waiting({}, 'console', 'The inbox: list, conversation and context');
  await waiting({ dark: true }, 'console-dark', 'The same, dark');
  await waiting({ rtl: true }, 'console-rtl', 'The same, from right to left');
  await waiting(PHONE, 'console-phone', 'A conversation on a phone');
  await ada.page.goto(`${server.address}/console`);
  await ada.filter('All').click();
  await ada.row('moon cactus').waitFor();
  await waiting(PHONE, 'console-list-phone', 'The list on a phone');
  for (const text of ['moon cactus', 'monstera']) await ada.row(text).getByRole('checkbox').check();
  await ada.leaveList();
  await waiting({}, 'selected', 'Several conversations, to do the same with all of them');
  await ada.page.keyboard.press('Escape');
  await ada.page.keyboard.press('Control+k');
  await ada.page.getByRole('dialog').waitFor();
  await waiting({}, 'palette', 'Every command and conversation, a few letters away');
  await ada.page.keyboard.press('Escape');
  await ada.page.goto(`${server.address}/console/settings/preferences`);
  await ada.page.getByRole('heading', { name: 'Preferences' }).waitFor();
  await waiting({}, 'preferences', 'What each agent sets for themselves');
  await ada.page.getByRole('checkbox', { name: /^No sounds/ }).check();
  await ada.page.getByRole('heading', { name: 'Quiet hours' }).scrollIntoViewIfNeeded();
  await ada.page.getByRole('checkbox', { name: 'Sunday' }).scrollIntoViewIfNeeded();
  await waiting({}, 'quiet-hours', 'Sounds, notifications and the hours without them');
  await ada.page.getByRole('checkbox', { name: /^No sounds/ }).uncheck();
  const own = ada.page.getByRole('button', { name: 'Change the keys of Reply', exact: true });
  await own.click();
  await ada.dialog.waitFor();
  await waiting({}, 'chosen-keys', 'Every key can be another');
  await ada.page.keyboard.press('Escape');
  await ada.page.goto(`${server.address}/console`);
  await ada.filter('Mine').click();
  await ada.open('how long does it take');
  await ada.button('Resolve').click();
  await visitor.page.bringToFront();
  await visitor.chat.locator('.star').nth(4).click();
  await visitor.chat.getByLabel('Anything to add?').fill('Quick, and kind to ferns.');
  section('After a chat');
  await shoot(visitor.page, 'widget-rating', 'The visitor is asked once how it was');
  section('While everybody is busy');
  const admin = await Admin.signIn(server);
  await admin.widget({ queue_max: 1 });
  const late = await Profile.open(browser);
  const later = await Visitor.open(late, `${server.address}/demo`);
  await later.openChat();
  await later.chat.getByText('Or leave a message').waitFor();
  await shoot(later.page, 'widget-full', 'No more may wait: a message can be left');
  await late.context.close();
  await ada.page.bringToFront();
  await shop.context.close();
  await desk.context.close();
  await server.stop();
}, 240_000);

test('administrators', async () => {
  const server = await Server.start({ demo: false });
  const profile = await Profile.open(browser);
  const setUp = await profile.context.newPage();
  section('Administrators');
  await setUp.goto(await server.setupLink());
  await setUp.getByRole('heading', { name: 'Set up Switchboard' }).waitFor();
  await shoot(setUp, 'set-up', 'The first start: the link from the log');
  await setUp.close();
  const owner = await Owner.setUp(profile, server);
  await shoot(owner.page, 'first-steps', 'From an empty server to the first answer');
  await owner.open('People');
  for (const [name, email] of [
    ['Ben Okri', 'ben@shop.example'],
    ['Zoë Ångström', 'zoe@shop.example'],
    ['مريم الأسطرلابي', 'mariam@shop.example'],
    ['Grace Hopper', 'grace@shop.example'],
  ] as const) {
    await owner.button('Add a person').click();
    await owner.field('Name').fill(name);
    await owner.field('Email').fill(email);
    await owner.button('Add and make a link').click();
    await owner.button('Done').click();
  }
  await shoot(owner.page, 'people', 'People');
  await owner.page.getByRole('link', { name: 'Ben Okri' }).click();
  await owner.field('Skills').fill('returns, Arabic');
  await shoot(owner.page, 'person', 'One person, with a change that is not saved yet');
  await owner.save();
  await owner.open('Departments');
  await owner.page.getByRole('link', { name: 'Sales' }).waitFor();
  await shoot(owner.page, 'departments', 'Departments, and how their conversations find somebody');
  await owner.open('Widgets');
  await owner.button('Make a widget').first().click();
  await owner.field('Name').fill('Fern & Field');
  await owner.field('Site').fill('https://fern-and-field.example');
  await owner.button('Make it').click();
  await owner.tab('Look');
  await owner.field('Accent').fill('#0f766e');
  const preview = owner.page.frameLocator('iframe[title="The widget as it would be"]');
  await preview.getByText('Fern & Field').first().waitFor();
  const accent = () =>
    preview.locator('html').evaluate((html) => html.style.getPropertyValue('--accent'));
  await expect.poll(accent).toBe('#0f766e');
  const wide = { width: 1440, height: 900 };
  await shoot(owner.page, 'designer', 'The widget designer, with the real widget beside it', wide);
  await owner.field('Accent').fill('#ffd000');
  await owner.field('Background').fill('#ffffff');
  await owner.field('Text').fill('#999999');
  await owner.page.getByText(/4\.5:1 is needed/).waitFor();
  await shoot(owner.page, 'designer-contrast', 'A color that nobody could read is refused', {
    ...wide,
    dark: true,
  });
  for (const [field, color] of [
    ['Accent', '#0f766e'],
    ['Background', ''],
    ['Text', ''],
  ] as const) {
    await owner.field(field).fill(color);
  }
  await owner.tab('Hours');
  await owner.page.getByRole('radio', { name: 'At certain hours' }).check();
  await shoot(owner.page, 'designer-hours', 'Hours by day and time zone', wide);
  await owner.tab('Behavior');
  const most = owner.page.getByLabel('How many may wait');
  await most.fill('5');
  await most.scrollIntoViewIfNeeded();
  await shoot(owner.page, 'designer-behavior', 'What it does, and how many may wait', wide);
  await owner.tab('Sites & embed');
  await owner.field('HTML').waitFor();
  await shoot(owner.page, 'designer-embed', 'Where it may stand, and the line that puts it there', {
    ...wide,
    rtl: true,
  });
  await owner.save();
  await quiet(owner.page);
  await owner.button('Remove widget…').click();
  await owner.dialog.waitFor();
  await shoot(owner.page, 'removal', 'A widget goes only when its name is written', wide);
  await owner.page.keyboard.press('Escape');
  await owner.open('API keys');
  await owner.heading('No keys yet').waitFor();
  await owner.button('Create a key').click();
  await owner.field('Name').fill('Order bot');
  await shoot(owner.page, 'keys', 'A key for a program, with no more than it needs');
  await owner.page.keyboard.press('Escape');
  await owner.open('Tenants');
  await owner.page.getByRole('list', { name: 'Tenants' }).waitFor();
  await shoot(owner.page, 'tenants', 'Tenants, kept apart');
  await owner.open('Audit log');
  const changes = owner.page.getByRole('list', { name: 'Changes' });
  await changes.getByText('changed the widget').first().waitFor();
  await changes
    .getByRole('listitem')
    .filter({ hasText: 'changed the widget' })
    .first()
    .locator('summary')
    .click();
  await shoot(owner.page, 'audit', 'Who changed what', wide);
  await owner.open('Your profile');
  await owner.field('Current password').waitFor();
  await shoot(owner.page, 'profile-phone', 'One’s own profile on a phone', PHONE);
  await owner.signOut();
  await shoot(owner.page, 'sign-in', 'Signing in', { dark: true });
  await profile.context.close();
  await server.stop();
}, 240_000);

test('the page that shows them', async () => {
  const parts = sections.map(({ title, shots }) => {
    const pictures = shots.map(
      ({ name, text }) => `### ${text}\n\n![${text}](${FOLDER}/${name}.webp)`,
    );
    return `## ${title}\n\n${pictures.join('\n\n')}`;
  });
  const head =
    '# Screens\n\nEvery page as it comes out of the binary. `cargo xtask screens` makes this page and its pictures anew.';
  await writeFile(join(DOCS, 'SCREENS.md'), `${[head, ...parts].join('\n\n')}\n`);
  expect(sections.flatMap(({ shots }) => shots).length).toBeGreaterThan(20);
});
