/** Every state of sign-in and settings under axe: both colors, both directions, wide and narrow. */

import { AxeBuilder } from '@axe-core/playwright';
import { expect, test } from 'vitest';
import { Owner } from './kit/owner.ts';
import { picture } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const stage = setStage({ demo: false });

/** No violation, nothing to scroll sideways, in eight combinations. Returns how many there were. */
async function check({ page }: Owner, state: string): Promise<number> {
  let checked = 0;
  for (const dir of ['ltr', 'rtl']) {
    await page.evaluate((value) => {
      document.documentElement.dir = value;
    }, dir);
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 320]) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.setViewportSize({ width, height: 760 });
        const where = `${state} ${colorScheme} ${dir} ${width}`;
        await picture(page, where.replaceAll(' ', '-'));
        // The widget in the preview has tests of its own.
        const axe = new AxeBuilder({ page }).withTags(RULES).exclude('iframe');
        const { violations } = await axe.analyze();
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
        expect(found, where).toEqual([]);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(wide, where).toBeLessThanOrEqual(0);
        checked += 1;
      }
    }
  }
  await page.evaluate(() => {
    document.documentElement.dir = 'ltr';
  });
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize({ width: 1280, height: 800 });
  return checked;
}

test('every state', async () => {
  const { server } = stage;
  const profile = await stage.profile();
  profile.expect(/Failed to load resource|WebSocket/);
  let checked = 0;
  const stranger = new Owner(await profile.context.newPage());
  await stranger.page.goto(`${server.address}/console`);
  await stranger.heading('Almost there').waitFor();
  checked += await check(stranger, 'auth almost there');
  await stranger.page.goto(await server.setupLink());
  await stranger.page.reload();
  await stranger.page.close();

  const page = await profile.context.newPage();
  await page.goto(await server.setupLink());
  const filling = new Owner(page);
  await filling.heading('Set up Switchboard').waitFor();
  checked += await check(filling, 'auth set-up');
  await page.close();

  const owner = await Owner.setUp(profile, server);
  checked += await check(owner, 'settings first steps');
  await owner.open('People');
  await owner.page.getByText('olga@shop.example').waitFor();
  checked += await check(owner, 'settings people');
  await owner.button('Add a person').click();
  checked += await check(owner, 'settings people add');
  await owner.field('Name').fill('Nina New');
  await owner.field('Email').fill('nina@shop.example');
  await owner.button('Add and make a link').click();
  await owner.dialog.getByRole('textbox', { name: 'Link' }).waitFor();
  checked += await check(owner, 'settings people invitation');
  await owner.button('Done').click();
  await owner.button('Actions for Nina New').click();
  checked += await check(owner, 'settings people menu');
  await owner.page.keyboard.press('Escape');
  await owner.page.getByRole('link', { name: 'Nina New' }).click();
  await owner.field('Name').fill('');
  await owner.page.getByText('A person needs a name.').first().waitFor();
  checked += await check(owner, 'settings person wrong');
  await owner.button('Undo').click();
  await owner.field('Search these settings').fill('nothing like it');
  await owner.page.getByText('None found').waitFor();
  checked += await check(owner, 'settings person none found');
  await owner.field('Search these settings').fill('');
  await owner.button('Disable…').click();
  checked += await check(owner, 'settings person disable');
  await owner.page.keyboard.press('Escape');

  await owner.open('Departments');
  await owner.page.getByRole('link', { name: 'Sales' }).waitFor();
  checked += await check(owner, 'settings departments');
  await owner.field('Search departments').fill('nothing like it');
  await owner.page.getByText('None found').waitFor();
  checked += await check(owner, 'settings departments none found');
  await owner.open('Widgets');
  await owner.heading('No widget yet').waitFor();
  checked += await check(owner, 'settings widgets empty');
  await owner.button('Make a widget').click();
  await owner.field('Name').fill('Shop');
  await owner.field('Site').fill('http://shop.example');
  await owner.page.getByText(/Use https/).waitFor();
  checked += await check(owner, 'settings widgets add wrong');
  await owner.field('Site').fill('https://shop.example');
  await owner.button('Make it').click();
  for (const tab of ['Look', 'Words', 'Questions', 'Hours', 'Behavior', 'Sites & embed']) {
    await owner.tab(tab);
    if (tab === 'Look') await owner.field('Background').fill('#777777');
    if (tab === 'Questions') await owner.button('Another question').click();
    if (tab === 'Hours') {
      await owner.page.getByRole('radio', { name: 'At certain hours' }).check();
      await owner.field('Open at …?').fill('2027-01-02T11:00');
      await owner.button('Test').click();
      await owner.page.getByText(/^Closed: Saturday has no hours\./).waitFor();
    }
    if (tab === 'Sites & embed') await owner.field('HTML').waitFor();
    checked += await check(owner, `settings widget ${tab.toLowerCase().replaceAll(/\W+/g, ' ')}`);
  }
  await owner.field('Search these settings').fill('color');
  await owner.heading('Colors').waitFor();
  await owner.page.locator('.save-bar summary').click();
  checked += await check(owner, 'settings widget found');
  await owner.field('Search these settings').fill('');
  await owner.button('Remove widget…').click();
  await owner.dialog.getByText(/identity keys end/).waitFor();
  checked += await check(owner, 'settings widget remove');
  await owner.page.keyboard.press('Escape');
  await owner.open('API keys');
  await owner.dialog.getByText('Leave without saving?').waitFor();
  checked += await check(owner, 'settings leave');
  await owner.button('Discard changes').click();
  await owner.heading('No keys yet').waitFor();
  checked += await check(owner, 'settings keys empty');
  await owner.button('Create a key').click();
  checked += await check(owner, 'settings keys add');
  await owner.page.keyboard.press('Escape');
  await owner.open('Tenants');
  await owner.page.getByRole('list', { name: 'Tenants' }).waitFor();
  checked += await check(owner, 'settings tenants');
  await owner.open('Audit log');
  await owner.page.getByText('Olga Owner created the widget Shop').waitFor();
  await owner.page.getByRole('list', { name: 'Changes' }).locator('summary').first().click();
  checked += await check(owner, 'settings audit');
  await owner.field('Search the audit log').fill('nothing like it');
  await owner.heading('None found').waitFor();
  checked += await check(owner, 'settings audit none found');
  await owner.open('Your profile');
  await owner.field('Current password').waitFor();
  checked += await check(owner, 'settings profile');
  await owner.page.goto(`${server.address}/console/settings/nowhere`);
  await owner.heading('There is no such page').waitFor();
  checked += await check(owner, 'settings nowhere');
  await owner.page.goto(`${server.address}/console/settings/departments/nowhere`);
  await owner.heading('It is not there any more').waitFor();
  checked += await check(owner, 'settings gone');
  await owner.page.route('**/v1/departments', (route) => route.abort());
  await owner.open('Departments');
  await owner.heading('This could not be loaded').waitFor();
  checked += await check(owner, 'settings failed');
  await owner.page.unroute('**/v1/departments');
  await owner.button('Try again').click();
  await owner.page.getByRole('link', { name: 'Sales' }).waitFor();

  await profile.context.clearCookies();
  await owner.page.getByRole('link', { name: 'Sales' }).click();
  await owner.dialog.getByText('Your sign-in has ended').waitFor();
  checked += await check(owner, 'auth again');
  await owner.button('Sign in as somebody else').click();
  await owner.heading('Sign in').waitFor();
  checked += await check(owner, 'auth sign-in');
  await owner.field('Email').fill('olga@shop.example');
  await owner.field('Password').fill('not the password');
  await owner.button('Sign in').click();
  await owner.page.getByText(/do not belong together/).waitFor();
  checked += await check(owner, 'auth sign-in wrong');
  expect(checked).toBeGreaterThanOrEqual(34 * 8);
  expect([...profile.origins]).toEqual([server.address]);
}, 900_000);
