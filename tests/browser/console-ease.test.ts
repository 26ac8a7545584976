/** What makes an agent's day easier: taking back what was sent, emoji, quiet hours, being away. */

import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { checkEverywhere } from './kit/axe.ts';
import { Guest } from './kit/guest.ts';
import { Agent, picture } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();

/** More than a sound keeps from the one before. */
const SOUNDS_APART_MS = 1_500;

const begin = (text: string) => Guest.begin(stage.server.address, { text });

async function ada(): Promise<Agent> {
  return Agent.open(await stage.profile(), stage.server.address, 'Ada');
}

async function openPreferences(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('heading', { name: 'Preferences' }).waitFor();
}

test('what was sent can be taken back, and is never lost nor overtaken', async () => {
  const guest = await begin('Is it free?');
  const other = await begin('Another talk');
  const agent = await ada();
  await openPreferences(agent.page);
  await agent.page.getByRole('slider', { name: /^Undo send/ }).fill('10');
  await agent.page.getByText('What you send waits 10 s').waitFor();
  await agent.page.getByRole('link', { name: 'Inbox' }).click();
  await agent.accept('Is it free?');
  await agent.filter('All').click();
  await agent.leaveList();
  const sent = async () => (await guest.texts()).slice(2);
  const undo = agent.log.getByRole('button', { name: 'Undo' });
  await agent.say('No, never!');
  await undo.waitFor();
  await picture(agent.page, 'undo-send');
  await agent.reply.fill('And more');
  await undo.click();
  // As it was, before what was begun since, and the field has the focus.
  await expect.poll(() => agent.reply.inputValue()).toBe('No, never!\nAnd more');
  await expect.poll(() => agent.focused()).toBe('Reply');
  await agent.say('Send me and resolve');
  await undo.waitFor();
  // By keyboard too, while one writes.
  await agent.page.keyboard.press('Alt+z');
  await expect.poll(() => agent.reply.inputValue()).toBe('Send me and resolve');
  await agent.page.keyboard.press('Control+Shift+Enter');
  await undo.click();
  await expect.poll(() => agent.reply.inputValue()).toBe('Send me and resolve');
  expect(await agent.button('Resolve').count()).toBe(1);
  expect(await sent()).toEqual([]);
  // What waits goes on its own, whatever is looked at meanwhile, and in order.
  await agent.say('one');
  await agent.say('two');
  await agent.open('Another talk');
  await expect.poll(sent).toEqual(['one', 'two']);
  // A reload.
  await agent.open('two');
  await agent.sees('two');
  await agent.say('three');
  await undo.waitFor();
  await agent.page.reload();
  await expect.poll(sent).toEqual(['one', 'two', 'three']);
  // And a page that is left for good.
  await agent.sees('three');
  await agent.say('four');
  await undo.waitFor();
  await agent.page.goto('about:blank');
  await expect.poll(sent).toEqual(['one', 'two', 'three', 'four']);
  expect((await other.texts()).length).toBe(2);
}, 300_000);

test('what one began to write is found in another browser, and gone there when it was sent', async () => {
  const guest = await begin('Is it free?');
  const [desk, laptop] = [await ada(), await ada()];
  await desk.accept('Is it free?');
  await desk.reply.fill('Good');
  // The list says so before the conversation is opened.
  await laptop.filter('Mine').click();
  await laptop.row('Draft').waitFor();
  await laptop.open('Is it free?');
  await expect.poll(() => laptop.reply.inputValue()).toBe('Good');
  await laptop.reply.fill('Good morning!');
  // Somebody stands in the field there, and has nothing unsaved in it.
  await expect.poll(() => desk.reply.inputValue()).toBe('Good morning!');
  await laptop.reply.press('Enter');
  await laptop.sees('Good morning!');
  await expect.poll(() => desk.reply.inputValue()).toBe('');
  await expect.poll(async () => (await guest.texts()).slice(2)).toEqual(['Good morning!']);
}, 120_000);

test('what the server could not do can be quoted', async () => {
  await begin('Is it free?');
  const profile = await stage.profile();
  profile.expect(/Failed to load resource/);
  const agent = await Agent.open(profile, stage.server.address, 'Ada');
  await agent.page.route('**/v1/conversations?q=*', (route) =>
    route.fulfill({
      status: 500,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'internal', request_id: '8f00000000000001' }),
    }),
  );
  await agent.page.getByRole('searchbox').fill('free');
  const failed = agent.list.getByRole('alert');
  await failed.getByText('(Request 8f00000000000001)').waitFor();
  await agent.page.unroute('**/v1/conversations?q=*');
  await failed.getByRole('button', { name: 'Try again' }).click();
  await agent.row('Is it free?').waitFor();
}, 60_000);

test('emoji by their names, by keyboard, and never in the way of what is no name', async () => {
  const guest = await begin('It works!');
  const agent = await ada();
  const { keyboard } = agent.page;
  await agent.accept('It works!');
  await agent.heading.press('r');
  await expect.poll(() => agent.focused()).toBe('Reply');
  const options = agent.page.getByRole('option');
  const active = () => agent.page.getByRole('option', { selected: true }).textContent();
  await keyboard.type('Hurray :tad');
  await expect.poll(active).toBe('🎉:tada:');
  await keyboard.press('Enter');
  await expect.poll(() => agent.reply.inputValue()).toBe('Hurray 🎉 ');
  expect(await options.count()).toBe(0);
  await keyboard.type(':hear');
  await expect.poll(active).toBe('😍:heart_eyes:');
  expect(await agent.reply.getAttribute('aria-activedescendant')).not.toBe(null);
  await keyboard.press('ArrowDown');
  await expect.poll(active).toBe('😻:heart_eyes_cat:');
  await keyboard.press('ArrowUp');
  await keyboard.press('ArrowUp');
  const last = await active();
  expect(await checkEverywhere(agent.page, 'console emoji')).toBe(8);
  await keyboard.press('Tab');
  await expect.poll(() => agent.reply.inputValue()).toContain(last?.split(':')[0] ?? 'none');
  await agent.reply.fill('');
  // Escape turns it down; the field keeps the focus, and Enter sends what is written.
  await keyboard.type('see :smi');
  await expect.poll(() => options.count()).toBeGreaterThan(0);
  await keyboard.press('Escape');
  await expect.poll(() => options.count()).toBe(0);
  await keyboard.type('le');
  expect(await options.count()).toBe(0);
  await keyboard.press('Enter');
  await agent.sees('see :smile');
  await keyboard.type('At 10:30, see http://shop.example :) or :D');
  expect(await options.count()).toBe(0);
  await keyboard.press('Enter');
  await expect
    .poll(async () => (await guest.texts()).slice(-2))
    .toEqual(['see :smile', 'At 10:30, see http://shop.example :) or :D']);
}, 300_000);

test('in quiet hours nothing rings but a test', async () => {
  const office = await stage.profile();
  await office.context.addInitScript(() => {
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (when) {
      const { dataset } = document.documentElement;
      dataset.tones = String(Number(dataset.tones ?? '0') + 1);
      start.call(this, when);
    };
  });
  const agent = await Agent.open(office, stage.server.address, 'Ada');
  const { page } = agent;
  const tones = () => page.evaluate(() => Number(document.documentElement.dataset.tones ?? '0'));
  const rests = page.getByRole('link', { name: /^Quiet hours until/ });
  await openPreferences(page);
  const quiet = page.getByRole('region', { name: 'Quiet hours' });
  await quiet.getByRole('checkbox', { name: /^No sounds/ }).check();
  await quiet.getByLabel('From').fill('00:00');
  await quiet.getByLabel('To').fill('00:00');
  await quiet.getByText(/^It is quiet now, until/).waitFor();
  expect(await checkEverywhere(page, 'console quiet hours')).toBe(8);
  await page.getByRole('link', { name: 'Inbox' }).click();
  await rests.waitFor();
  await begin('hush');
  await agent.row('hush').waitFor();
  expect(await tones()).toBe(0);
  await picture(page, 'quiet');
  await rests.click();
  await page.getByRole('button', { name: 'Test: Somebody new is waiting' }).click();
  await expect.poll(tones).toBe(2);
  const testedAt = Date.now();
  // Without a day there is no quiet.
  for (const day of await quiet.getByRole('checkbox', { name: /day$/ }).all()) {
    await day.uncheck({ force: true });
  }
  await quiet.getByText('Without a day there are no quiet hours.').waitFor();
  await page.getByRole('link', { name: 'Inbox' }).click();
  await rests.waitFor({ state: 'detached' });
  // Two sounds at once are one too many: what comes too soon after another is not heard.
  await page.waitForTimeout(Math.max(0, testedAt + SOUNDS_APART_MS - Date.now()));
  await begin('loud');
  await agent.row('loud').waitFor();
  await expect.poll(tones).toBe(4);
}, 300_000);

test('who touches nothing is warned, set away, and back with the next key', async () => {
  const office = await stage.profile();
  await office.context.clock.install();
  const agent = await Agent.open(office, stage.server.address, 'Ada');
  const { page } = agent;
  const { clock } = office.context;
  const warning = page.getByRole('alert').getByText(/^Are you there\?/);
  await openPreferences(page);
  await page.getByLabel(/^Set me away/).selectOption('5');
  await page.getByRole('link', { name: 'Inbox' }).click();
  await page.keyboard.press('Shift');
  await clock.fastForward(5 * 60_000 + 1_000);
  await warning.waitFor();
  expect(await checkEverywhere(page, 'console idle')).toBe(8);
  await page.keyboard.press('Shift');
  await warning.waitFor({ state: 'detached' });
  await clock.fastForward(5 * 60_000 + 1_000);
  await warning.waitFor();
  await clock.fastForward(61_000);
  await expect.poll(() => agent.me.getAttribute('aria-label')).toMatch(/Away/i);
  const ben = await Agent.open(await stage.profile(), stage.server.address, 'Ben');
  await ben.page.getByRole('heading', { name: 'Inbox' }).waitFor();
  await page.keyboard.press('Shift');
  await page.getByText('Now you are online again.').waitFor();
  await expect.poll(() => agent.me.getAttribute('aria-label')).toMatch(/Online/i);
  // What one chooses stays, however long nothing is touched.
  await agent.status('Away');
  await clock.fastForward(30 * 60_000);
  await page.keyboard.press('Shift');
  await expect.poll(() => agent.me.getAttribute('aria-label')).toMatch(/Away/i);
}, 300_000);

test('what one likes is the same in each browser that one signs in to, at once', async () => {
  const [desk, laptop] = [await ada(), await ada()];
  const ben = await Agent.open(await stage.profile(), stage.server.address, 'Ben');
  const theme = (agent: Agent) =>
    agent.page.evaluate(() => document.documentElement.dataset.theme ?? 'system');
  await openPreferences(laptop.page);
  await openPreferences(desk.page);
  await desk.page.getByRole('radio', { name: 'Dark' }).check({ force: true });
  await desk.page.getByRole('slider', { name: /^Undo send/ }).fill('10');
  await desk.page.getByRole('slider', { name: 'Volume' }).fill('0.1');
  // Shown without being loaded anew.
  await laptop.page.getByText('What you send waits 10 s').waitFor();
  await expect.poll(() => theme(laptop)).toBe('dark');
  expect(await laptop.page.getByRole('radio', { name: 'Dark' }).isChecked()).toBe(true);
  // The speakers are others.
  expect(await laptop.page.getByRole('slider', { name: 'Volume' }).inputValue()).toBe('0.6');
  // And back, of that one thing alone.
  await laptop.page.getByRole('radio', { name: 'Light' }).check({ force: true });
  await expect.poll(() => theme(desk)).toBe('light');
  expect(await desk.page.getByRole('slider', { name: /^Undo send/ }).inputValue()).toBe('10');
  // A browser that was never here has it after signing in, and colleagues have their own.
  const fresh = await ada();
  await expect.poll(() => theme(fresh)).toBe('light');
  expect(await theme(ben)).toBe('system');
}, 120_000);
