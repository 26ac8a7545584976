/** What forms say to bad input, and that what was corrected is done. */

import { expect, test } from 'vitest';
import { OWNER, Owner } from './kit/owner.ts';
import { Server } from './kit/server.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();

test('bad input says what to change, and what was corrected is done', async () => {
  const server = await Server.start({ demo: false });
  const profile = await stage.profile();
  profile.expect(/Failed to load resource/);
  const setUp = new Owner(await profile.context.newPage());
  await setUp.page.goto(await server.setupLink());
  await setUp.field('Email').fill('olga at shop');
  await setUp.field('Password').fill('green');
  await setUp.page.getByText('Write an address such as ada@example.com.').waitFor();
  await setUp.page.getByText('5 more characters are needed.').waitFor();
  await setUp.page.close();
  const owner = await Owner.setUp(profile, server);

  await owner.open('People');
  await owner.button('Add a person').click();
  await owner.field('Name').fill('Ben');
  await owner.field('Email').fill('nonsense');
  expect(await owner.dialog.getByText('Write an address').count()).toBe(0);
  await owner.field('Email').press('Tab');
  await owner.dialog.getByText('Write an address such as ada@example.com.').waitFor();
  await owner.field('Email').fill(OWNER.email);
  await owner.button('Add and make a link').click();
  await owner.dialog.getByText('There is one with this name already').waitFor();
  await owner.field('Email').fill('ben@shop.example');
  await owner.button('Add and make a link').click();
  await owner.button('Done').click();

  // From right to left an address stands under its name, and keys as they lie on the keyboard.
  await owner.page.evaluate(() => {
    document.documentElement.dir = 'rtl';
  });
  const right = (text: string) =>
    owner.page
      .getByText(text, { exact: true })
      .evaluate((element) => element.getBoundingClientRect().right);
  expect(await right('ben@shop.example')).toBeCloseTo(await right('Ben'), 0);
  await owner.page.getByRole('link', { name: 'Preferences', exact: true }).click();
  const bracket = owner.page.locator('kbd', { hasText: ']' }).first();
  await bracket.waitFor();
  expect(await bracket.evaluate((key) => getComputedStyle(key).direction)).toBe('ltr');

  // The page alone, as after a reload: nothing of the sign-in page was loaded before.
  await owner.page.goto(`${server.address}/console/settings/profile`);
  for (const dir of ['ltr', 'rtl']) {
    await owner.page.evaluate((value) => {
      document.documentElement.dir = value;
    }, dir);
    const field = await owner.field('New password').boundingBox();
    const eye = await owner.button('Show new password').boundingBox();
    if (field === null || eye === null) throw new Error('a password cannot be seen');
    const end = field.x + field.width;
    expect(eye.y, dir).toBeGreaterThanOrEqual(field.y);
    expect(eye.y + eye.height, dir).toBeLessThanOrEqual(field.y + field.height);
    // What is typed begins at the other end.
    expect(eye.x, dir).toBeGreaterThan(end - 50);
  }

  await owner.page.goto(`${server.address}/console/c/123`);
  await owner.heading('No conversation open').waitFor();
  await owner.signOut();
  await owner.field('Email').fill(OWNER.email);
  await owner.field('Password').fill('wrong password');
  await owner.button('Sign in').click();
  const wrong = owner.page.getByText('Email and password do not belong together');
  const color = await wrong.evaluate((element) => getComputedStyle(element).color);
  const bad = await wrong.evaluate((element) => {
    const probe = element.appendChild(document.createElement('i'));
    probe.style.setProperty('color', 'var(--bad)');
    return getComputedStyle(probe).color;
  });
  expect(color).toBe(bad);
  await server.stop();
});

test('on a narrow screen the row of settings shows the page that is open', async () => {
  const profile = await stage.profile();
  const page = await profile.context.newPage();
  await page.setViewportSize({ width: 320, height: 700 });
  await page.goto(`${stage.server.address}/console`);
  await page.getByRole('button', { name: /Continue as Ada/ }).click();
  await page.getByRole('heading', { name: 'Inbox' }).waitFor();
  await page.goto(`${stage.server.address}/console/settings/preferences`);
  const link = page.getByRole('link', { name: 'Preferences', exact: true }).first();
  await expect
    .poll(() => link.evaluate((it) => it.getBoundingClientRect().right))
    .toBeLessThan(321);
});
