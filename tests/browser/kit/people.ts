/** The people in front of the pages: what they see and click, by role and name. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import {
  type Browser,
  type BrowserContext,
  chromium,
  type FrameLocator,
  type Locator,
  type Page,
} from 'playwright-core';
import { expect } from 'vitest';

/** Longer than any wait between two attempts to connect, on a busy machine. */
const PATIENCE_MS = 30_000;

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // A page that is put in place of the server's is from nowhere, and may not go back to it.
      ...(process.env.UI_DIST === undefined ? [] : ['--disable-features=LocalNetworkAccessChecks']),
    ],
  });
}

/** One browser profile, and everything that went wrong in it. */
export class Profile {
  readonly context: BrowserContext;
  /** Errors on the console, uncaught ones, and breaches of a content security policy. */
  readonly problems: string[] = [];
  /** Whom its pages asked for anything. */
  readonly origins = new Set<string>();
  #expected: RegExp[] = [];

  static async open(browser: Browser, options: { width?: number } = {}): Promise<Profile> {
    const viewport = { width: options.width ?? 1280, height: 800 };
    const context = await browser.newContext({ viewport, reducedMotion: 'reduce' });
    context.setDefaultTimeout(PATIENCE_MS);
    await pagesFrom(context, process.env.UI_DIST);
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        // biome-ignore lint/suspicious/noConsole: it runs in the page, whose console is what we read.
        console.error(`CSP: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
      });
    });
    return new Profile(context);
  }

  private constructor(context: BrowserContext) {
    this.context = context;
    context.on('console', (message) => {
      if (message.type() === 'error') this.#note(`${message.text()} (${message.location().url})`);
    });
    const asked = (url: string) => {
      // What a page has from itself (`data:`, `blob:`) it asks nobody for.
      if (/^(http|ws)/.test(url)) this.origins.add(new URL(url).origin.replace(/^ws/, 'http'));
    };
    context.on('request', (request) => asked(request.url()));
    context.on('page', (page) => page.on('websocket', (socket) => asked(socket.url())));
    context.on('weberror', (error) => this.#note(String(error.error().stack)));
  }

  /** From now on such errors are part of the test. */
  expect(error: RegExp): void {
    this.#expected.push(error);
  }

  async close(): Promise<void> {
    await this.context.close();
    expect(this.problems).toEqual([]);
  }

  #note(problem: string): void {
    if (!this.#expected.some((error) => error.test(problem))) this.problems.push(problem);
  }
}

/**
 * Pages and their parts from a folder, for quick work on pages alone: built anew (`npm run build`)
 * they are tested without building the binary. Everything else, headers too, is the server's.
 */
async function pagesFrom(context: BrowserContext, folder: string | undefined): Promise<void> {
  if (folder === undefined) return;
  const file = (path: string) => (path.startsWith('/console') ? '/console.html' : path);
  await context.route(/^[^?]*\/(console|assets)(\/|$)/, async (route) => {
    const { pathname } = new URL(route.request().url());
    const path = join(folder, file(pathname));
    if (!existsSync(path)) return route.fallback();
    const document = await fetch(new URL('/console', route.request().url()));
    const headers = { ...Object.fromEntries(document.headers), 'content-type': typeOf(path) };
    await document.arrayBuffer();
    for (const name of ['content-encoding', 'content-length'])
      Reflect.deleteProperty(headers, name);
    return route.fulfill({ status: 200, headers, body: await readFile(path) });
  });
}

function typeOf(path: string): string {
  const types: Record<string, string> = {
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript',
    '.css': 'text/css',
    '.json': 'application/json',
    '.svg': 'image/svg+xml',
  };
  return types[extname(path)] ?? 'application/octet-stream';
}

/** What browsers say when the server is gone for a while. */
export const SERVER_GONE = /WebSocket connection|ERR_CONNECTION|Failed to load resource/;

/** Somebody on a page that has the widget. */
export class Visitor {
  readonly page: Page;
  readonly chat: FrameLocator;

  static async open(profile: Profile, address: string): Promise<Visitor> {
    const page = await profile.context.newPage();
    await page.goto(address);
    return new Visitor(page);
  }

  /** On a page that was opened another way. */
  static on(page: Page): Visitor {
    return new Visitor(page);
  }

  private constructor(page: Page) {
    this.page = page;
    this.chat = page.frameLocator('iframe:is([title="Chat"], [title="الدردشة"])');
  }

  get launcher(): Locator {
    return this.page.getByRole('button', { name: /chat|الدردشة/i });
  }

  get log(): Locator {
    return this.chat.getByRole('log');
  }

  get input(): Locator {
    return this.chat.getByRole('textbox', { name: 'Your message' });
  }

  async openChat(): Promise<void> {
    await this.launcher.click();
    await this.input.waitFor();
  }

  async say(text: string): Promise<void> {
    await this.input.fill(text);
    await this.input.press('Enter');
  }

  async sees(text: string): Promise<void> {
    await this.log.getByText(text, { exact: true }).waitFor();
  }

  /** The texts in the transcript, in order, that are among `texts`. */
  async order(texts: readonly string[]): Promise<string[]> {
    return orderOf(this.log, texts);
  }
}

/** An agent at the console. */
export class Agent {
  readonly page: Page;

  static async open(profile: Profile, server: string, name: 'Ada' | 'Ben'): Promise<Agent> {
    const page = await profile.context.newPage();
    await page.goto(`${server}/console`);
    await page.getByRole('button', { name: new RegExp(`Continue as ${name}`) }).click();
    await page.getByRole('heading', { name: 'Inbox' }).waitFor();
    const agent = new Agent(page);
    // What comes from now on is news; before, it would have been part of the list.
    await agent.list.getByRole('listitem').or(agent.list.getByRole('heading')).first().waitFor();
    return agent;
  }

  private constructor(page: Page) {
    this.page = page;
  }

  get log(): Locator {
    return this.page.getByRole('log');
  }

  get reply(): Locator {
    return this.page.getByRole('textbox', { name: 'Reply' });
  }

  button(name: string | RegExp): Locator {
    return this.page
      .getByRole('region', { name: 'Open conversation' })
      .getByRole('button', { name });
  }

  get list(): Locator {
    return this.page.getByRole('region', { name: 'Conversations' });
  }

  /** A filter of the list, with its count. */
  filter(name: string): Locator {
    return this.list.getByRole('button', { name: new RegExp(`^${name}`) });
  }

  /** The row of the list whose last line is `text`. */
  row(text: string): Locator {
    return this.list.getByRole('listitem').filter({ hasText: text });
  }

  async accept(text: string): Promise<void> {
    await this.row(text)
      .getByRole('button', { name: /Assign to me/ })
      .click();
    // Another one may have been open until now.
    await this.log.getByText(text).first().waitFor();
    await this.reply.waitFor();
    await this.leaveList();
  }

  /** The list keeps its order while the pointer is in it. */
  async leaveList(): Promise<void> {
    await this.page.mouse.move(760, 300);
  }

  /** Opens a conversation by its last line. */
  async open(text: string): Promise<void> {
    await this.row(text).getByRole('link').click();
    await this.leaveList();
  }

  /** Sets the own status. */
  async status(name: 'Online' | 'Away' | 'Busy' | 'Offline'): Promise<void> {
    await this.me.click();
    await this.page.getByRole('menuitemradio', { name }).click();
  }

  /** The button of the person, named with their status. */
  get me(): Locator {
    return this.page
      .getByRole('navigation', { name: 'Places' })
      .getByRole('button', { name: /, / });
  }

  /** The name over the open conversation: the place from which single keys work. */
  get heading(): Locator {
    return this.page
      .getByRole('region', { name: 'Open conversation' })
      .getByRole('heading')
      .first();
  }

  /** The name or the text of what has the focus. */
  focused(): Promise<string> {
    return this.page.evaluate(() => {
      const element = document.activeElement;
      return element?.getAttribute('aria-label') ?? element?.textContent ?? '';
    });
  }

  get dialog(): Locator {
    return this.page.getByRole('dialog');
  }

  async say(text: string): Promise<void> {
    await this.reply.fill(text);
    await this.reply.press('Enter');
  }

  async note(text: string): Promise<void> {
    await this.page.getByRole('tab', { name: 'Internal note' }).click();
    const input = this.page.getByRole('textbox', { name: 'Internal note' });
    await input.fill(text);
    await input.press('Enter');
    await this.sees(text);
    await this.page.getByRole('tab', { name: 'Reply' }).click();
  }

  async sees(text: string): Promise<void> {
    await this.log.getByText(text, { exact: true }).waitFor();
  }

  async order(texts: readonly string[]): Promise<string[]> {
    return orderOf(this.log, texts);
  }
}

/** Scrolls a transcript to its beginning, and returns when the page has taken note of it. */
export function readBack(log: Locator): Promise<void> {
  return log.evaluate(
    (element) =>
      new Promise<void>((resolve) => {
        const look = () => {
          // Until it hears of it, a page that follows the newest line may scroll on.
          if (element.scrollTop > 0) element.scrollTop = 0;
          else {
            element.removeEventListener('scroll', look);
            resolve();
          }
        };
        element.addEventListener('scroll', look);
        element.scrollTop = 0;
      }),
  );
}

async function orderOf(log: Locator, texts: readonly string[]): Promise<string[]> {
  const shown = await log.locator('.prose').allTextContents();
  return shown.filter((text) => texts.includes(text));
}

/** Keeps a picture when `SCREENSHOTS` names a folder for them. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
}
