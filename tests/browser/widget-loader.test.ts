/** What sites do with the loader: commands, events, consent, diagnosis, and what it leaves behind. */

import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Admin } from './kit/admin.ts';
import { Agent, type Profile, picture, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();
let admin: Admin;
let site: Site;

const pages: Record<string, () => string> = {
  /** As the embed code of the settings does it. */
  '/': () => `<script async src="${stage.server.address}/loader.js" data-widget="demo"></script>`,
  /** Word for word as the other house's guide shows it, but for the names. */
  '/tms': () => `<script>
    (function(w,d,s,o,f,js,fjs){
      w[o]=w[o]||function(){(w[o].q=w[o].q||[]).push(arguments)};
      js=d.createElement(s),fjs=d.getElementsByTagName(s)[0];
      js.id=o;js.src=f;js.async=1;fjs.parentNode.insertBefore(js,fjs);
    }(window,document,'script','TmsChat','${stage.server.address}/chat-widget.js'));
    TmsChat('init', { widgetId: 'demo', domain: 'localhost' });
  </script>`,
  '/tms-elsewhere': () => pages['/tms']?.().replace("'localhost'", "'other.example'") ?? '',
  '/unknown': () =>
    `<script async src="${stage.server.address}/loader.js" data-widget="nope"></script>`,
  '/early': () => `<script>
    window.switchboard = function () { (switchboard.q = switchboard.q || []).push(arguments) };
    window.heard = [];
    for (const name of ['ready', 'open', 'close', 'unread', 'conversation:start', 'conversation:end',
      'message:sent', 'message:received', 'agent:joined', 'queue', 'rating', 'error']) {
      switchboard('on', name, (detail) => heard.push([name, detail]));
    }
    switchboard('init', { widget: 'demo' });
    switchboard('open');
  </script>
  <script async src="${stage.server.address}/loader.js"></script>`,
  '/arabic': () => `<script>document.documentElement.lang = 'ar-EG'</script>${pages['/']?.()}`,
  '/consent': () =>
    `<script async src="${stage.server.address}/loader.js" data-widget="demo" data-consent="wait"></script>`,
};

beforeAll(async () => {
  site = await Site.open((path) => `<main><h1>A shop</h1></main>${pages[path]?.() ?? ''}`);
});

beforeEach(async () => {
  admin = await Admin.signIn(stage.server);
  await admin.widget({});
});

afterAll(() => site.close());

const profile = () => stage.profile();

/** A visitor, and what the loader says on the console. */
async function visit(path: string, opened?: Profile): Promise<[Visitor, string[]]> {
  const visitor = await Visitor.open(opened ?? (await profile()), 'about:blank');
  const lines: string[] = [];
  visitor.page.on('console', (message) => {
    if (message.text().startsWith('Switchboard')) lines.push(message.text());
  });
  await visitor.page.goto(site.address + path);
  return [visitor, lines];
}

function command(visitor: Visitor, ...words: unknown[]): Promise<void> {
  return visitor.page.evaluate((said) => {
    const { switchboard } = window as unknown as { switchboard(...said: unknown[]): void };
    switchboard(...said);
  }, words);
}

test('the other house’s snippet works as its guide shows it', async () => {
  const [visitor, lines] = await visit('/tms');
  await visitor.openChat();
  await visitor.say('By another name');
  await visitor.log.getByText('Sent').waitFor();
  expect(lines).toEqual([]);
});

test('one line says what is wrong: the domain of init', async () => {
  const [visitor, lines] = await visit('/tms-elsewhere');
  await expect.poll(() => lines).toHaveLength(1);
  expect(lines[0]).toBe(`Switchboard: domain is "other.example", not ${site.address}`);
  expect(await visitor.page.locator('switchboard-chat').count()).toBe(0);
});

test('one line says what is wrong: the widget', async () => {
  const opened = await profile();
  opened.expect(/404/);
  const [, lines] = await visit('/unknown', opened);
  await expect.poll(() => lines).toEqual(['Switchboard: widget "nope": unknown_widget']);
});

test('one line says what is wrong: the allowed domains', async () => {
  const opened = await profile();
  opened.expect(/CORS|Failed to load resource/);
  await admin.widget({ allowed_origins: ['https://shop.example'] });
  const [, lines] = await visit('/', opened);
  const line = `Switchboard: widget "demo" is not allowed on ${site.address}`;
  await expect.poll(() => lines).toEqual([line]);
});

test('commands before the script, and every event', async () => {
  // A place in line is told while somebody is there who could call.
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  const [visitor] = await visit('/early');
  await visitor.say('Hello');
  await expect
    .poll(() => visitor.page.evaluate(() => (window as unknown as { heard: unknown[] }).heard))
    .toContainEqual(['queue', { position: 1 }]);
  await ada.page.bringToFront();
  await ada.accept('Hello');
  await ada.say('Hi');
  await visitor.page.bringToFront();
  await visitor.sees('Hi');
  await command(visitor, 'close');
  await ada.say('Are you there?');
  await expect
    .poll(() => visitor.page.evaluate(() => (window as unknown as { heard: unknown[] }).heard))
    .toEqual(expect.arrayContaining([['unread', 1]]));
  await command(visitor, 'toggle');
  await visitor.sees('Are you there?');
  await visitor.chat.getByLabel('More').click();
  await visitor.chat.getByRole('button', { name: 'End chat' }).click();
  await visitor.chat.getByLabel('4 of 5 stars').check({ force: true });
  await visitor.chat.getByRole('button', { name: 'Send rating' }).click();
  await visitor.chat.getByText('Thank you').waitFor();
  const heard = await visitor.page.evaluate(
    () => (window as unknown as { heard: [string, unknown][] }).heard,
  );
  const names = heard.map(([name]) => name);
  for (const name of [
    'ready',
    'open',
    'close',
    'unread',
    'conversation:start',
    'conversation:end',
    'message:sent',
    'message:received',
    'agent:joined',
    'rating',
  ]) {
    expect(names).toContain(name);
  }
  expect(heard).toContainEqual(['rating', { score: 4 }]);
  expect(names.filter((name) => name === 'message:received').length).toBe(2);
  expect(names).not.toContain('error');
  // After a reload what was said before is no news.
  await visitor.page.reload();
  await visitor.sees('Are you there?');
  const again = await visitor.page.evaluate(
    () => (window as unknown as { heard: [string, unknown][] }).heard,
  );
  expect(again.map(([name]) => name)).not.toContain('message:received');
});

test('with consent to come there is nothing: no request, no frame, no storage', async () => {
  const opened = await profile();
  const asked: string[] = [];
  opened.context.on('request', (request) => {
    if (request.url().startsWith(stage.server.address)) asked.push(new URL(request.url()).pathname);
  });
  const [visitor] = await visit('/consent', opened);
  await visitor.page.waitForTimeout(1_000);
  expect(asked).toEqual(['/loader.js']);
  expect(await visitor.page.locator('switchboard-chat').count()).toBe(0);
  expect(await visitor.page.evaluate(() => localStorage.length + sessionStorage.length)).toBe(0);
  await command(visitor, 'consent');
  await visitor.openChat();
  await visitor.say('Now you may');
  await visitor.log.getByText('Sent').waitFor();
});

test('shutdown wipes everything, and init begins anew', async () => {
  const [visitor] = await visit('/');
  await visitor.openChat();
  await visitor.say('Forget me');
  await visitor.log.getByText('Sent').waitFor();
  await command(visitor, 'shutdown');
  expect(await visitor.page.locator('iframe').count()).toBe(0);
  const left = () => visitor.page.evaluate(() => localStorage.length + sessionStorage.length);
  expect(await left()).toBe(0);
  await command(visitor, 'init', { widget: 'demo' });
  await visitor.openChat();
  await visitor.sees('Hello! How can we help?');
  expect(await visitor.log.getByText('Forget me').count()).toBe(0);
});

test('the site changes language and colors, and introduces its visitor', async () => {
  const [visitor] = await visit('/');
  await visitor.openChat();
  await command(visitor, 'update', {
    scheme: 'dark',
    contact: { name: 'Vera', phone: '+49 30 1' },
  });
  await expect
    .poll(() =>
      visitor.chat.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor),
    )
    .toBe('rgb(22, 24, 31)');
  await visitor.say('It is me');
  await visitor.log.getByText('Sent').waitFor();
  const card = await admin.card('It is me');
  expect(card.visitor).toMatchObject({ name: 'Vera', verified: false });
  await command(visitor, 'update', { locale: 'ar' });
  await visitor.chat.getByRole('textbox', { name: 'رسالتك' }).waitFor();
});

/** A token as a site makes it: signed with the widget's key. */
function sign(key: { kid: string; secret: string }, claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', kid: key.kid })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', key.secret).update(signed).digest('base64url')}`;
}

async function identityKey(): Promise<{ kid: string; secret: string }> {
  const { body } = await admin.call('POST', '/v1/widgets/demo/identity-key', {});
  return body as { kid: string; secret: string };
}

/** In seconds, as tokens have it. */
const inSeconds = (from: number) => Math.floor(Date.now() / 1_000) + from;

test('whom the site identifies is verified at the console, on each page and device', async () => {
  const token = sign(await identityKey(), {
    sub: 'customer-17',
    name: 'Vera Bright',
    email: 'vera@shop.example',
    exp: inSeconds(600),
  });
  const [visitor, lines] = await visit('/');
  await command(visitor, 'identify', token);
  await visitor.openChat();
  await visitor.say('It is really me');
  await visitor.log.getByText('Sent').waitFor();
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('It is really me');
  await expect.poll(() => ada.heading.textContent()).toBe('Vera Bright');
  const context = ada.page.getByRole('complementary', { name: 'Context' });
  await context.getByText('vera@shop.example').waitFor();
  await context.getByTitle('The site vouches for who this is').waitFor();
  await picture(ada.page, 'identified');
  await ada.say('So I see');
  const [elsewhere] = await visit('/');
  await command(elsewhere, 'identify', token);
  await elsewhere.openChat();
  await elsewhere.sees('So I see');
  const { email, verified } = (await admin.card('So I see')).visitor as Record<string, unknown>;
  expect({ email, verified }).toEqual({ email: 'vera@shop.example', verified: true });
  expect(lines).toEqual([]);
  expect(
    await visitor.page.evaluate(() => JSON.stringify([localStorage, sessionStorage])),
  ).not.toContain(token);
});

test.each(['wrongly signed', 'expired'])(
  'a token that is %s is told in one line, and the visitor stays anonymous',
  async (flaw) => {
    const key = await identityKey();
    const wrong = flaw === 'expired' ? key : { ...key, secret: `${key.secret}x` };
    const exp = inSeconds(flaw === 'expired' ? -3_600 : 600);
    const opened = await profile();
    opened.expect(/401/);
    const [visitor, lines] = await visit('/', opened);
    const errors = await visitor.page.evaluateHandle(() => {
      const told: unknown[] = [];
      const { switchboard } = window as unknown as { switchboard(...said: unknown[]): void };
      switchboard('on', 'error', (detail: unknown) => told.push(detail));
      return told;
    });
    await command(visitor, 'identify', sign(wrong, { sub: 'customer-17', name: 'Vera', exp }));
    const line = 'Switchboard: identify: the token is expired or wrongly signed';
    await expect.poll(() => lines).toEqual([line]);
    await expect.poll(() => errors.jsonValue()).toEqual([{ code: 'bad_token' }]);
    await visitor.openChat();
    await visitor.say('Nobody in particular');
    await visitor.log.getByText('Sent').waitFor();
    expect((await admin.card('Nobody in particular')).visitor).toMatchObject({ verified: false });
    expect(lines).toEqual([line]);
  },
);

test('agents see where the visitor goes, also without loading pages', async () => {
  const [visitor] = await visit('/');
  await visitor.openChat();
  await visitor.say('I walk around');
  await visitor.log.getByText('Sent').waitFor();
  const card = await admin.card('I walk around');
  await visitor.page.evaluate(() => {
    document.title = 'Ferns';
    history.pushState(null, '', '/ferns');
  });
  await expect
    .poll(async () => (await admin.call('GET', `/v1/conversations/${card.id}/context`)).body.page)
    .toMatchObject({ url: `${site.address}/ferns`, title: 'Ferns' });
});

test('agents see what the site says that the visitor did', async () => {
  const [visitor] = await visit('/');
  await visitor.openChat();
  await visitor.say('I am shopping');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('I am shopping');
  const steps = ada.page.getByRole('complementary', { name: 'Context' }).locator('.trail li');
  await steps.filter({ hasText: 'A site' }).waitFor();
  await command(visitor, 'track', 'Added a cactus to the cart');
  await steps.filter({ hasText: 'Added a cactus to the cart' }).waitFor();
  await picture(ada.page, 'track');
  await ada.page.reload();
  await steps.filter({ hasText: 'Added a cactus to the cart' }).waitFor();
  expect(await steps.count()).toBe(2);
});

test('who was here before gets the chat loaded once the page has nothing else to do', async () => {
  const opened = await profile();
  const [visitor] = await visit('/', opened);
  await visitor.openChat();
  await visitor.say('I will be back');
  await visitor.log.getByText('Sent').waitFor();
  await visitor.input.press('Escape');
  await visitor.page.addInitScript(() => {
    const held: (() => void)[] = [];
    Object.assign(window, {
      requestIdleCallback: (run: () => void) => held.push(run),
      idle: () => held.forEach((run) => void run()),
    });
  });
  await visitor.page.reload({ waitUntil: 'load' });
  await visitor.launcher.waitFor();
  expect(await visitor.page.locator('iframe').count()).toBe(0);
  await visitor.page.evaluate(() => (window as unknown as { idle(): void }).idle());
  await visitor.page.locator('iframe').waitFor({ state: 'attached' });
  await visitor.openChat();
  await visitor.sees('I will be back');
});

test('the launcher speaks the language of the page, or that of the settings', async () => {
  const [visitor] = await visit('/arabic');
  const launcher = visitor.page.getByRole('button', { name: 'الدردشة', exact: true });
  await launcher.click();
  await visitor.page.getByRole('dialog', { name: 'الدردشة' }).waitFor();
  await visitor.page.locator('iframe[title="الدردشة"]').waitFor();
  // What the chat itself says of the look has no words, and takes none away.
  await visitor.page.locator('switchboard-chat').getByRole('dialog').waitFor();
  await visitor.page.reload();
  await visitor.page.getByRole('button', { name: 'الدردشة', exact: true }).waitFor();
  await admin.widget({ locale: 'ar' });
  const [other] = await visit('/');
  await other.page.getByRole('button', { name: 'الدردشة', exact: true }).waitFor();
  await admin.widget({ locale: 'en' });
  const [third] = await visit('/arabic');
  await third.page.getByRole('button', { name: 'Chat', exact: true }).waitFor();
});

test('closed, it counts: badge, title while hidden, and the newest line', async () => {
  const [visitor] = await visit('/');
  await visitor.openChat();
  await visitor.say('I wait');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('I wait');
  await visitor.page.bringToFront();
  await visitor.input.press('Escape');
  await ada.page.bringToFront();
  await visitor.page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
  });
  await ada.say('Here is your answer');
  await expect.poll(() => visitor.page.title()).toBe('(1) A site');
  const line = visitor.page.getByRole('button', { name: /Ada.*: Here is your answer/ });
  await line.waitFor();
  await picture(visitor.page, 'preview-bubble');
  await visitor.page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => false });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
  expect(await visitor.page.title()).toBe('A site');
  await visitor.page.getByRole('button', { name: 'Close', exact: true }).click();
  await line.waitFor({ state: 'hidden' });
  await visitor.page.getByRole('button', { name: 'Chat (1)' }).click();
  await visitor.sees('Here is your answer');
});
