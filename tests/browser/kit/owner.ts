/** The person who sets a server up and changes its settings. */

import { type Locator, type Page, request } from 'playwright-core';
import type { Profile } from './people.ts';
import type { Server } from './server.ts';

export const OWNER = {
  name: 'Olga Owner',
  email: 'olga@shop.example',
  password: 'seven green umbrellas',
};

/** What the settings call their pages. */
export type Place =
  | 'First steps'
  | 'People'
  | 'Departments'
  | 'Widgets'
  | 'API keys'
  | 'Tenants'
  | 'Audit log'
  | 'Your profile';

export class Owner {
  readonly page: Page;

  /** Follows the set-up link, as a new owner does. */
  static async setUp(profile: Profile, server: Server): Promise<Owner> {
    const page = await profile.context.newPage();
    await page.goto(await server.setupLink());
    const owner = new Owner(page);
    await owner.field('Your name').fill(OWNER.name);
    await owner.field('Email').fill(OWNER.email);
    await owner.field('Password').fill(OWNER.password);
    await owner.button('Set up').click();
    await owner.heading('First steps').waitFor();
    return owner;
  }

  static async signIn(profile: Profile, server: Server, who = OWNER): Promise<Owner> {
    const page = await profile.context.newPage();
    await page.goto(`${server.address}/console`);
    const owner = new Owner(page);
    await owner.field('Email').fill(who.email);
    await owner.field('Password').fill(who.password);
    await owner.button('Sign in').click();
    await page.getByRole('navigation', { name: 'Places' }).waitFor();
    return owner;
  }

  constructor(page: Page) {
    this.page = page;
  }

  field(label: string | RegExp): Locator {
    const exact = typeof label === 'string';
    return this.page.getByLabel(label, { exact });
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', { name, exact: typeof name === 'string' });
  }

  heading(name: string | RegExp): Locator {
    return this.page.getByRole('heading', { name, exact: typeof name === 'string' });
  }

  get dialog(): Locator {
    return this.page.getByRole('dialog');
  }

  /** Goes to a page of the settings by its navigation. */
  async open(place: Place): Promise<void> {
    const settings = this.page.getByRole('navigation', { name: 'Settings' });
    if (!(await settings.isVisible())) {
      await this.page.getByRole('link', { name: 'Settings' }).click();
    }
    await settings.getByRole('link', { name: place }).click();
  }

  async tab(name: string): Promise<void> {
    await this.page.getByRole('tab', { name }).click();
  }

  async save(): Promise<void> {
    await this.button('Save').click();
    await this.said('Saved.');
  }

  /** Waits for a notice. */
  async said(text: string | RegExp): Promise<void> {
    await this.page.getByRole('region', { name: 'Notices' }).getByText(text).last().waitFor();
  }

  async signOut(): Promise<void> {
    await this.button(new RegExp(`^${OWNER.name}`)).click();
    await this.page.getByRole('menuitem', { name: 'Sign out' }).click();
    await this.heading('Sign in').waitFor();
  }
}

/** Somebody who sets a server up without a browser, for tests that are about something else. */
export async function setUpByHand(server: Server): Promise<{ csrf: string; cookie: string }> {
  const token = new URL(await server.setupLink()).hash.replace('#setup=', '');
  const caller = await request.newContext();
  try {
    const answer = await caller.post(`${server.address}/v1/auth/setup`, {
      data: { token, ...OWNER },
      headers: { origin: server.address },
    });
    if (!answer.ok()) throw new Error(`${answer.status()} ${await answer.text()}`);
    const cookie = answer
      .headersArray()
      .filter(({ name }) => name.toLowerCase() === 'set-cookie')
      .map(({ value }) => value.split(';')[0])
      .join('; ');
    const { csrf } = (await answer.json()) as { csrf: string };
    return { csrf, cookie };
  } finally {
    await caller.dispose();
  }
}
