/** A new administrator with the README alone: from an empty server to the first answer. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { OWNER, Owner } from './kit/owner.ts';
import { picture, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage({ demo: false });
let site: Site;
/** What the administrator pasted into the page. */
let pasted = '';

beforeEach(async () => {
  pasted = '';
  site = await Site.open(() => `<main><h1>Our shop</h1><p>Plants and pots.</p></main>${pasted}`);
});

afterEach(() => site.close());

test('first start, set-up link, widget, a plain page, and the first conversation answered', async () => {
  const { server } = stage;
  const profile = await stage.profile();
  // Whoever comes without the link is told where it is.
  const early = await profile.context.newPage();
  await early.goto(`${server.address}/console`);
  await early.getByRole('heading', { name: 'Almost there' }).waitFor();
  await picture(early, 'first-almost');
  await early.close();

  const link = await server.setupLink();
  const owner = await Owner.setUp(profile, server);
  await owner.page.waitForURL(`${server.address}/console/settings`);
  await owner.page.getByText('1 of 5 done').waitFor();
  await picture(owner.page, 'first-steps');

  // The widget, from the checklist.
  await owner.page.getByRole('link', { name: 'Make a widget' }).click();
  await owner.button('Make a widget').click();
  await owner.field('Name').fill('Our shop');
  expect(await owner.field('Short name').inputValue()).toBe('our-shop');
  await owner.field('Site').fill(site.address);
  await owner.button('Make it').click();
  await owner.heading('Our shop').waitFor();
  await owner.tab('Words');
  await owner.field('Welcome').fill('Hello from the greenhouse!');
  await owner.save();
  await owner.tab('Sites & embed');
  pasted = await owner.field('HTML').inputValue();
  expect(pasted).toContain(`${server.address}/loader.js`);
  await picture(owner.page, 'first-embed');

  // The page on another port, in the browser of somebody else.
  const stranger = await stage.profile();
  const visitor = await Visitor.open(stranger, site.address);
  await visitor.openChat();
  await visitor.say('Do you have cactuses?');
  await visitor.sees('Do you have cactuses?');

  // The first conversation, answered.
  await owner.page.getByRole('link', { name: 'Inbox' }).click();
  const row = owner.page.getByText('Do you have cactuses?').first();
  await row.waitFor();
  await row.click();
  await owner.page
    .getByRole('region', { name: 'Open conversation' })
    .getByRole('button', { name: /Accept|Assign to me/ })
    .first()
    .click();
  const reply = owner.page.getByRole('textbox', { name: 'Reply' });
  await reply.fill('Twelve kinds of them.');
  await reply.press('Enter');
  await visitor.sees('Twelve kinds of them.');
  await picture(visitor.page, 'first-answer');

  // The checklist knows.
  await owner.open('First steps');
  await owner.page.getByText('4 of 5 done').waitFor();

  // The link was good once.
  const late = await stranger.context.newPage();
  stranger.expect(/Failed to load resource|WebSocket/);
  await late.goto(link);
  const second = new Owner(late);
  await late.waitForURL(`${server.address}/console`);
  await second.field('Your name').fill('Mallory');
  await second.field('Email').fill('mallory@evil.example');
  await second.field('Password').fill('let me in please');
  await second.button('Set up').click();
  await late.getByText(/used already/).waitFor();
  await second.button('Go to sign-in').click();
  await second.heading('Sign in').waitFor();

  // And the owner comes in again by password, also after a restart.
  await owner.signOut();
  profile.expect(/WebSocket|Failed to load resource/);
  await server.kill();
  await server.run();
  const again = await Owner.signIn(stranger, server);
  await again.button(new RegExp(`^${OWNER.name}`)).waitFor();
}, 240_000);
