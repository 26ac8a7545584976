/** What agents do all day, on the real server: each flow once, visitors by requests. */

import { readFile } from 'node:fs/promises';
import type { Locator, WebSocketRoute } from 'playwright-core';
import { expect, test } from 'vitest';
import { Admin } from './kit/admin.ts';
import { Guest } from './kit/guest.ts';
import { Line } from './kit/line.ts';
import { Agent, type Profile, picture, readBack } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();

const profile = () => stage.profile();

async function agent(name: 'Ada' | 'Ben', in_?: Profile): Promise<Agent> {
  return Agent.open(in_ ?? (await profile()), stage.server.address, name);
}

function begin(
  text: string,
  more: Omit<Parameters<typeof Guest.begin>[1], 'text'> = {},
): Promise<Guest> {
  return Guest.begin(stage.server.address, { text, ...more });
}

test('the filters count what is in them, live', async () => {
  const ada = await agent('Ada');
  await ada.page.getByText('Nobody is waiting').waitFor();
  await begin('first');
  const second = await begin('second');
  await ada.filter('Unassigned 2').waitFor();
  await ada.accept('first');
  for (const name of ['All 2', 'Unassigned 1', 'Active 1', 'Mine 1'])
    await ada.filter(name).waitFor();
  await ada.button('Resolve').click();
  await ada.filter('Mine$').waitFor();
  // What is done leads to the next that waits.
  await ada.sees('second');
  await ada.filter('Closed 1').click();
  await ada.row('first').getByText('Resolved').waitFor();
  expect(await toneOf(ada.row('first').getByText('Resolved'))).toBe('gray');
  await ada.open('first');
  await ada.button(/^Reopen$/).click();
  await ada.filter('Mine 1').waitFor();
  // The color says what the word says.
  await ada.filter('All').click();
  await ada.leaveList();
  await second.say('third');
  const unread = ada.row('third').locator('.unread');
  await expect.poll(() => unread.textContent()).toBe('1 unread');
  expect(await toneOf(unread)).toBe('red');
  expect(await toneOf(ada.row('third').getByText('Waiting'))).toBe('yellow');
  expect(await toneOf(ada.row('first').getByText('Active'))).toBe('green');
});

/** The color behind a word, as people call it. */
function toneOf(badge: Locator): Promise<string> {
  return badge.evaluate((element) => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    if (canvas === null) throw new Error('no canvas');
    canvas.fillStyle = getComputedStyle(element).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    const [r = 0, g = 0, b = 0] = canvas.getImageData(0, 0, 1, 1).data;
    const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
    if (most - least < 20) return 'gray';
    const part = (x: number, y: number) => (x - y) / (most - least);
    const sixth = most === r ? part(g, b) : most === g ? 2 + part(b, r) : 4 + part(r, g);
    const hue = (sixth * 60 + 360) % 360;
    if (hue < 20 || hue > 340) return 'red';
    if (hue > 40 && hue < 70) return 'yellow';
    return hue > 90 && hue < 170 ? 'green' : `hue ${hue}`;
  });
}

test('nothing moves under the pointer; what is new waits behind a button', async () => {
  await begin('one');
  const ada = await agent('Ada');
  await ada.row('one').hover();
  await begin('two');
  const pill = ada.list.getByRole('button', { name: '1 new' });
  await pill.waitFor();
  expect(await ada.row('two').count()).toBe(0);
  await picture(ada.page, 'list-new');
  await pill.click();
  await ada.row('two').waitFor();
  await begin('three');
  await pill.waitFor();
  await ada.leaveList();
  await ada.row('three').waitFor();
});

test('what is done leads to the previous one, or to the list, as one likes', async () => {
  for (const text of ['one', 'two', 'three']) await begin(text);
  const ada = await agent('Ada');
  const like = async (what: string) => {
    await ada.page.getByRole('link', { name: 'Settings' }).click();
    await ada.page.getByRole('radio', { name: what }).check({ force: true });
    await ada.page.getByRole('link', { name: 'Inbox' }).click();
  };
  await like('The previous');
  await ada.open('two');
  await ada.sees('two');
  await ada.button(/^Resolve$/).click();
  await ada.sees('one');
  await like('The list');
  await ada.open('three');
  await ada.sees('three');
  await ada.button(/^Resolve$/).click();
  await ada.page.getByRole('heading', { name: 'No conversation open' }).waitFor();
  await ada.filter('Unassigned 1').waitFor();
});

test('accept next takes the one that waits longest', async () => {
  await begin('patient');
  await begin('newer');
  const ada = await agent('Ada');
  await ada.filter('Unassigned 2').waitFor();
  await ada.list.getByRole('button', { name: 'Accept next' }).click();
  await ada.sees('patient');
  await ada.reply.waitFor();
});

test('accept next passes over who needs skills that one does not have', async () => {
  await begin('Parlez-vous français ?', { skills: ['french'] });
  const ada = await agent('Ada');
  const next = ada.list.getByRole('button', { name: 'Accept next' });
  await next.click();
  await ada.page.getByText('Who waits needs other skills').waitFor();
  await begin('Just a fern');
  await ada.filter('Unassigned 2').waitFor();
  await next.click();
  await ada.sees('Just a fern');
  await ada.reply.waitFor();
  await ada.button(/^Resolve$/).click();
  const admin = await Admin.signIn(stage.server);
  const set = await admin.call('PUT', '/v1/agents/me/skills', { skills: ['french'] });
  expect(set.status).toBeLessThan(300);
  await next.click();
  await ada.sees('Parlez-vous français ?');
  await ada.reply.waitFor();
});

test('a reply begun before a colleague answered is held until that was seen', async () => {
  const guest = await begin('Who answers?');
  const ada = await agent('Ada');
  await ada.accept('Who answers?');
  const ben = await agent('Ben');
  await ben.filter('All').click();
  await ben.open('Who answers?');
  await ada.reply.fill('Mine is a long answer');
  await ben.page.getByText(/^Ada.* is typing…$/).waitFor();
  await ben.say('I do');
  const against = ben.page
    .getByRole('alert')
    .filter({ hasText: /^Ada.* is typing a reply right now/ });
  await against.getByRole('button', { name: 'Send anyway' }).click();
  await ada.sees('I do');
  await ada.reply.press('Enter');
  const held = ada.page.getByRole('alert').filter({ hasText: /^Ben.* replied just now/ });
  await held.waitFor();
  await picture(ada.page, 'stale-reply');
  await held.getByRole('button', { name: 'View' }).click();
  expect(await ada.reply.inputValue()).toBe('Mine is a long answer');
  await ada.reply.press('Enter');
  await ada.sees('Mine is a long answer');
  expect((await guest.texts()).slice(-3)).toEqual([
    'Who answers?',
    'I do',
    'Mine is a long answer',
  ]);
});

test('a reply that crosses with a colleague’s is refused by the server and can be sent anyway', async () => {
  const guest = await begin('Anybody there?');
  const office = await profile();
  let hold = false;
  const held: (() => void)[] = [];
  await office.context.routeWebSocket('**/v1/stream', (socket: WebSocketRoute) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((message) => {
      const { type } = JSON.parse(String(message)) as { type: string };
      // A slow line: Ada does not hear yet that Ben has answered, nor that he was about to.
      if (hold && type === 'event') held.push(() => socket.send(message));
      else if (!(hold && type === 'typing')) socket.send(message);
    });
  });
  const ada = await agent('Ada', office);
  await ada.accept('Anybody there?');
  const ben = await agent('Ben');
  await ben.filter('All').click();
  await ben.open('Anybody there?');
  hold = true;
  await ben.say('Ben here');
  await expect.poll(async () => (await guest.texts()).at(-1)).toBe('Ben here');
  await ada.say('Ada here');
  await ada.page.getByText(/Not sent/).waitFor();
  hold = false;
  for (const send of held.splice(0)) send();
  await ada.page
    .getByRole('alert')
    .filter({ hasText: /^Ben.* replied/ })
    .waitFor();
  await ada.page.getByRole('button', { name: 'Send anyway' }).click();
  await expect.poll(async () => (await guest.texts()).slice(-2)).toEqual(['Ben here', 'Ada here']);
});

test('one’s own words can be changed and taken back for a while', async () => {
  const guest = await begin('How much is it?', { name: 'Vi Price' });
  const ada = await agent('Ada');
  await ada.accept('How much is it?');
  await ada.say('It is 39 euro');
  await ada.sees('It is 39 euro');
  const menuOf = (text: string) =>
    ada.log
      .getByRole('listitem')
      .filter({ hasText: text })
      .getByRole('button', { name: 'What to do with this message' });
  await menuOf('It is 39 euro').click();
  await ada.page.getByRole('menuitem', { name: 'Edit' }).click();
  const field = ada.page.getByRole('textbox', { name: 'Edit the message' });
  await field.fill('It is 24 euro');
  await field.press('Enter');
  await ada.sees('It is 24 euro');
  await ada.log.getByText('(edited)').waitFor();
  await menuOf('It is 24 euro').click();
  await ada.page.getByRole('menuitem', { name: 'Remove…' }).click();
  await ada.dialog.getByRole('button', { name: 'Remove' }).click();
  await ada.log.getByText('Removed', { exact: true }).waitFor();
  expect(await guest.texts()).toContain('How much is it?');
  // A visitor's words are not an agent's to change.
  const ben = await agent('Ben');
  await ben.filter('All').click();
  await ben.open('Vi Price');
  await ben.log
    .getByRole('listitem')
    .filter({ hasText: 'How much is it?' })
    .getByRole('button', { name: 'What to do with this message' })
    .click();
  await ben.page.getByRole('menuitem', { name: 'Copy text' }).waitFor();
  expect(await ben.page.getByRole('menuitem', { name: 'Edit' }).count()).toBe(0);
});

test('tags, priority and department are set from pickers, and show in the list', async () => {
  await begin('Broken pot');
  const ada = await agent('Ada');
  await ada.accept('Broken pot');
  await ada.heading.press('p');
  await ada.dialog.getByRole('combobox').fill('urg');
  await ada.page.keyboard.press('Enter');
  await ada.filter('Mine').click();
  await ada.leaveList();
  await ada.row('Broken pot').getByText('Urgent').waitFor();
  await ada.heading.press('l');
  await ada.dialog.getByRole('combobox').fill('damage');
  await ada.page.keyboard.press('Enter');
  await ada.dialog.getByRole('combobox').fill('refund');
  await ada.page.keyboard.press('Enter');
  await ada.page.keyboard.press('Escape');
  await ada.dialog.waitFor({ state: 'hidden' });
  for (const tag of ['damage', 'refund']) await ada.row('Broken pot').getByText(tag).waitFor();
  await ada.heading.press('d');
  await ada.dialog.getByRole('option', { name: 'Sales' }).click();
  await ada.page
    .getByRole('region', { name: 'Open conversation' })
    .getByText('You · Sales')
    .waitFor();
});

test('what the server refuses goes back to what it was, with a word and a retry', async () => {
  const office = await profile();
  let refuse = true;
  await office.context.routeWebSocket('**/v1/stream', (socket: WebSocketRoute) => {
    const upstream = socket.connectToServer();
    socket.onMessage((message) => {
      const frame = JSON.parse(String(message)) as { type: string; ref?: string; action?: string };
      if (refuse && frame.type === 'do' && frame.action === 'priority') {
        socket.send(JSON.stringify({ type: 'refused', ref: frame.ref, code: 'at_capacity' }));
      } else {
        upstream.send(message);
      }
    });
  });
  await begin('Take it back');
  const ada = await agent('Ada', office);
  await ada.accept('Take it back');
  const open = ada.page.getByRole('region', { name: 'Open conversation' });
  const urgent = open.getByText('Urgent', { exact: true });
  await ada.heading.press('p');
  await ada.dialog.getByRole('option', { name: 'Urgent' }).click();
  const notice = ada.page.getByText(/^Could not change the priority/);
  await notice.waitFor();
  await expect.poll(() => urgent.count()).toBe(0);
  refuse = false;
  await ada.page.getByRole('button', { name: 'Retry' }).click();
  await urgent.waitFor();
});

test('a transfer that was refused is back where it came from', async () => {
  await begin('Not for me');
  const ada = await agent('Ada');
  const ben = await agent('Ben');
  await ada.accept('Not for me');
  await ada.heading.press('t');
  const target = ada.dialog.getByRole('radio', { name: /Ben/ });
  await ada.dialog.getByText(/Online · 0 of \d+ chats/).waitFor();
  await target.check();
  await ada.dialog.getByRole('textbox').fill('You know ferns');
  await ada.dialog.getByRole('button', { name: 'Hand over' }).click();
  await ben.filter('Mine 1').click();
  await ben.open('Not for me');
  await ben.sees('You know ferns');
  await ben.page.getByRole('status').getByRole('button', { name: 'Hand back' }).click();
  await ada.filter('Mine 1').waitFor();
  await ben.filter('Mine$').waitFor();
});

test('a draft is kept for its conversation, also across a reload', async () => {
  await begin('To the east');
  await begin('To the west');
  const ada = await agent('Ada');
  await ada.accept('To the east');
  await ada.reply.fill('half a sentence');
  await ada.filter('All').click();
  await ada.leaveList();
  await ada.row('To the east').getByText('Draft').waitFor();
  await ada.open('To the west');
  await ada.sees('To the west');
  await ada.open('To the east');
  await ada.reply.press('End');
  // The page goes with the last key.
  await ada.reply.pressSequentially(' more');
  await ada.page.reload();
  await ada.filter('All').click();
  await ada.open('To the east');
  await expect.poll(() => ada.reply.inputValue()).toBe('half a sentence more');
});

test('what was said long ago comes in while scrolling there', async () => {
  const guest = await begin('line 0');
  for (let line = 1; line < 100; line += 1) await guest.say(`line ${line}`);
  const ada = await agent('Ada');
  await ada.accept('line 99');
  await ada.sees('line 99');
  expect(await ada.log.getByText('line 20', { exact: true }).count()).toBe(0);
  await readBack(ada.log);
  await ada.log.getByText('line 20', { exact: true }).waitFor();
  // The reader stays where they were: what came in is above.
  const top = await ada.log.evaluate((log) => log.scrollTop);
  expect(top).toBeGreaterThan(300);
  await guest.say('and one more');
  await ada.page.getByRole('button', { name: '1 new' }).click();
  await ada.sees('and one more');
});

test('a reload leaves list and transcript where they were scrolled to', async () => {
  // First, so that nobody who waits has to be told that she came.
  const ada = await agent('Ada');
  const long = await begin('line 0');
  for (let line = 1; line < 120; line += 1) await long.say(`line ${line}`);
  for (let other = 0; other < 40; other += 1) await begin(`other ${other}`);
  await ada.filter('All 41').click();
  const list = ada.list.locator('.virtual');
  await ada.row('other 39').waitFor();
  await list.evaluate((element) => {
    element.scrollTop = element.scrollHeight;
  });
  await ada.open('line 119');
  await ada.sees('line 119');
  await readBack(ada.log);
  const line = ada.log.getByText('line 55', { exact: true });
  await line.evaluate((element) => element.scrollIntoView({ block: 'start' }));
  const at = async () => ({
    line: Math.round((await line.boundingBox())?.y ?? 0),
    list: await list.evaluate((element) => Math.round(element.scrollTop)),
  });
  // The place counts once the page has heard of it.
  await ada.page.evaluate(() => new Promise(requestAnimationFrame));
  const before = await at();
  expect(before.list).toBeGreaterThan(1_000);
  await ada.page.reload();
  await line.waitFor();
  await expect.poll(at).toEqual(before);
  expect(await ada.filter('All').getAttribute('aria-pressed')).toBe('true');
  // Who was at the end is there again, with what came in meanwhile.
  await ada.log.evaluate((log) => {
    log.scrollTop = log.scrollHeight;
  });
  await ada.page.evaluate(() => new Promise(requestAnimationFrame));
  await long.say('the newest');
  await ada.page.reload();
  await expect.poll(() => ada.log.getByText('the newest').isVisible()).toBe(true);
  expect(
    await ada.log.evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight),
  ).toBeLessThan(2);
});

test('an address leads to its conversation, and back leads to the one before', async () => {
  const [one, two] = [await begin('number one'), await begin('number two')];
  const ada = await agent('Ada');
  await ada.open('number one');
  await ada.page.waitForURL(`${stage.server.address}/console/c/${one.conversation}`);
  await ada.open('number two');
  await ada.sees('number two');
  await ada.page.goBack();
  await ada.sees('number one');
  await ada.page.goto(`${stage.server.address}/console/c/${two.conversation}`);
  await ada.sees('number two');
  await ada.page.goto(`${stage.server.address}/console/c/00000000-0000-7000-8000-000000000000`);
  await ada.page.getByText('This conversation cannot be shown').waitFor();
});

test('the title counts what is unread, and clears when it is read', async () => {
  const guest = await begin('Hello title');
  await begin('Another');
  const ada = await agent('Ada');
  await ada.accept('Hello title');
  await expect.poll(() => ada.page.title()).toBe('Inbox');
  await ada.open('Another');
  await guest.say('Are you there?');
  await expect.poll(() => ada.page.title()).toBe('(1) Inbox');
  await ada.filter('Mine').click();
  await ada.open('Are you there?');
  await expect.poll(() => ada.page.title()).toBe('Inbox');
});

test('of two tabs one rings', async () => {
  const office = await profile();
  await office.context.addInitScript(() => {
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (when) {
      document.documentElement.dataset.tones = String(
        Number(document.documentElement.dataset.tones ?? '0') + 1,
      );
      start.call(this, when);
    };
  });
  const tabs = [await agent('Ada', office), await agent('Ada', office)];
  const tones = () =>
    Promise.all(
      tabs.map((tab) => tab.page.evaluate(() => document.documentElement.dataset.tones ?? '0')),
    );
  // Who needs what she cannot do rings for others.
  await begin('Sonnez', { skills: ['french'] });
  for (const tab of tabs) await tab.row('Sonnez').waitFor();
  await begin('Ring');
  // A chime has two tones.
  await expect.poll(async () => (await tones()).sort()).toEqual(['0', '2']);
});

test('a sound that the browser blocks says so, and a click helps', async () => {
  const office = await profile();
  await office.context.addInitScript(() => {
    const state = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, 'state');
    let clicked = false;
    const look = () => {
      clicked = document.body.textContent?.includes('blocks sounds') === true;
    };
    addEventListener('click', look, { capture: true });
    Object.defineProperty(BaseAudioContext.prototype, 'state', {
      get() {
        return clicked ? state?.get?.call(this) : 'suspended';
      },
    });
  });
  const ada = await agent('Ada', office);
  await begin('Hush');
  const bar = ada.page.getByText('The browser blocks sounds.');
  await bar.waitFor();
  await ada.page.getByRole('button', { name: 'Click to enable' }).click();
  await bar.waitFor({ state: 'hidden' });
});

test('the first connection is no reconnecting', async () => {
  const office = await profile();
  const line = await Line.of(office);
  await line.cut();
  const page = await office.context.newPage();
  await page.goto(`${stage.server.address}/console`);
  await page.getByRole('button', { name: /Continue as Ada/ }).click();
  await page.getByText('Connecting…', { exact: true }).waitFor();
  await line.mend();
  await page.getByText('Nobody is waiting').waitFor();
  expect(await page.getByText('Connecting…').count()).toBe(0);
  await line.cut();
  await page.getByText('Reconnecting…').waitFor();
  await line.mend();
});

test('a newer version is offered, not forced', async () => {
  const office = await profile();
  let tag = 'W/"old"';
  let looked = 0;
  await office.context.route('**/console', async (route) => {
    if (route.request().resourceType() === 'document') return route.fallback();
    looked += 1;
    return route.fulfill({ status: 200, headers: { etag: tag }, body: '' });
  });
  await begin('New things');
  const ada = await agent('Ada', office);
  await ada.accept('New things');
  await expect.poll(() => looked).toBeGreaterThan(0);
  tag = 'W/"new"';
  const before = looked;
  office.expect(/ERR_INTERNET_DISCONNECTED|WebSocket|Failed to load resource/);
  await office.context.setOffline(true);
  await stage.server.kill();
  await office.context.setOffline(false);
  await stage.server.run();
  const bar = ada.page.getByRole('button', { name: 'Reload to update' });
  let words = 0;
  await expect
    .poll(async () => {
      words += 1;
      await ada.reply.fill(`${words} words`);
      return looked;
    })
    .toBeGreaterThan(before);
  // Not while somebody writes.
  await ada.reply.press('End');
  expect(await bar.count()).toBe(0);
  await ada.reply.press('Escape');
  await bar.waitFor();
});

test('colors, density and keys are kept', async () => {
  const ada = await agent('Ada');
  await ada.page.getByRole('link', { name: 'Settings' }).click();
  await ada.page.getByRole('link', { name: 'Preferences' }).click();
  await ada.page.getByRole('radio', { name: 'Dark' }).check({ force: true });
  await ada.page.getByRole('radio', { name: 'Compact' }).check({ force: true });
  await ada.page.getByRole('checkbox', { name: /Single-key/ }).uncheck();
  await ada.page.reload();
  await ada.page.getByRole('radio', { name: 'Dark' }).waitFor();
  expect(await ada.page.evaluate(() => ({ ...document.documentElement.dataset }))).toEqual({
    theme: 'dark',
    density: 'compact',
  });
  await ada.page.getByRole('link', { name: 'Inbox' }).click();
  await ada.page.keyboard.press('?');
  expect(await ada.dialog.count()).toBe(0);
  await ada.page.keyboard.press('Control+k');
  await ada.dialog.waitFor();
});

test('keys can be chosen, are shown everywhere, and come back as they were', async () => {
  await begin('Other keys');
  const ada = await agent('Ada');
  const { page } = ada;
  const { keyboard } = page;
  const change = (title: string) =>
    page.getByRole('button', { name: `Change the keys of ${title}`, exact: true });
  const pressNew = async (title: string, ...keys: string[]) => {
    await change(title).focus();
    await keyboard.press('Enter');
    const field = ada.dialog.getByLabel('New key');
    await expect
      .poll(() => field.evaluate((element) => element === document.activeElement))
      .toBe(true);
    for (const key of keys) await keyboard.press(key);
  };
  const row = (title: string) => page.getByRole('listitem').filter({ has: change(title) });
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('link', { name: 'Preferences' }).click();

  // What the browser needs is refused, what another has is said, and both by keyboard alone.
  await pressNew('Resolve', 'Control+p');
  await ada.dialog.getByText(/Ctrl\+P cannot be chosen\. The browser prints/).waitFor();
  await keyboard.press('t');
  await ada.dialog.getByText('T: Transfer has it now, and would lose it.').waitFor();
  await picture(page, 'keys-conflict');
  await keyboard.press('Enter');
  await ada.dialog.waitFor({ state: 'hidden' });
  await page.getByText('Resolve: T.').waitFor();
  await row('Transfer').getByText('no key').waitFor();
  await pressNew('All commands', 'Control+Shift+e');
  await ada.dialog.getByText(/while you write, too/).waitFor();
  await ada.dialog.getByRole('button', { name: 'Add it' }).click();
  await pressNew('Reply', 'g', 'r');
  await ada.dialog.getByText(/^G then R is free/).waitFor();
  await keyboard.press('Enter');
  await ada.dialog.waitFor({ state: 'hidden' });

  await page.reload();
  await row('Reply').getByText('R', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Inbox' }).click();
  await ada.accept('Other keys');
  const resolve = ada.button(/^Resolve$/);
  expect(await resolve.getAttribute('title')).toBe('T');
  await ada.heading.press('g');
  await keyboard.press('r');
  await expect.poll(() => ada.focused()).toBe('Reply');
  await keyboard.press('Control+Shift+e');
  await ada.dialog.getByRole('combobox').fill('resolve');
  await ada.dialog
    .getByRole('option', { name: /^Resolve/ })
    .getByText('T', { exact: true })
    .waitFor();
  await keyboard.press('Escape');
  await ada.heading.press('e');
  await ada.heading.press('t');
  await ada.filter('Mine$').waitFor();

  await page.keyboard.press('?');
  await ada.dialog.getByRole('link', { name: 'Change keys' }).click();
  await change('Resolve').click();
  await ada.dialog.getByRole('button', { name: 'Reset to E' }).click();
  await page.getByText('Resolve: E.').waitFor();
  await row('Transfer').getByText('T', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Reset all keys' }).click();
  await page.getByText('All keys are as they come.').waitFor();
  expect(await page.getByRole('button', { name: 'Reset all keys' }).isDisabled()).toBe(true);
});

test('beside a conversation stands who it is, where they are and what was before', async () => {
  const first = await Guest.begin(stage.server.address, {
    text: 'Long ago',
    name: 'Maya',
    email: 'maya@shop.example',
    context: { url: 'https://shop.example/ferns', title: 'Ferns' },
    fields: { order: '4411' },
  });
  const ada = await agent('Ada');
  await ada.accept('Long ago');
  await ada.button(/^Resolve$/).click();
  await first.again('And now');
  await ada.open('And now');
  const context = ada.page.getByRole('complementary', { name: 'Context' });
  await context.getByText('maya@shop.example').waitFor();
  await context.getByText('Unverified').waitFor();
  await context.getByRole('link', { name: /Long ago/ }).click();
  await ada.sees('Long ago');
  await context.getByText('4411').waitFor();
  await context.getByText('node').waitFor();
  await picture(ada.page, 'context');
  // What is done is in no list that is shown: for the palette the server finds it, and whose it is.
  await ada.page.keyboard.press('Control+k');
  const field = ada.dialog.getByRole('combobox');
  await field.fill('maya@shop.example');
  await ada.dialog.getByRole('option', { name: /And now/ }).waitFor();
  await ada.dialog.getByRole('option', { name: /Long ago/ }).waitFor();
  await picture(ada.page, 'palette-search');
  await ada.dialog.getByRole('option', { name: /maya@shop\.example/ }).click();
  await expect
    .poll(() => ada.list.getByRole('list', { name: 'Found' }).getByRole('listitem').count())
    .toBe(2);
});

test('the search finds by name, address and page, without case or accents', async () => {
  await begin('first', { name: 'Élodie Fournier', email: 'elodie@shop.example' });
  await begin('second', { name: 'Maya', email: 'maya@shop.example' });
  await begin('third', { context: { page: 'https://shop.example/ferns', title: 'Fougères' } });
  const ada = await agent('Ada');
  await ada.row('third').waitFor();
  const field = ada.page.getByRole('searchbox', { name: 'Search conversations' });
  for (const [text, found] of [
    ['elodie four', 'first'],
    ['MAYA@shop', 'second'],
    ['shop.example/ferns', 'third'],
    ['fougeres', 'third'],
  ] as const) {
    await field.fill(text);
    const list = ada.list.getByRole('list', { name: 'Found' });
    await expect.poll(() => list.getByRole('listitem').count()).toBe(1);
    await list.getByText(found).waitFor();
  }
  await field.fill('nobody of that name');
  await ada.page.getByText('Nothing found').waitFor();
  await picture(ada.page, 'search-nothing');
  await field.press('Escape');
  await ada.row('first').waitFor();
});

test('colleagues see who looks at a conversation and who types in it, in the list as well', async () => {
  const guest = await begin('Look at me');
  const [ada, ben] = [await agent('Ada'), await agent('Ben')];
  await ada.accept('Look at me');
  await ben.filter('All').click();
  const inRow = (words: RegExp) => ben.row('Look at me').getByText(words);
  await inRow(/^Ada.* is viewing$/).waitFor();
  await ada.reply.pressSequentially('Dear');
  await inRow(/^Ada.* is typing$/).waitFor();
  await picture(ben.page, 'typing-in-list');
  // After a pause she only looks.
  await inRow(/^Ada.* is viewing$/).waitFor();
  await ben.open('Look at me');
  const over = (who: Agent, words: RegExp) =>
    who.page.getByRole('region', { name: 'Open conversation' }).getByText(words);
  await over(ada, /^Ben.* is viewing$/).waitFor();
  await over(ben, /^Ada.* is viewing$/).waitFor();
  await picture(ada.page, 'viewing');
  await ada.reply.pressSequentially(' Vi');
  await over(ben, /^Ada.* is typing$/).waitFor();
  await ben.page.close();
  await over(ada, /^Ben.* is viewing$/).waitFor({ state: 'hidden' });
  await ada.page.close();
  expect((await guest.texts()).length).toBe(2);
});

test('the transcript of a conversation is a file, without what was said among colleagues', async () => {
  const guest = await begin('Is my fern ill?', { name: 'Maya' });
  const ada = await agent('Ada');
  await ada.accept('Is my fern ill?');
  await ada.note('Asks every week');
  await ada.say('It is not');
  await guest.say('مرحبا\nand thanks');
  await ada.sees('مرحبا\nand thanks');
  const download = ada.page.waitForEvent('download');
  await ada.button('More for this conversation').click();
  await ada.page.getByRole('menuitem', { name: 'Download the transcript' }).click();
  const file = await download;
  expect(file.suggestedFilename()).toMatch(/^conversation-\d+\.txt$/);
  const text = await readFile(await file.path(), 'utf8');
  const said = text.split('\n').map((line) => line.replace(/^\[[\d :-]+ UTC\] /, ''));
  expect(said[2]).toBe('The conversation began');
  expect(said.filter((line) => /^(Maya|Ada.*): |^ /.test(line))).toEqual([
    'Maya: Is my fern ill?',
    expect.stringMatching(/^Ada.*: It is not$/),
    'Maya: مرحبا',
    '    and thanks',
  ]);
});

test('a new chat leads its customer in by a link that works once', async () => {
  const ada = await agent('Ada');
  await ada.list.getByRole('button', { name: 'New chat' }).click();
  const begins = ada.dialog.getByRole('button', { name: 'Begin the chat' });
  await ada.dialog.getByLabel('First message').fill('Your fern has arrived');
  expect(await begins.isDisabled()).toBe(true);
  await ada.dialog.getByLabel('Email of the customer').fill('maya@shop');
  await ada.dialog.getByText('This is no email address.').waitFor();
  await ada.dialog.getByLabel('Email of the customer').fill('maya@shop.example');
  await picture(ada.page, 'new-chat');
  await begins.click();
  const link = await ada.dialog.getByLabel('Link for the customer').inputValue();
  await picture(ada.page, 'new-chat-link');
  await ada.dialog.getByRole('button', { name: 'Open the conversation' }).click();
  await ada.sees('Your fern has arrived');
  const follow = () =>
    fetch(`${stage.server.address}/v1/links`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: new URL(link).hash.slice(1) }),
    });
  const led = (await (await follow()).json()) as { conversation: string };
  expect(ada.page.url()).toContain(led.conversation);
  expect((await follow()).status).toBe(410);
});

test('on a phone it is a list, then a conversation, then what is around it', async () => {
  await begin('Small screen');
  const ada = await agent('Ada');
  await ada.page.setViewportSize({ width: 320, height: 640 });
  await ada.row('Small screen').getByRole('link').click();
  await ada.sees('Small screen');
  expect(await ada.list.isVisible()).toBe(false);
  await ada.page.getByRole('button', { name: 'Context pane', exact: true }).click();
  await expect.poll(() => ada.focused()).toBe('Close the context pane');
  await ada.page.keyboard.press('Escape');
  await ada.page.getByRole('complementary', { name: 'Context' }).waitFor({ state: 'hidden' });
  await ada.page.getByRole('link', { name: 'Back to the list' }).click();
  await ada.row('Small screen').waitFor();
});
