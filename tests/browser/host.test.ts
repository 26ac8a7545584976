/** The widget on other people's pages: another origin, the strictest policy, the keyboard. */

import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Agent, type Profile, picture, Visitor } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();
let host: HttpServer;
let address: string;

beforeAll(async () => {
  host = createServer((request, response) => {
    const rtl = request.url === '/rtl';
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.setHeader(
      'content-security-policy',
      `default-src 'none'; script-src 'nonce-once'; style-src 'self'; frame-src ${stage.server.address}; ` +
        "require-trusted-types-for 'script'; trusted-types 'none'",
    );
    response.end(
      `<!doctype html><html lang="en" dir="${rtl ? 'rtl' : 'ltr'}"><head><title>Host</title>` +
        '<link rel="icon" href="data:," />' +
        `</head><body><main><h1>A strict page</h1><a href="/">Home</a></main>` +
        `<script nonce="once" async src="${stage.server.address}/loader.js" data-widget="demo"></script>` +
        '</body></html>',
    );
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  address = `http://localhost:${(host.address() as AddressInfo).port}`;
});

afterAll(() => {
  host.closeAllConnections();
  host.close();
});

/** The host page has no icon of its own; its policy says so on the console. */
async function open(): Promise<Profile> {
  const profile = await stage.profile();
  profile.expect(/img-src.*data|data:,/);
  return profile;
}

test('nothing is loaded before the visitor comes near, and the chat works under the strictest policy', async () => {
  const profile = await open();
  const visitor = await Visitor.open(profile, address);
  await visitor.launcher.waitFor();
  expect(await visitor.page.locator('iframe').count()).toBe(0);
  expect(visitor.page.frames().length).toBe(1);
  await visitor.openChat();
  await visitor.say('Hello from elsewhere');
  const ada = await Agent.open(profile, stage.server.address, 'Ada');
  await ada.accept('Hello from elsewhere');
  await ada.say('Welcome');
  await visitor.sees('Welcome');
  await picture(visitor.page, 'strict-host');
  // The site, and the server that the tag names: nobody else.
  expect([...profile.origins].sort()).toEqual([stage.server.address, address].sort());
  const frame = visitor.page.frames().find((one) => one.url().startsWith(stage.server.address));
  expect(new URL(frame?.url() ?? '').search).toBe('?widget=demo');
  // The frame has no storage of its own: this browser denies it. All that is kept is the host's.
  await expect(frame?.evaluate(() => localStorage.length)).rejects.toThrow(/Access is denied/);
  expect(await visitor.page.evaluate(() => localStorage.length)).toBeGreaterThan(0);
  await visitor.page.reload();
  await visitor.sees('Welcome');
});

test('a closed chat counts what came in meanwhile', async () => {
  const profile = await open();
  const visitor = await Visitor.open(profile, address);
  await visitor.openChat();
  await visitor.say('I will close this');
  const ada = await Agent.open(profile, stage.server.address, 'Ada');
  await ada.accept('I will close this');
  await visitor.page.bringToFront();
  await visitor.input.press('Escape');
  await ada.page.bringToFront();
  for (const text of ['one', 'two']) await ada.say(text);
  await visitor.page.bringToFront();
  await visitor.page.getByRole('button', { name: 'Chat (2)' }).waitFor();
  await picture(visitor.page, 'unread');
  await visitor.openChat();
  await visitor.sees('two');
  await visitor.input.press('Escape');
  await visitor.page.getByRole('button', { name: 'Chat', exact: true }).waitFor();
});

test('by keyboard alone: open, write, close, and the focus is back where it was', async () => {
  const profile = await open();
  const visitor = await Visitor.open(profile, address);
  const { keyboard } = visitor.page;
  await visitor.launcher.waitFor();
  await keyboard.press('Tab');
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await visitor.input.waitFor();
  await expect
    .poll(() => visitor.input.evaluate((input) => input === document.activeElement))
    .toBe(true);
  await keyboard.type('typed');
  await keyboard.press('Shift+Enter');
  await keyboard.type('on two lines');
  await keyboard.press('Enter');
  await visitor.sees('typed\non two lines');
  await keyboard.press('Escape');
  await visitor.input.waitFor({ state: 'hidden' });
  const focused = await visitor.page.evaluate(
    () => document.activeElement?.shadowRoot?.activeElement?.getAttribute('aria-expanded') ?? null,
  );
  expect(focused).toBe('false');
});

test('on a page that reads from right to left the launcher is at the left', async () => {
  const profile = await open();
  const visitor = await Visitor.open(profile, `${address}/rtl`);
  await visitor.launcher.waitFor();
  const box = await visitor.launcher.boundingBox();
  expect(box?.x).toBeLessThan(100);
});

test('a page that is not on the list cannot frame the widget', async () => {
  const profile = await open();
  profile.expect(/frame-ancestors|Refused to frame|CSP: frame-ancestors/);
  const page = await profile.context.newPage();
  // A document without an address has an opaque origin, which nobody can put on a list.
  await page.goto('data:text/html,<title>x</title>');
  await page.evaluate((source) => {
    const frame = document.createElement('iframe');
    frame.src = source;
    document.body.append(frame);
  }, `${stage.server.address}/widget?widget=demo`);
  await expect.poll(() => page.frames().at(-1)?.url()).toMatch(/^chrome-error:/);
});
