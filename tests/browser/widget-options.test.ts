/** Every option of a widget, as its visitors meet it. */

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Admin } from './kit/admin.ts';
import { Agent, picture, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();
let admin: Admin;
let site: Site;

beforeAll(async () => {
  site = await Site.open(
    (path) =>
      (path === '/ar' ? '<script>document.documentElement.lang = "ar-EG"</script>' : '') +
      `<main><h1>A shop</h1></main><script async src="${stage.server.address}/loader.js" data-widget="demo"></script>`,
  );
});

beforeEach(async () => {
  admin = await Admin.signIn(stage.server);
});

afterAll(() => site.close());

const profile = () => stage.profile();

/** A new visitor of the shop, once the widget is set. */
async function visit(change: object): Promise<Visitor> {
  await admin.widget(change);
  return Visitor.open(await profile(), site.address);
}

async function open(visitor: Visitor): Promise<void> {
  await visitor.launcher.click();
  await visitor.log.waitFor();
}

function style(visitor: Visitor, selector: string, property: string): Promise<string> {
  return visitor.chat
    .locator(selector)
    .first()
    .evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), property);
}

function launcherColor(page: Page, part: 'backgroundColor' | 'color' = 'backgroundColor') {
  return page.evaluate((name) => {
    const button = document.querySelector('switchboard-chat')?.shadowRoot?.querySelector('.l');
    return button == null ? undefined : getComputedStyle(button)[name];
  }, part);
}

test('colors, roundness, side and title are those of the settings', async () => {
  const theme = {
    accent: '#0a6b4f',
    background: '#fffaf0',
    text: '#203030',
    radius: 4,
    side: 'left',
    title: 'Plants & co',
  };
  const visitor = await visit({ theme });
  await expect.poll(() => launcherColor(visitor.page)).toBe('rgb(10, 107, 79)');
  expect((await visitor.launcher.boundingBox())?.x).toBeLessThan(100);
  await visitor.openChat();
  await visitor.chat.getByRole('heading', { name: 'Plants & co' }).waitFor();
  await visitor.say('Green?');
  await visitor.sees('Green?');
  expect(await style(visitor, 'body', 'background-color')).toBe('rgb(255, 250, 240)');
  expect(await style(visitor, 'body', 'color')).toBe('rgb(32, 48, 48)');
  expect(await style(visitor, '.own .bubble', 'background-color')).toBe('rgb(10, 107, 79)');
  expect(await style(visitor, '.own .bubble', 'border-top-left-radius')).toBe('4px');
  await picture(visitor.page, 'option-theme');
});

test.each([
  ['#0a6b4f', 'color(xyz-d65 1 1 1)', 'lch(100 0 0)'],
  ['#ffd000', 'color(xyz-d65 0 0 0)', 'lch(0 0 0)'],
])('on the accent %s words and signs can be read', async (accent, ink, sign) => {
  const visitor = await visit({ theme: { accent } });
  await visitor.openChat();
  await visitor.say('Can you read this?');
  await visitor.sees('Can you read this?');
  expect(await style(visitor, '.head', 'color')).toBe(ink);
  expect(await style(visitor, '.own .bubble', 'color')).toBe(ink);
  await expect.poll(() => launcherColor(visitor.page, 'color')).toBe(sign);
  await picture(visitor.page, `option-accent-${accent.slice(1)}`);
});

test.each([
  ['light', 'dark', 'rgb(255, 255, 255)'],
  ['dark', 'light', 'rgb(22, 24, 31)'],
  ['auto', 'dark', 'rgb(22, 24, 31)'],
] as const)('scheme %s on a %s system', async (scheme, system, paper) => {
  await admin.widget({ theme: { scheme } });
  const opened = await profile();
  const visitor = await Visitor.open(opened, 'about:blank');
  await visitor.page.emulateMedia({ colorScheme: system });
  await visitor.page.goto(site.address);
  await visitor.openChat();
  await expect.poll(() => style(visitor, 'body', 'background-color')).toBe(paper);
});

test('it opens by itself once in a session, and never after it was closed', async () => {
  const visitor = await visit({ auto_open_s: 1 });
  await visitor.input.waitFor();
  const focused = await visitor.page.evaluate(() => document.activeElement?.tagName);
  expect(focused).toBe('BODY');
  await visitor.input.press('Escape');
  await visitor.input.waitFor({ state: 'hidden' });
  await visitor.page.evaluate(() => sessionStorage.clear());
  await visitor.page.reload();
  await visitor.launcher.waitFor();
  await visitor.page.waitForTimeout(2_000);
  expect(await visitor.launcher.getAttribute('aria-expanded')).toBe('false');
});

test('without agents’ pictures there are none', async () => {
  const visitor = await visit({ show_avatars: false });
  await open(visitor);
  await visitor.sees('Hello! How can we help?');
  expect(await visitor.chat.locator('.said .face').count()).toBe(0);
});

test('what is asked before the chat reaches the agents', async () => {
  const fields = [
    { name: 'name', label: 'Your name', kind: 'text', required: true },
    { name: 'email', label: 'Your mail', kind: 'email', required: false },
    { name: 'phone', label: 'Your phone', kind: 'phone', required: false },
    { name: 'order', label: 'Order number', kind: 'text', required: true },
    {
      name: 'plant',
      label: 'Which plant',
      kind: 'choice',
      required: true,
      choices: ['Fern', 'Cactus'],
    },
    { name: 'story', label: 'What happened', kind: 'long', required: false },
  ];
  const visitor = await visit({ prechat: { fields } });
  await open(visitor);
  const begin = visitor.chat.getByRole('button', { name: 'Start chat' });
  await begin.click();
  expect(await visitor.input.count()).toBe(0);
  await visitor.chat.getByLabel('Your name').fill('Vera');
  await visitor.chat.getByLabel('Your mail').fill('vera@shop.example');
  await visitor.chat.getByLabel('Order number').fill('A-17');
  await visitor.chat.getByLabel('Which plant').selectOption('Cactus');
  await picture(visitor.page, 'option-prechat');
  await begin.click();
  await visitor.say('It bites');
  await visitor.log.getByText('Sent').waitFor();
  const card = await admin.card('It bites');
  expect(card.visitor).toMatchObject({ name: 'Vera', email: 'vera@shop.example' });
  const { body } = await admin.call('GET', `/v1/conversations/${card.id}/context`);
  expect(body.fields).toEqual({ order: 'A-17', plant: 'Cactus' });
  await visitor.page.reload();
  await visitor.sees('It bites');
});

test('a needed address is asked for, and a wrong one is not taken', async () => {
  const visitor = await visit({ email_required: true });
  await open(visitor);
  const begin = visitor.chat.getByRole('button', { name: 'Start chat' });
  await visitor.chat.getByLabel('Email').fill('nonsense');
  await begin.click();
  expect(await visitor.input.count()).toBe(0);
  await visitor.chat.getByLabel('Email').fill('vera@shop.example');
  await begin.click();
  await visitor.say('Hello');
  await visitor.log.getByText('Sent').waitFor();
});

test('departments can be chosen, or must be', async () => {
  const visitor = await visit({ departments: ['sales', 'billing'] });
  await visitor.openChat();
  await visitor.chat.getByText('Billing', { exact: true }).click();
  await picture(visitor.page, 'option-departments');
  await visitor.say('My bill is wrong');
  await visitor.log.getByText('Sent').waitFor();
  expect((await admin.card('My bill is wrong')).department).toBe('billing');
  const other = await visit({ departments: ['sales', 'billing'], department_required: true });
  await open(other);
  const begin = other.chat.getByRole('button', { name: 'Start chat' });
  await begin.click();
  expect(await other.input.count()).toBe(0);
  await other.chat.getByText('Sales', { exact: true }).click();
  await begin.click();
  await other.say('Pots?');
  await other.log.getByText('Sent').waitFor();
  expect((await admin.card('Pots?')).department).toBe('sales');
});

test('away: a message', async () => {
  const visitor = await visit({
    offline: { behavior: 'message' },
    offline_message: 'Gone fishing.',
  });
  await visitor.openChat();
  await visitor.chat.getByText('Gone fishing.').waitFor();
  await visitor.say('Then later');
  await visitor.log.getByText('Sent').waitFor();
});

test('away: a form that asks where to answer', async () => {
  const visitor = await visit({ offline: { behavior: 'form' } });
  await open(visitor);
  await visitor.chat.getByRole('heading', { name: 'Leave us a message' }).waitFor();
  await visitor.chat.getByLabel('Email').fill('vera@shop.example');
  await visitor.chat.getByLabel('Your message').fill('Call me about the fern');
  await picture(visitor.page, 'option-offline-form');
  await visitor.chat.getByRole('button', { name: 'Send' }).click();
  await visitor.sees('Call me about the fern');
  await visitor.log.getByText('Sent').waitFor();
  expect((await admin.card('Call me about the fern')).visitor).toMatchObject({
    email: 'vera@shop.example',
  });
});

test('away: a link to another page', async () => {
  const redirect = { behavior: 'redirect', redirect_url: 'https://shop.example/contact' };
  const visitor = await visit({ offline: redirect });
  await open(visitor);
  const link = visitor.chat.getByRole('link', { name: 'Contact us' });
  expect(await link.getAttribute('href')).toBe('https://shop.example/contact');
  expect(await link.getAttribute('target')).toBe('_top');
});

test('outside the hours it says when somebody is back', async () => {
  const day = new Date(Date.now() + 36 * 3_600_000).getUTCDay();
  const name = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'][day] ?? 'mon';
  const hours = { timezone: 'UTC', days: { [name]: [{ from: '09:00', to: '10:00' }] } };
  const visitor = await visit({ hours });
  await visitor.openChat();
  await visitor.chat.getByText(/Back \w+day/).waitFor();
  await picture(visitor.page, 'option-hours');
});

test('in Arabic it reads from right to left', async () => {
  const visitor = await visit({ locale: 'ar' });
  await open(visitor);
  await visitor.chat.getByRole('textbox', { name: 'رسالتك' }).waitFor();
  expect(await visitor.chat.locator('html').getAttribute('dir')).toBe('rtl');
  expect(await visitor.chat.locator('html').getAttribute('lang')).toBe('ar');
  await visitor.chat.getByRole('textbox').fill('مرحبا');
  await visitor.chat.getByRole('textbox').press('Enter');
  await visitor.sees('مرحبا');
  await picture(visitor.page, 'option-arabic');
});

test('the language of the page is the language of the chat', async () => {
  await admin.widget({});
  const visitor = await Visitor.open(await profile(), `${site.address}/ar`);
  await open(visitor);
  await visitor.chat.getByRole('textbox', { name: 'رسالتك' }).waitFor();
});

test('where identity is needed, nobody writes without', async () => {
  const visitor = await visit({ identity_required: true });
  await open(visitor);
  await visitor.chat.getByText('Please sign in on this site to chat with us.').waitFor();
  expect(await visitor.chat.getByRole('textbox').count()).toBe(0);
});

test('what is typed is shown to agents only where the visitor is told', async () => {
  for (const preview_typing of [false, true]) {
    const opened = await profile();
    await admin.widget({ preview_typing });
    const sent: string[] = [];
    const visitor = await Visitor.open(opened, site.address);
    visitor.page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => sent.push(String(payload)));
    });
    await visitor.openChat();
    await visitor.say('First');
    await visitor.log.getByText('Sent').waitFor();
    await visitor.input.pressSequentially('a secret');
    await expect.poll(() => sent.some((frame) => /"type":"typing"/.test(frame))).toBe(true);
    const told = await visitor.chat.getByText('We see what you type').count();
    const shown = sent.some((frame) => /"preview"/.test(frame));
    expect([told > 0, shown]).toEqual([preview_typing, preview_typing]);
  }
});

test('changes reach an open widget', async () => {
  const visitor = await visit({});
  await visitor.openChat();
  await visitor.page.waitForTimeout(500);
  await admin.widget({ theme: { accent: '#7a1f5c', title: 'New name' } });
  await visitor.chat.getByRole('heading', { name: 'New name' }).waitFor();
  await expect.poll(() => launcherColor(visitor.page)).toBe('rgb(122, 31, 92)');
  await admin.widget({
    prechat: { fields: [{ name: 'name', label: 'Who', kind: 'text', required: true }] },
  });
  await visitor.chat.getByLabel('Who').waitFor();
});

test('a widget that is switched off says so in one line, and running chats go on', async () => {
  await admin.widget({});
  const shop = await profile();
  shop.expect(/404/);
  const running = await Visitor.open(shop, site.address);
  await running.openChat();
  await running.say('Before it was off');
  await running.log.getByText('Sent').waitFor();
  await admin.widget({ enabled: false });
  const opened = await profile();
  opened.expect(/404/);
  const lines: string[] = [];
  const visitor = await Visitor.open(opened, 'about:blank');
  visitor.page.on('console', (message) => lines.push(message.text()));
  await visitor.page.goto(site.address);
  await expect
    .poll(() => lines.filter((line) => line.startsWith('Switchboard')))
    .toEqual(['Switchboard: widget "demo": disabled']);
  await running.say('Still there?');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.row('Still there?').waitFor();
});

test('by keyboard alone: the questions, the menu, the rating, and a form left behind', async () => {
  const fields = [{ name: 'name', label: 'Your name', kind: 'text', required: true }];
  const visitor = await visit({ prechat: { fields } });
  const { keyboard } = visitor.page;
  const named = () =>
    visitor.chat.locator('body').evaluate(({ ownerDocument }) => {
      const element = ownerDocument.activeElement;
      const label = (element as HTMLInputElement | null)?.labels?.[0]?.textContent;
      return (element?.getAttribute('aria-label') ?? label ?? element?.textContent ?? '').trim();
    });
  const tabTo = async (name: RegExp, key = 'Tab') => {
    for (let presses = 0; presses < 30; presses += 1) {
      if (name.test(await named())) return;
      await keyboard.press(key);
    }
    throw new Error(`the Tab key does not reach ${name}`);
  };
  await visitor.launcher.waitFor();
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await visitor.chat.getByLabel('Your name').waitFor();
  await tabTo(/^Your name/);
  await keyboard.type('Kay');
  await keyboard.press('Enter');
  await visitor.input.waitFor();
  await tabTo(/^Your message$/);
  await keyboard.type('By keyboard');
  await keyboard.press('Enter');
  await visitor.log.getByText('Sent').waitFor();
  const card = await admin.card('By keyboard');
  expect(card.visitor).toMatchObject({ name: 'Kay' });
  const path = `/v1/conversations/${card.id}`;
  expect((await admin.call('POST', `${path}/accept`, {})).status).toBe(200);
  expect((await admin.call('POST', `${path}/messages`, { text: 'I see' })).status).toBe(201);
  await visitor.sees('I see');
  // Backwards from where one writes, to the menu.
  await tabTo(/^More$/, 'Shift+Tab');
  await keyboard.press('Enter');
  await visitor.chat.getByRole('button', { name: 'End chat' }).waitFor();
  await keyboard.press('Escape');
  await expect.poll(named).toBe('More');
  await keyboard.press('Enter');
  await tabTo(/^End chat$/);
  await keyboard.press('Enter');
  await visitor.chat.getByText('How did we do?').waitFor();
  await tabTo(/of 5 stars$/);
  await keyboard.press('Space');
  await keyboard.press('ArrowRight');
  await tabTo(/^Anything to add\?$/);
  await keyboard.type('All keys');
  await tabTo(/^Send rating$/);
  await keyboard.press('Enter');
  await visitor.chat.getByText('Thank you for your rating!').waitFor();
  expect((await admin.card('I see')).rating).toMatchObject({ comment: 'All keys' });
  await admin.call('PUT', '/v1/agents/me/status', { status: 'away' });
  await admin.widget({ offline: { behavior: 'form' } });
  await tabTo(/^Start a new chat$/);
  await keyboard.press('Enter');
  await visitor.chat.getByRole('heading', { name: 'Leave us a message' }).waitFor();
  await tabTo(/^Email/);
  await keyboard.type('kay@shop.example');
  await tabTo(/^Your message/);
  await keyboard.type('Call me');
  await tabTo(/^Send$/);
  await keyboard.press('Enter');
  await visitor.sees('Call me');
  expect((await admin.card('Call me')).visitor).toMatchObject({ email: 'kay@shop.example' });
});
