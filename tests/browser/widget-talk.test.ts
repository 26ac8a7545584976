/** What a visitor does in a chat, beyond writing and reading. */

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Admin } from './kit/admin.ts';
import { Guest } from './kit/guest.ts';
import { Agent, type Profile, picture, readBack, SERVER_GONE, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

/** Served conversations before the wait is told: `ETA_SAMPLES_MIN` of the server. */
const SERVED_MIN = 20;
/** Longer than a page that is looked at takes from a message to its sound: `PAUSE_MS` of the chime. */
const SOUNDS_BY_MS = 1_500;

const stage = setStage();
let admin: Admin;
let site: Site;

beforeAll(async () => {
  site = await Site.open(
    () => `<script async src="${stage.server.address}/loader.js" data-widget="demo"></script>`,
  );
});

beforeEach(async () => {
  admin = await Admin.signIn(stage.server);
  await admin.widget({});
});

afterAll(() => site.close());

const profile = () => stage.profile();

/** A visitor who wrote `text`, and Ada who took it. */
async function talk(text: string): Promise<[Visitor, Agent]> {
  const visitor = await Visitor.open(await profile(), site.address);
  await visitor.openChat();
  await visitor.say(text);
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept(text);
  return [visitor, ada];
}

test('how it was is asked once, with a comment, and answered with thanks', async () => {
  const [visitor, ada] = await talk('Rate me');
  await ada.say('Done');
  await ada.button('Resolve').click();
  await visitor.chat.getByText('How did we do?').waitFor();
  await visitor.chat.getByLabel('2 of 5 stars').focus();
  await visitor.page.keyboard.press('ArrowRight');
  await visitor.page.keyboard.press('ArrowRight');
  await visitor.chat.getByLabel('Anything to add?').fill('Quick and kind');
  await picture(visitor.page, 'rating');
  await visitor.chat.getByRole('button', { name: 'Send rating' }).click();
  await visitor.chat.getByText('Thank you for your rating!').waitFor();
  await visitor.page.reload();
  await visitor.chat.getByText('Thank you for your rating!').waitFor();
  const ratings = async () => {
    const { body } = await admin.call('GET', '/v1/conversations?limit=50');
    return (body.items as { rating: object | null }[]).map(({ rating }) => rating);
  };
  const rating = expect.objectContaining({ score: 4, comment: 'Quick and kind' });
  await expect.poll(ratings).toContainEqual(rating);
});

test('a new chat keeps what was before, also after a reload', async () => {
  const [visitor, ada] = await talk('The first chat');
  await ada.button('Resolve').click();
  await visitor.chat.getByRole('button', { name: 'Start a new chat' }).click();
  await visitor.sees('The first chat');
  await visitor.say('The second chat');
  await visitor.log.getByText('Sent').waitFor();
  const texts = ['The first chat', 'The second chat'];
  expect(await visitor.order(texts)).toEqual(texts);
  await visitor.page.reload();
  await visitor.sees('The second chat');
  await visitor.chat.getByRole('button', { name: 'Show earlier messages' }).click();
  await visitor.sees('The first chat');
  expect(await visitor.order(texts)).toEqual(texts);
});

test('the last message can be changed for a minute', async () => {
  const [visitor, ada] = await talk('Wrong word');
  await visitor.log.getByText('Seen').waitFor();
  await visitor.input.press('ArrowUp');
  await visitor.chat.getByText('Changing your message').waitFor();
  await expect.poll(() => visitor.input.inputValue()).toBe('Wrong word');
  await picture(visitor.page, 'editing');
  await visitor.input.press('Escape');
  await expect.poll(() => visitor.input.inputValue()).toBe('');
  await visitor.input.press('ArrowUp');
  await visitor.input.fill('Right word');
  await visitor.input.press('Enter');
  await visitor.sees('Right word');
  await visitor.log.getByText('Edited').waitFor();
  await ada.sees('Right word');
});

test('what is not sent yet survives a reload', async () => {
  const visitor = await Visitor.open(await profile(), site.address);
  await visitor.openChat();
  const kept = (text: string) =>
    visitor.page.evaluate(
      (part) => Object.values(localStorage).some((value) => String(value).includes(part)),
      text,
    );
  await visitor.input.pressSequentially('Half a thou');
  await expect.poll(() => kept('Half a thou')).toBe(true);
  await visitor.page.reload();
  await expect.poll(() => visitor.input.inputValue()).toBe('Half a thou');
  await visitor.say('Whole');
  await visitor.log.getByText('Sent').waitFor();
  await expect.poll(() => kept('Half a thou')).toBe(false);
  await visitor.page.reload();
  await visitor.sees('Whole');
  expect(await visitor.input.inputValue()).toBe('');
});

test('whoever leaves while waiting has their place when they are back', async () => {
  await Guest.begin(stage.server.address, { text: 'I was first' });
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  const visitor = await Visitor.open(await profile(), site.address);
  await visitor.openChat();
  await visitor.say('I am second');
  const place = visitor.chat.getByText('Number 2 in line').first();
  await place.waitFor();
  await visitor.page.goto('about:blank');
  await Guest.begin(stage.server.address, { text: 'I came while you were away' });
  await ada.filter('Unassigned 3').waitFor();
  await visitor.page.goto(site.address);
  await place.waitFor();
  await visitor.sees('I am second');
  await ada.accept('I was first');
  await visitor.chat.getByText('Number 1 in line').first().waitFor();
  await ada.list.getByRole('button', { name: 'Accept next' }).click();
  await ada.sees('I am second');
  await visitor.log.getByText(/joined the chat/).waitFor();
});

test('how long it takes is told as soon as enough others were served, and not before', async () => {
  await Agent.open(await profile(), stage.server.address, 'Ada');
  const serve = async (guest: Guest) => {
    const chat = `/v1/conversations/${guest.conversation}`;
    for (const act of ['accept', 'close']) {
      expect((await admin.call('POST', `${chat}/${act}`, {})).status).toBe(200);
    }
  };
  for (let nth = 1; nth < SERVED_MIN; nth += 1) {
    await serve(await Guest.begin(stage.server.address, { text: `Guest ${nth}` }));
  }
  const visitor = await Visitor.open(await profile(), site.address);
  await visitor.openChat();
  await visitor.say('How long?');
  const head = visitor.chat.locator('.head');
  await head.getByText('Number 1 in line', { exact: true }).waitFor();
  await serve(await Guest.begin(stage.server.address, { text: 'One more' }));
  await head.getByText('Number 1 in line · about 1 min', { exact: true }).waitFor();
  await picture(visitor.page, 'widget-wait');
});

test('whoever cannot wait leaves an address, and the agent has it', async () => {
  const visitor = await Visitor.open(await profile(), site.address);
  await visitor.openChat();
  await visitor.say('I have to catch a train');
  await visitor.log.getByText('Nobody is here right now').waitFor();
  expect(await visitor.chat.getByText(/in line/).count()).toBe(0);
  const email = visitor.chat.getByLabel(/Leave your email/);
  await email.fill('nonsense');
  const leave = visitor.chat.getByRole('button', { name: 'Leave email' });
  await leave.click();
  expect(await email.evaluate((input: HTMLInputElement) => input.validity.valid)).toBe(false);
  await picture(visitor.page, 'widget-reach');
  const form = visitor.chat.locator('form.form');
  expect(await form.evaluate((box) => box.scrollHeight - box.clientHeight)).toBe(0);
  await email.fill('vera@shop.example');
  await leave.click();
  const told = visitor.chat.getByText('If you have to go, we will answer to vera@shop.example.');
  await told.waitFor();
  await expect
    .poll(() => visitor.input.evaluate((input) => input === document.activeElement))
    .toBe(true);
  await picture(visitor.page, 'widget-reached');
  await visitor.page.reload();
  await told.waitFor();
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await visitor.log.getByText('Somebody is here now').waitFor();
  await visitor.chat.getByText('Number 1 in line').first().waitFor();
  await ada.accept('I have to catch a train');
  const context = ada.page.getByRole('complementary', { name: 'Context' });
  await context.getByText('vera@shop.example').waitFor();
  await told.waitFor({ state: 'detached' });
});

test('an agent who comes is seen at once as they look', async () => {
  expect((await admin.call('PATCH', '/v1/agents/me', { title: 'Plant doctor' })).status).toBe(200);
  const visitor = await Visitor.open(await profile(), site.address);
  await visitor.openChat();
  await visitor.say('My fern is ill');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('My fern is ill');
  await visitor.chat.getByText(/is here for you · Plant doctor$/).waitFor();
  await picture(visitor.page, 'widget-title');
});

test('whoever reads back stays there, and is told what is new', async () => {
  const [visitor, ada] = await talk('Tell me everything');
  for (let i = 1; i <= 25; i += 1) await ada.say(`line ${i}`);
  await visitor.page.bringToFront();
  await visitor.sees('line 25');
  await readBack(visitor.log);
  await ada.page.bringToFront();
  await ada.say('news one');
  await ada.say('news two');
  await visitor.page.bringToFront();
  const pill = visitor.chat.getByRole('button', { name: '2 new' });
  await pill.waitFor();
  expect(await visitor.log.evaluate((log) => log.scrollTop)).toBe(0);
  await picture(visitor.page, 'pill');
  await pill.click();
  await pill.waitFor({ state: 'hidden' });
  const left = await visitor.log.evaluate(
    (log) => log.scrollHeight - log.scrollTop - log.clientHeight,
  );
  expect(left).toBeLessThan(2);
});

test('a reload, and another page of the site, lead back to where the visitor read', async () => {
  const [visitor, ada] = await talk('Tell me everything');
  for (let i = 1; i <= 25; i += 1) await ada.say(`line ${i}`);
  await visitor.page.bringToFront();
  await visitor.sees('line 25');
  const kept = () => visitor.page.evaluate(() => localStorage.getItem('switchboard:demo:place'));
  await readBack(visitor.log);
  const line = visitor.log.getByText('line 5', { exact: true });
  const top = () => line.evaluate((shown) => Math.round(shown.getBoundingClientRect().top));
  const [below, left] = [await top(), 205];
  await visitor.log.evaluate((log, pixels) => {
    log.scrollTop = pixels;
  }, left);
  const before = await top();
  expect(before).toBe(below - left);
  // Where the first that is still seen begins, above the edge: so many pixels are kept.
  const cut = await visitor.log.evaluate((log) => {
    const items = [...log.querySelectorAll<HTMLElement>('li[id]')];
    const first = items.find((item) => item.offsetTop + item.offsetHeight > log.scrollTop);
    return (first?.offsetTop ?? 0) - log.scrollTop;
  });
  await expect.poll(kept).toContain(`",${cut},"`);
  await visitor.page.reload();
  await visitor.sees('line 25');
  await expect.poll(top).toBe(before);
  await ada.page.bringToFront();
  await ada.say('news one');
  await visitor.page.bringToFront();
  await visitor.page.goto(`${site.address}/other`);
  const pill = visitor.chat.getByRole('button', { name: '1 new' });
  await pill.waitFor();
  await expect.poll(top).toBe(before);
  await pill.click();
  await pill.waitFor({ state: 'hidden' });
  await expect.poll(kept).toBeNull();
});

test('the chat is a file for whoever wants one, from its first message', async () => {
  const [visitor, ada] = await talk('Is my fern ill?');
  await ada.note('Asks every week');
  await ada.say('It is not');
  await visitor.page.bringToFront();
  await visitor.sees('It is not');
  await visitor.say('Thanks');
  await visitor.sees('Thanks');
  await visitor.log.getByText(/^(Sent|Delivered|Seen)/).waitFor();
  const download = visitor.page.waitForEvent('download');
  await visitor.chat.getByLabel('More', { exact: true }).click();
  await visitor.chat.getByRole('button', { name: 'Save chat as text' }).click();
  const file = await download;
  expect(file.suggestedFilename()).toMatch(/^conversation-\d+\.txt$/);
  const text = await readFile(await file.path(), 'utf8');
  const said = text.split('\n').map((line) => line.replace(/^\[[\d :-]+ UTC\] /, ''));
  expect(said.filter((line) => line.includes(': '))).toEqual([
    'Support: Hello! How can we help?',
    'You: Is my fern ill?',
    'Ada: It is not',
    'You: Thanks',
  ]);
  expect(text).not.toContain('Asks every week');
});

test('an input method’s Enter is its own', async () => {
  const visitor = await Visitor.open(await profile(), site.address);
  await visitor.openChat();
  await visitor.input.fill('かん');
  await visitor.input.evaluate((input) => {
    const enter = { key: 'Enter', bubbles: true, cancelable: true };
    input.dispatchEvent(new KeyboardEvent('keydown', { ...enter, isComposing: true }));
    input.dispatchEvent(new KeyboardEvent('keydown', { ...enter, keyCode: 229 } as object));
  });
  expect(await visitor.input.inputValue()).toBe('かん');
  await visitor.input.press('Enter');
  await visitor.sees('かん');
});

test('a sound only when asked for, and remembered', async () => {
  const opened = await profile();
  await countNotes(opened);
  const visitor = await Visitor.open(opened, site.address);
  await visitor.openChat();
  await visitor.say('Sing');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('Sing');
  const notes = () => notesOf(visitor);
  await visitor.page.bringToFront();
  await visitor.input.press('Escape');
  await ada.say('silence');
  await visitor.page.getByRole('button', { name: 'Chat (1)' }).waitFor();
  await visitor.page.waitForTimeout(SOUNDS_BY_MS);
  expect(await notes()).toBe(0);
  await visitor.openChat();
  await visitor.chat.getByLabel('More').click();
  await visitor.chat.getByLabel('Play a sound').check();
  await expect.poll(notes).toBeGreaterThan(0);
  const tried = await notes();
  await ada.say('while looking');
  await visitor.page.bringToFront();
  await visitor.sees('while looking');
  await visitor.page.waitForTimeout(SOUNDS_BY_MS);
  expect(await notes()).toBe(tried);
  await visitor.page.reload();
  await visitor.chat.getByLabel('More').click();
  expect(await visitor.chat.getByLabel('Play a sound').isChecked()).toBe(true);
  await visitor.page.keyboard.press('Escape');
  await visitor.page.keyboard.press('Escape');
  await visitor.input.waitFor({ state: 'hidden' });
  await ada.say('now');
  await expect.poll(notes).toBeGreaterThan(0);
});

test('of two tabs one sounds, and none while the visitor reads along in the other', async () => {
  const opened = await profile();
  await countNotes(opened);
  const one = await Visitor.open(opened, site.address);
  await one.openChat();
  await one.say('Sing once');
  await one.chat.getByLabel('More').click();
  await one.chat.getByLabel('Play a sound').check();
  await one.page.keyboard.press('Escape');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('Sing once');
  const two = await Visitor.open(opened, site.address);
  const tabs = [one, two];
  for (const tab of tabs) {
    await tab.page.bringToFront();
    await tab.sees('Sing once');
    await tab.input.click();
    await tab.page.keyboard.press('Escape');
    await tab.input.waitFor({ state: 'hidden' });
  }
  const heard = async () => (await notesOf(one)) + (await notesOf(two));
  const tried = await heard();
  await ada.say('for one');
  for (const tab of tabs) await tab.page.getByRole('button', { name: 'Chat (1)' }).waitFor();
  await expect.poll(heard).toBe(tried + 2);
  await two.page.bringToFront();
  await two.openChat();
  await one.page.getByRole('button', { name: 'Chat', exact: true }).waitFor();
  await ada.say('for who looks');
  await two.page.bringToFront();
  await two.sees('for who looks');
  // Longer than a page takes to find out whether it sounds.
  await two.page.waitForTimeout(3_000);
  expect(await heard()).toBe(tried + 2);
});

/** Counts, in each frame to come, the tones that it plays; a sound has two. */
async function countNotes({ context }: Profile): Promise<void> {
  await context.addInitScript(() => {
    const counted = window as unknown as { notes: number };
    counted.notes = 0;
    const { createOscillator } = AudioContext.prototype;
    AudioContext.prototype.createOscillator = function () {
      counted.notes += 1;
      return createOscillator.call(this);
    };
  });
}

function notesOf({ chat }: Visitor): Promise<number> {
  return chat.locator('body').evaluate(() => (window as unknown as { notes: number }).notes);
}

test('a message that is too long cannot be sent', async () => {
  const [visitor, ada] = await talk('Short');
  await ada.say('Go on');
  await visitor.input.fill('x'.repeat(20_000));
  await visitor.chat.getByText('This message is too long to be sent.').waitFor();
  expect(await visitor.chat.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
});

test('a message that was refused is kept, with what can be done about it', async () => {
  const shop = await profile();
  let refuse = true;
  await shop.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await shop.context.routeWebSocket('**/v1/stream', (socket) => {
    const upstream = socket.connectToServer();
    socket.onMessage((message) => {
      const { type, conversation, n, body } = JSON.parse(String(message));
      if (refuse && type === 'send' && body.text.startsWith('refused')) {
        socket.send(JSON.stringify({ type: 'nack', conversation, n, code: 'forbidden' }));
      } else {
        upstream.send(message);
      }
    });
  });
  const visitor = await Visitor.open(shop, site.address);
  await visitor.openChat();
  await visitor.say('taken');
  await visitor.log.getByText('Sent').waitFor();
  await visitor.say('refused one');
  await visitor.log.getByText('Not sent: you may not write here').waitFor();
  await picture(visitor.page, 'refused');
  await visitor.chat.getByRole('button', { name: 'Copy' }).click();
  const copied = () => visitor.page.evaluate(() => navigator.clipboard.readText());
  await expect.poll(copied).toBe('refused one');
  await visitor.chat.getByRole('button', { name: 'Delete' }).click();
  expect(await visitor.order(['taken', 'refused one'])).toEqual(['taken']);
  await visitor.say('refused two');
  await visitor.log.getByText('Not sent').waitFor();
  await visitor.page.reload();
  await visitor.log.getByText('Not sent').waitFor();
  refuse = false;
  await visitor.chat.getByRole('button', { name: 'Retry' }).click();
  await visitor.log.getByText('Sent', { exact: true }).waitFor();
  expect((await admin.card('refused two')).unread).toBe(2);
});

test('an agent begins a chat, and the visitor meets it where the widget is', async () => {
  const [visitor, ada] = await talk('Bye');
  await ada.button('Resolve').click();
  await visitor.chat.getByRole('button', { name: 'Start a new chat' }).waitFor();
  const card = await admin.card('Bye');
  const { id } = card.visitor as { id: string };
  await visitor.page.bringToFront();
  await visitor.chat.getByLabel('Close chat').click();
  const begun = await admin.call('POST', '/v1/conversations/outbound', {
    widget: 'demo',
    visitor: id,
    message: { text: 'One more thing from us' },
  });
  expect(begun.status).toBe(201);
  await visitor.page.getByRole('button', { name: /One more thing from us/ }).click();
  await visitor.sees('One more thing from us');
  await visitor.say('Yes?');
  await visitor.log.getByText('Sent').or(visitor.log.getByText('Seen')).first().waitFor();
  expect((await admin.card('Yes?')).id).toBe(begun.body.id);
});

test('a one-use link leads to the chat as a page, and only once', async () => {
  const begun = await admin.call('POST', '/v1/conversations/outbound', {
    widget: 'demo',
    contact: { email: 'walter@shop.example', name: 'Walter' },
    message: { text: 'Your parcel is here' },
  });
  const link = new URL(String(begun.body.link));
  const address = stage.server.address + link.pathname + link.search + link.hash;
  const opened = await profile();
  const page = await opened.context.newPage();
  await page.goto(address);
  const log = page.getByRole('log');
  await log.getByText('Your parcel is here').waitFor();
  expect(new URL(page.url()).hash).toBe('');
  await page.getByRole('textbox', { name: 'Your message' }).fill('Thanks, I come');
  await page.keyboard.press('Enter');
  await log.getByText(/Sent|Delivered|Seen/).waitFor();
  await picture(page, 'hosted');
  expect((await admin.card('Thanks, I come')).id).toBe(begun.body.id);
  await page.reload();
  await log.getByText('Thanks, I come').waitFor();
  const other = await profile();
  other.expect(/410/);
  const second = await other.context.newPage();
  await second.goto(address);
  await second.getByText('This link was used already. Please ask for another.').waitFor();
  expect(await second.getByText('Your parcel is here').count()).toBe(0);
});

test('offline for a minute, the server begun anew meanwhile, two tabs: once and in order', async () => {
  const shop = await profile();
  const [one, two] = [
    await Visitor.open(shop, site.address),
    await Visitor.open(shop, site.address),
  ];
  for (const tab of [one, two]) await tab.openChat();
  await one.say('before');
  await two.sees('before');
  shop.expect(SERVER_GONE);
  shop.expect(/ERR_INTERNET_DISCONNECTED/);
  await shop.context.setOffline(true);
  await stage.server.kill();
  const queued = ['first while away', 'second while away', 'third while away'];
  for (const text of queued) await one.say(text);
  await one.chat.getByText(/Reconnecting/).waitFor();
  await stage.server.run();
  await one.page.waitForTimeout(60_000);
  await shop.context.setOffline(false);
  const texts = ['before', ...queued];
  for (const tab of [one, two]) {
    await tab.sees('third while away');
    await expect.poll(() => tab.order(texts)).toEqual(texts);
  }
  await one.log.getByText('Sent').waitFor();
  const card = await admin.card('third while away');
  const { body } = await admin.call('GET', `/v1/conversations/${card.id}/messages`);
  const stored = (body.items as { kind: string; body: { text: string } }[])
    .filter(({ kind }) => kind === 'message')
    .map((event) => event.body.text)
    .filter((text) => texts.includes(text));
  expect(stored).toEqual(texts);
}, 200_000);
