/** A line in which no more may wait, as visitors meet it: said in words, and nothing is lost. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Admin } from './kit/admin.ts';
import { Guest } from './kit/guest.ts';
import { Agent, type Profile, picture, Visitor } from './kit/people.ts';
import { Site } from './kit/site.ts';
import { setStage } from './kit/stage.ts';

const FULL = /Everybody is busy, and no more can wait/;
/** The question whose answer tells an open widget of what changed. */
const NEWS = /v1\/widgets\/demo\?wait=/;

const stage = setStage();
let admin: Admin;
let ada: Agent;
let site: Site;

beforeAll(async () => {
  site = await Site.open(
    () => `<script async src="${stage.server.address}/loader.js" data-widget="demo"></script>`,
  );
});

beforeEach(async () => {
  admin = await Admin.signIn(stage.server);
  ada = await Agent.open(await stage.profile(), stage.server.address, 'Ada');
});

afterAll(() => site.close());

/** Somebody waits, and no more may. */
async function fill(): Promise<void> {
  await Guest.begin(stage.server.address, { text: 'I was first' });
  await ada.row('I was first').waitFor();
}

async function visit(profile?: Profile): Promise<Visitor> {
  const visitor = await Visitor.open(profile ?? (await stage.profile()), site.address);
  await visitor.launcher.click();
  await visitor.log.waitFor();
  return visitor;
}

/** A visitor who has heard of room, and hears no more news until `tell` is called. */
async function surprised(text: string): Promise<[Visitor, tell: () => Promise<void>]> {
  const profile = await stage.profile();
  // The refusal, and the questions that are cut off.
  profile.expect(/409|net::ERR/);
  await profile.context.route(NEWS, () => {});
  const visitor = await visit(profile);
  await visitor.input.waitFor();
  await fill();
  await visitor.say(text);
  await visitor.chat.getByText(FULL).waitFor();
  return [visitor, () => profile.context.unroute(NEWS)];
}

test('who comes is told so, and of room as soon as there is some', async () => {
  await admin.widget({ queue_max: 1 });
  await fill();
  const visitor = await visit();
  await visitor.chat.getByText(FULL).waitFor();
  await visitor.chat.getByText('Or leave a message, and we will answer later.').waitFor();
  await picture(visitor.page, 'full-message');
  await visitor.input.fill('Half a thought');
  await ada.accept('I was first');
  await visitor.chat.getByText(FULL).waitFor({ state: 'detached' });
  expect(await visitor.input.inputValue()).toBe('Half a thought');
  await visitor.input.press('Enter');
  await ada.row('Half a thought').waitFor();
});

test('a message is left all the same, and answered when its turn comes', async () => {
  await admin.widget({ queue_max: 1 });
  await fill();
  const visitor = await visit();
  await visitor.chat.getByText(FULL).waitFor();
  await visitor.say('For later');
  await visitor.log.getByText('Sent').waitFor();
  expect(await visitor.chat.getByText(FULL).count()).toBe(0);
  await ada.accept('For later');
  await ada.say('It is later');
  await visitor.sees('It is later');
});

test('with a form it asks where to answer', async () => {
  await admin.widget({ queue_max: 1, offline: { behavior: 'form' } });
  await fill();
  const visitor = await visit();
  await visitor.chat.getByText(FULL).waitFor();
  await visitor.chat.getByLabel('Email').fill('vera@shop.example');
  await visitor.chat.getByLabel('Your message').fill('Call me about the fern');
  await picture(visitor.page, 'full-form');
  await visitor.chat.getByRole('button', { name: 'Send' }).click();
  await visitor.log.getByText('Sent').waitFor();
  const { visitor: contact } = await admin.card('Call me about the fern');
  expect(contact).toMatchObject({ email: 'vera@shop.example' });
});

test('with a link it leads elsewhere', async () => {
  const offline = { behavior: 'redirect', redirect_url: 'https://shop.example/contact' };
  await admin.widget({ queue_max: 1, offline });
  await fill();
  const visitor = await visit();
  await visitor.chat.getByText(FULL).waitFor();
  const link = visitor.chat.getByRole('link', { name: 'Contact us' });
  expect(await link.getAttribute('href')).toBe('https://shop.example/contact');
  await picture(visitor.page, 'full-link');
  await ada.accept('I was first');
  await visitor.input.waitFor();
});

test('another department may have room', async () => {
  await admin.widget({ queue_max: 1, departments: ['sales', 'billing'] });
  await fill();
  const visitor = await visit();
  await visitor.chat.getByText(FULL).waitFor();
  await visitor.chat.getByText('Billing', { exact: true }).click();
  await visitor.chat.getByText(FULL).waitFor({ state: 'detached' });
  await visitor.say('My bill is wrong');
  await visitor.log.getByText('Sent').waitFor();
});

test('what was written when the line filled up stays, and comes in once there is room', async () => {
  await admin.widget({ queue_max: 1 });
  const [visitor, tell] = await surprised('Me too');
  await visitor.sees('Me too');
  await visitor.chat.getByRole('button', { name: 'Try again' }).waitFor();
  await picture(visitor.page, 'full-refused');
  await tell();
  await visitor.page.reload();
  await visitor.sees('Me too');
  await visitor.chat.getByText(FULL).waitFor();
  await ada.accept('I was first');
  await visitor.log.getByText('Sent').waitFor();
  await ada.row('Me too').waitFor();
  expect(await visitor.chat.getByText(FULL).count()).toBe(0);
});

test('what was written when the line filled up can be left with an address', async () => {
  await admin.widget({ queue_max: 1, offline: { behavior: 'form' } });
  const [visitor] = await surprised('I cannot wait anyway');
  const leave = visitor.chat.getByRole('button', { name: 'Leave us a message' });
  await leave.click();
  expect(await visitor.log.getByText('Sent', { exact: true }).count()).toBe(0);
  await visitor.chat.getByLabel('Email').fill('vera@shop.example');
  await picture(visitor.page, 'full-refused-form');
  await leave.click();
  await visitor.log.getByText('Sent', { exact: true }).waitFor();
  const { visitor: contact } = await admin.card('I cannot wait anyway');
  expect(contact).toMatchObject({ email: 'vera@shop.example' });
});
