/** The settings, each flow on the real binary. */

import type { FrameLocator, Locator } from 'playwright-core';
import { beforeEach, expect, test } from 'vitest';
import { OWNER, Owner, setUpByHand } from './kit/owner.ts';
import { type Profile, picture, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

/** What browsers say of refusals, which are what is tested. */
const REFUSED = /Failed to load resource/;

const stage = setStage({ demo: false });
let profile: Profile;
let owner: Owner;

beforeEach(async () => {
  await setUpByHand(stage.server);
  profile = await stage.profile();
  owner = await Owner.signIn(profile, stage.server);
});

/** A new person, and the link that lets them in. */
async function invite(name: string, email: string): Promise<string> {
  await owner.open('People');
  await owner.button('Add a person').click();
  await owner.field('Name').fill(name);
  await owner.field('Email').fill(email);
  await owner.button('Add and make a link').click();
  const link = await owner.dialog.getByRole('textbox', { name: 'Link' }).inputValue();
  await picture(owner.page, 'settings-invitation');
  await owner.button('Done').click();
  await owner.page.getByText('Invited').waitFor();
  return link;
}

test('a department is made, changed, and deleted with a word of what happens', async () => {
  await owner.open('Departments');
  await owner.button('Add a department').click();
  await owner.field('Name').fill('Repairs & Returns');
  expect(await owner.field('Short name').inputValue()).toBe('repairs-returns');
  await owner.button('Add').click();
  await owner.page.getByRole('link', { name: 'Repairs & Returns' }).click();
  await owner.field('How a conversation finds somebody').selectOption('round_robin');
  await owner.page.getByText('Not saved yet').waitFor();
  await owner.button('Undo').click();
  await owner.page.getByText('Not saved yet').waitFor({ state: 'hidden' });
  await owner.field('How a conversation finds somebody').selectOption('least_busy');
  await owner.save();
  await owner.button('Delete…').click();
  await owner.dialog.getByText(/Nobody works in it\. No widget offers it\./).waitFor();
  await owner.dialog.getByRole('button', { name: 'Delete' }).click();
  await owner.said('Repairs & Returns is gone.');
  expect(await owner.page.getByRole('link', { name: 'Repairs & Returns' }).count()).toBe(0);
});

test('what is being changed is not behind the bar that saves it', async () => {
  await invite('Ben Okri', 'ben@shop.example');
  await owner.page.getByRole('link', { name: 'Ben Okri' }).click();
  await owner.field('Skills').fill('returns');
  const top = (locator: Locator) => locator.evaluate((one) => one.getBoundingClientRect().top);
  const bar = owner.page.getByRole('region', { name: 'Unsaved changes' });
  const free = async () => (await top(bar)) - (await top(owner.field('Skills')));
  // As high as the field is, with the ring around it.
  await expect.poll(free).toBeGreaterThan(38);
});

test('the hours of each day are one line of its panel', async () => {
  await owner.open('Widgets');
  await owner.button('Make a widget').click();
  await owner.field('Name').fill('Shop');
  await owner.button('Make it').click();
  await owner.tab('Hours');
  await owner.page.getByRole('radio', { name: 'At certain hours' }).check();
  const [from, to] = [owner.field('Monday opens'), owner.field('Monday closes')];
  const add = owner.button('Add hours to Monday');
  const [begin, end, more] = await Promise.all([from, to, add].map((one) => one.boundingBox()));
  expect(end?.y).toBe(begin?.y);
  expect(Math.abs((more?.y ?? 0) - (begin?.y ?? 0))).toBeLessThan(10);
  expect(more?.x).toBeGreaterThan((end?.x ?? 0) + (end?.width ?? 0));
});

test('a widget is removed by its name, and not over the change of somebody else', async () => {
  await owner.open('Widgets');
  await owner.button('Make a widget').click();
  await owner.field('Name').fill('Pop-up shop');
  await owner.button('Make it').click();
  const remove = owner.button('Remove widget…');
  await remove.click();
  await owner.dialog.getByText(/identity keys end/).waitFor();
  await owner.dialog.getByText(/go on, here and for visitors/).waitFor();
  const typed = owner.dialog.getByRole('textbox', { name: 'Name of the widget' });
  await typed.fill('Pop-up');
  expect(await owner.dialog.getByRole('button', { name: 'Remove it' }).isDisabled()).toBe(true);
  await owner.page.keyboard.press('Escape');
  await owner.dialog.waitFor({ state: 'hidden' });

  // The same person in another tab stands for a colleague.
  const other = new Owner(await profile.context.newPage());
  await other.page.goto(owner.page.url());
  await other.tab('Words');
  await other.field('Title').fill('Until Sunday');
  await other.save();
  await remove.click();
  await typed.fill('Pop-up shop');
  profile.expect(REFUSED);
  await owner.dialog.getByRole('button', { name: 'Remove it' }).click();
  await owner.dialog.getByText(/^Olga Owner changed it meanwhile \(/).waitFor();
  await owner.dialog.getByRole('button', { name: 'Remove it anyway' }).click();
  await owner.said('Pop-up shop is removed.');
  await owner.heading('Widgets').waitFor();
  expect(await owner.page.getByRole('link', { name: 'Pop-up shop' }).count()).toBe(0);
  await other.page.reload();
  await other.heading('It is not there any more').waitFor();
});

test('leaving with something unsaved asks first', async () => {
  await owner.open('Departments');
  await owner.page.getByRole('link', { name: 'Sales' }).click();
  await owner.field('Name').fill('Sails');
  await owner.open('People');
  await owner.dialog.getByRole('button', { name: 'Stay here' }).click();
  expect(await owner.field('Name').inputValue()).toBe('Sails');
  await owner.open('People');
  await owner.dialog.getByRole('button', { name: 'Discard changes' }).click();
  await owner.heading('People').waitFor();
  await owner.open('Departments');
  await owner.page.getByRole('link', { name: 'Sales' }).waitFor();
});

test('the designer refuses what cannot be read, and shows the widget as it would be', async () => {
  await owner.open('Widgets');
  await owner.button('Make a widget').click();
  await owner.field('Name').fill('Greenhouse');
  await owner.button('Make it').click();
  await owner.tab('Look');
  const accent = '#ffd000';
  await owner.field('Accent').fill(accent);
  await owner.page.getByText('black 14.3:1').waitFor();
  await owner.field('Background').fill('#ffffff');
  await owner.field('Text').fill('#999999');
  await owner.page.getByText(/2\.8:1, and 4\.5:1 is needed/).waitFor();
  expect(await owner.button('Save').isDisabled()).toBe(true);
  await picture(owner.page, 'settings-contrast');
  await owner.button(/^Use #/).click();
  await expect.poll(() => owner.field('Text').inputValue()).not.toBe('#999999');
  await owner.tab('Words');
  await owner.field('Title').fill('Ask the gardener');
  const preview = owner.page.frameLocator('iframe[title="The widget as it would be"]');
  await preview.getByText('Ask the gardener').waitFor();
  await picture(owner.page, 'settings-preview');

  await owner.tab('Questions');
  await owner.button('Another question').click();
  await owner.page.getByText('Write the question that visitors read.').first().waitFor();
  await owner.field('Question 1').fill('Which plant is it?');
  await owner.tab('Hours');
  await owner.page.getByRole('radio', { name: 'At certain hours' }).check();
  await owner.field('Time zone').fill('Europe/Berlin');
  await owner.field('Monday opens').fill('10:00');
  await owner.field('Days closed altogether').fill('2027-01-01');
  await owner.page.getByRole('button', { name: 'Add', exact: true }).click();
  // The server says what they are, before they are saved.
  const test = owner.page.getByRole('button', { name: 'Test', exact: true });
  await owner.field('Open at …?').fill('2027-01-01T11:00');
  await test.click();
  await owner.page
    .getByText(
      'Closed: that day is closed altogether. It opens next on Monday, January 4, 2027 at 10:00',
    )
    .waitFor();
  await owner.field('Open at …?').fill('2027-01-04T11:00');
  await test.click();
  await owner.page.getByText(/^Open: within the hours of Monday\./).waitFor();
  await picture(owner.page, 'settings-hours-test');
  // What is not saved yet is named, also of the questions.
  const bar = owner.page.getByRole('region', { name: 'Unsaved changes' });
  await bar.locator('summary').click();
  await bar.getByText('Questions: Which plant is it?').waitFor();
  await picture(owner.page, 'settings-differences');
  await bar.locator('summary').click();
  // A search goes over all parts.
  await owner.field('Search these settings').fill('opens itself');
  await owner.field('Opens by itself after').waitFor();
  expect(await owner.page.getByRole('tab').count()).toBe(0);
  expect(await owner.page.getByLabel('Time zone').isVisible()).toBe(false);
  await picture(owner.page, 'settings-search');
  await owner.field('Search these settings').fill('');
  await owner.tab('Behavior');
  await owner.field('Opens by itself after').fill('9000');
  await owner.page.getByText('Write 0 to 600 seconds.').first().waitFor();
  await owner.field('Opens by itself after').fill('30');
  await owner.tab('Sites & embed');
  await owner.field('Add a site').fill('http://shop.example');
  await owner.field('Add a site').press('Enter');
  await owner.page.getByText(/Use https:\/\/shop\.example/).waitFor();
  await owner.field('Add a site').fill('shop.example');
  await owner.field('Add a site').press('Enter');
  await owner.page.getByRole('list', { name: 'Sites' }).getByText('https://shop.example').waitFor();
  await owner.save();

  await owner.page.reload();
  await owner.tab('Look');
  expect(await owner.field('Accent').inputValue()).toBe(accent);
  await owner.tab('Questions');
  expect(await owner.field('Question 1').inputValue()).toBe('Which plant is it?');
  await owner.tab('Hours');
  expect(await owner.field('Monday opens').inputValue()).toBe('10:00');
  await owner.page.getByText('Jan 1, 2027').waitFor();
  await owner.tab('Behavior');
  expect(await owner.field('Opens by itself after').inputValue()).toBe('30');
});

test('who saves second sees what the first one saved, and decides', async () => {
  profile.expect(REFUSED);
  await owner.open('Departments');
  await owner.page.getByRole('link', { name: 'Technical Support' }).click();
  await owner.field('Name').waitFor();
  const other = new Owner(await profile.context.newPage());
  await other.page.goto(owner.page.url());
  await other.field('Name').fill('Technicians');
  await other.save();
  await owner.field('How a conversation finds somebody').selectOption('skills');
  await owner.button('Save').click();
  await owner.dialog.getByRole('heading', { name: /changed this meanwhile/ }).waitFor();
  await picture(owner.page, 'settings-conflict');
  await owner.dialog.getByRole('button', { name: 'Put mine on top' }).click();
  await owner.said('Saved over it.');
  await expect.poll(() => owner.field('Name').inputValue()).toBe('Technicians');
  await other.page.reload();
  expect(await other.field('How a conversation finds somebody').inputValue()).toBe('skills');
  await other.page.close();
});

test('colors and words show in the preview at once, and on the site when they are saved', async () => {
  const site = await Site.open(() => `<main><h1>Site</h1></main>${html}`);
  let html = '';
  await owner.open('Widgets');
  await owner.button('Make a widget').first().click();
  await owner.field('Name').fill('Live');
  await owner.field('Site').fill(site.address);
  await owner.button('Make it').click();
  await owner.tab('Sites & embed');
  html = await owner.field('HTML').inputValue();
  const stranger = await stage.profile();
  const visitor = await Visitor.open(stranger, site.address);
  await visitor.openChat();
  const preview = owner.page.frameLocator('iframe[title="The widget as it would be"]');
  const header = (frame: FrameLocator) =>
    frame.locator('.head').evaluate((head) => {
      const { backgroundImage, color } = getComputedStyle(head);
      return [/rgb\([\d, ]+\)/.exec(backgroundImage)?.[0], color];
    });
  const title = 'Fresh from the designer';
  const welcome = 'Which plant do you miss?';
  const before = await header(visitor.chat);
  await owner.tab('Look');
  await owner.field('Accent').fill('#ffd000');
  await owner.tab('Words');
  await owner.field('Title').fill(title);
  await owner.field('Welcome').fill(welcome);
  await preview.getByRole('heading', { name: title }).waitFor();
  await preview.getByText(welcome).waitFor();
  // On a bright accent the text is black.
  const bright = ['rgb(255, 208, 0)', 'color(xyz-d65 0 0 0)'];
  await expect.poll(() => header(preview)).toEqual(bright);
  await picture(owner.page, 'settings-preview-live');
  // Nothing of it is anybody else's yet, also not by the way that changes take.
  const ask = async () => (await fetch(`${stage.server.address}/v1/widgets/live`)).text();
  expect(await ask()).not.toContain(title);
  expect(await header(visitor.chat)).toEqual(before);
  expect(await visitor.chat.getByText(welcome).count()).toBe(0);
  await owner.save();
  await visitor.chat.getByRole('heading', { name: title }).waitFor();
  await visitor.chat.getByText(welcome).waitFor();
  await expect.poll(() => header(visitor.chat)).toEqual(bright);
  await site.close();
});

test('an identity key is shown once, and replaced at once when it leaked', async () => {
  await owner.open('Widgets');
  await owner.button('Make a widget').first().click();
  await owner.field('Name').fill('Keyed');
  await owner.button('Make it').click();
  await owner.tab('Sites & embed');
  const asked: string[] = [];
  owner.page.on('request', (request) => asked.push(new URL(request.url()).search));
  const make = async (button: string, action: string) => {
    await owner.button(button).click();
    await owner.dialog.getByRole('button', { name: action }).click();
    const secret = await owner.dialog.getByRole('textbox', { name: 'Secret' }).inputValue();
    await owner.button('I have it').click();
    return secret;
  };
  const first = await make('New identity key…', 'Make it');
  expect(asked).not.toContain('?revoke=1');
  const second = await make('It leaked: replace it at once…', 'Replace it now');
  expect(asked).toContain('?revoke=1');
  expect(second).not.toBe(first);
});

test('a person is invited by link, works, and is shut out', async () => {
  profile.expect(REFUSED);
  const link = await invite('Nina New', 'nina@shop.example');

  const elsewhere = await stage.profile();
  elsewhere.expect(/Failed to load resource|WebSocket/);
  const page = await elsewhere.context.newPage();
  await page.goto(link);
  await page.waitForURL(`${stage.server.address}/console`);
  const nina = new Owner(page);
  await nina.field('New password').fill('short');
  expect(await nina.button('Continue').isDisabled()).toBe(true);
  await nina.field('New password').fill('three blue bicycles');
  await nina.button('Continue').click();
  await page.getByRole('navigation', { name: 'Places' }).waitFor();
  // An agent sees nothing that only admins may open.
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('navigation', { name: 'Settings' }).waitFor();
  expect(await page.getByRole('link', { name: 'People' }).count()).toBe(0);
  await page.goto(`${stage.server.address}/console/settings/people`);
  await nina.heading('This is not for your role').waitFor();
  await page.goto(`${stage.server.address}/console/settings/profile`);
  await nina.field('Name for visitors').fill('Nina');
  await nina.save();

  await owner.open('Departments');
  await owner.open('People');
  await owner.page.getByRole('link', { name: 'Nina New' }).click();
  await owner.field('Conversations at once').fill('3');
  await owner.field('Skills').fill('Arabic, returns');
  await owner.save();
  await owner.page.reload();
  expect(await owner.field('Skills').inputValue()).toBe('Arabic, returns');
  expect(await owner.field('Conversations at once').inputValue()).toBe('3');
  expect(await owner.field('Name for visitors').inputValue()).toBe('Nina');
  await owner.button('Disable…').click();
  await owner.dialog.getByRole('button', { name: 'Disable' }).click();
  await owner.said('They may not come in any more.');
  await nina.dialog.getByText('Your sign-in has ended').waitFor();
});

test('a refusal is seen: the row is as it was, and a notice says why', async () => {
  profile.expect(REFUSED);
  await invite('Nina New', 'nina@shop.example');
  const row = owner.page.getByRole('listitem').filter({ hasText: 'Nina New' });
  await row.getByRole('button', { name: 'Actions for Nina New' }).click();
  await owner.page.getByRole('menuitem', { name: 'Disable…' }).click();
  await owner.dialog.getByRole('button', { name: 'Disable' }).click();
  await row.getByText('Disabled').waitFor();
  let answer = () => {};
  const asked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await owner.page.route('**/v1/agents/*', async (route) => {
    if (route.request().method() !== 'PATCH') return route.fallback();
    await asked;
    await route.fulfill({ status: 503, json: { code: 'busy' } });
  });
  await row.getByRole('button', { name: 'Actions for Nina New' }).click();
  await owner.page.getByRole('menuitem', { name: 'Let in again' }).click();
  await row.getByText('Disabled').waitFor({ state: 'hidden' });
  answer();
  await owner.said(/Nina New: The server is too busy/);
  await row.getByText('Disabled').waitFor();
  await owner.page.unroute('**/v1/agents/*');
});

test('an API key shows its secret once, works, and is revoked', async () => {
  profile.expect(REFUSED);
  await owner.open('API keys');
  await owner.button('Create a key').click();
  await owner.field('Name').fill('Order bot');
  await owner.field('Read widgets and departments').check();
  await owner.button('Create').click();
  const secret = await owner.dialog.getByRole('textbox', { name: 'Secret' }).inputValue();
  await owner.button('I have it').click();
  const ask = (path: string) =>
    fetch(`${stage.server.address}${path}`, { headers: { authorization: `Bearer ${secret}` } });
  expect((await ask('/v1/departments')).status).toBe(200);
  expect((await ask('/v1/agents')).status).toBe(403);
  await owner.page.reload();
  await owner.page.getByText('Order bot').waitFor();
  expect(await owner.page.content()).not.toContain(secret);
  await owner.button('Revoke Order bot').click();
  await owner.dialog.getByRole('button', { name: 'Revoke' }).click();
  await owner.said(/opens nothing any more/);
  await owner.heading('No keys yet').waitFor();
  expect((await ask('/v1/departments')).status).toBe(401);
});

test('a tenant gets a link for its owner, who signs in there', async () => {
  await owner.open('Tenants');
  await owner.button('Add a tenant').click();
  await owner.field('Name').fill('Acme');
  await owner.button('Add').click();
  const link = await owner.dialog.getByRole('textbox', { name: 'Set-up link' }).inputValue();
  await owner.button('Done').click();
  const elsewhere = await stage.profile();
  const page = await elsewhere.context.newPage();
  await page.goto(link);
  const acme = new Owner(page);
  await acme.field('Your name').fill('Zed');
  await acme.field('Email').fill('zed@acme.example');
  await acme.field('Password').fill('nine purple teapots');
  await acme.button('Set up').click();
  await acme.heading('First steps').waitFor();
  // Tenants are not theirs to keep.
  expect(await page.getByRole('link', { name: 'Tenants' }).count()).toBe(0);
});

test('the audit log lists who changed what, is searched, and goes on to what is older', async () => {
  const { address } = stage.server;
  const me = await owner.page.request.get(`${address}/v1/auth/me`);
  const { csrf } = (await me.json()) as { csrf: string };
  for (let n = 0; n < 55; n += 1) {
    const answer = await owner.page.request.put(`${address}/v1/departments/finance`, {
      data: { name: `Finance ${n}` },
      headers: { 'if-match': '*', 'x-switchboard-csrf': csrf, origin: address },
    });
    expect(answer.status()).toBe(200);
  }
  await owner.open('Audit log');
  const list = owner.page.getByRole('list', { name: 'Changes' });
  const first = list.getByRole('listitem').first();
  await first.getByText('Olga Owner changed the department Finance 54').waitFor();
  await first.locator('summary').click();
  await first.getByText('Finance 53', { exact: true }).waitFor();
  expect(await list.getByRole('listitem').count()).toBe(50);
  await owner.button('Older changes').focus();
  await owner.page.keyboard.press('Enter');
  await list.getByText('Olga Owner created the person Olga Owner').waitFor();
  await owner.field('Search the audit log').fill('created person');
  await list.getByText('Finance 54').first().waitFor({ state: 'hidden' });
  expect(await list.getByRole('listitem').count()).toBe(1);
});

test('name, picture and password are one’s own to change', async () => {
  profile.expect(REFUSED);
  await owner.open('Your profile');
  await owner.field('Name for visitors').fill('Olga');
  await owner.save();
  await owner.page.getByLabel('Picture file').setInputFiles({
    name: 'me.png',
    mimeType: 'image/png',
    buffer: Buffer.from(PICTURE, 'base64'),
  });
  await owner.field('Zoom').fill('2');
  await owner.page.getByLabel('Part of the picture; arrow keys move it').press('ArrowRight');
  await picture(owner.page, 'settings-crop');
  await owner.button('Use this').click();
  await owner.said('The picture is changed.');
  const shown = owner.page.locator('.avatar-row img');
  await shown.waitFor();
  expect(await shown.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(128);
  await owner.button('Remove').click();
  await owner.said('The picture is gone.');

  await owner.field('Current password').fill('not this one');
  await owner.field('New password').fill('eight red balloons');
  await owner.button('Change password').click();
  await owner.page.getByText('The current password is not right.').waitFor();
  await owner.field('Current password').fill(OWNER.password);
  await owner.field('New password').fill('eight red balloons');
  await owner.button('Change password').click();
  await owner.said(/Your password is changed/);
  const elsewhere = await stage.profile();
  await Owner.signIn(elsewhere, stage.server, { ...OWNER, password: 'eight red balloons' });
  await owner.field('Current password').fill('eight red balloons');
  await owner.field('New password').fill(OWNER.password);
  await owner.button('Change password').click();
  await expect.poll(() => owner.field('Current password').inputValue()).toBe('');
});

test('a sign-in that ends takes nothing of what was written', async () => {
  profile.expect(/Failed to load resource|WebSocket/);
  await owner.open('Departments');
  await owner.page.getByRole('link', { name: 'Billing & Finance' }).click();
  await owner.field('Name').fill('Money');
  await profile.context.clearCookies();
  await owner.button('Save').click();
  await owner.dialog.getByText('Your sign-in has ended').waitFor();
  await picture(owner.page, 'settings-expired');
  await owner.dialog.getByLabel('Password', { exact: true }).fill(OWNER.password);
  await owner.dialog.getByRole('button', { name: 'Sign in', exact: true }).click();
  await owner.dialog.waitFor({ state: 'hidden' });
  expect(await owner.field('Name').inputValue()).toBe('Money');
  await owner.save();
});

test('people are added, and settings saved, by keyboard alone', async () => {
  const { page } = owner;
  const { keyboard } = page;
  await owner.open('Departments');
  const focused = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      const label = element instanceof HTMLInputElement ? element.labels?.[0]?.textContent : null;
      return element?.getAttribute('aria-label') ?? label ?? element?.textContent ?? '';
    });
  const tabTo = async (name: RegExp, key = 'Tab') => {
    for (let presses = 0; presses < 80; presses += 1) {
      if (name.test(await focused())) return;
      await keyboard.press(key);
    }
    throw new Error(`the Tab key does not reach ${name}`);
  };
  await tabTo(/^Add a department$/);
  await keyboard.press('Enter');
  await expect.poll(focused).toBe('Name');
  await keyboard.type('By keyboard');
  await keyboard.press('Enter');
  await owner.said('By keyboard is there.');
  // The focus is back where it was.
  await expect.poll(focused).toBe('Add a department');
  await tabTo(/^By keyboard$/);
  await keyboard.press('Enter');
  await owner.heading('By keyboard').waitFor();
  await tabTo(/^Name$/);
  await keyboard.press('End');
  await keyboard.type(' alone');
  await tabTo(/^Save$/);
  await keyboard.press('Enter');
  await owner.said('Saved.');
  await owner.heading('By keyboard alone').waitFor();
  // And a widget is designed.
  await tabTo(/^Widgets$/);
  await keyboard.press('Enter');
  await owner.heading('No widget yet').waitFor();
  await tabTo(/^Make a widget$/);
  await keyboard.press('Enter');
  await expect.poll(focused).toBe('Name');
  await keyboard.type('Keys shop');
  await keyboard.press('Enter');
  await tabTo(/^Sites & embed$/);
  // One stop for all parts; the arrows go around.
  await keyboard.press('ArrowRight');
  await expect.poll(focused).toBe('Look');
  await tabTo(/^Accent$/);
  await keyboard.type('#0a6b4f');
  await tabTo(/^Look$/, 'Shift+Tab');
  await keyboard.press('ArrowRight');
  await tabTo(/^Title/);
  await keyboard.type('Ask us');
  await tabTo(/^Save$/);
  await keyboard.press('Enter');
  await expect.poll(() => owner.page.getByText('Not saved yet').count()).toBe(0);
  await owner.said('Saved.');
});

/** A picture of 16 × 8 pixels. */
const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAABAAAAAICAIAAAB/FOjAAAAA6klEQVR42g3LIRWFMBQA0BeBBDtEIMAEEdBTREBeSQTUNBEQC0AEzhIQgQj/X38jwhDGMIU5LGENW9jDEc5whTs84Q1fiEiGZEymZE6WZE22ZE+O5Eyu5E6e5E2+9A/ZkI3ZlM3Zkq3Zlu3ZkZ3Zld3Zk73Zl/+hGIqxmIq5WIq12Iq9OIqzuIq7eIq3+Mo/MDAyMbOwsrFzcHJx8/Dy+YdqqMZqquZqqdZqq/bqqM7qqu7qqd7qq//QDM3YTM3cLM3abM3eHM3ZXM3dPM3bfO0fuqEbu6mbu6Vbu63bu6M7u6u7u6d7u6/7AQmFrIGz5EMDAAAAAElFTkSuQmCC';
