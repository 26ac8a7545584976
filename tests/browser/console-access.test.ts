/** Every state of the inbox under axe, and an agent's day by keyboard alone. */

import { expect, test } from 'vitest';
import { checkEverywhere } from './kit/axe.ts';
import { Guest } from './kit/guest.ts';
import { Line } from './kit/line.ts';
import { Agent } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();

function begin(text: string, name: string, email?: string): Promise<Guest> {
  const context = { url: 'https://shop.example/ferns', title: 'Ferns' };
  return Guest.begin(stage.server.address, { text, name, context, ...(email ? { email } : {}) });
}

/** Somebody of the office without a page. */
async function colleague(as: string) {
  const ask = async (path: string, body: object, token?: string) => {
    const response = await fetch(stage.server.address + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as { token: string };
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  const { token } = await ask('/v1/demo/sign-in', { as });
  return (path: string, body: object) => ask(`/v1/conversations/${path}`, body, token);
}

test('every state', async () => {
  const office = await stage.profile();
  const line = await Line.of(office);
  let tag = 'W/"old"';
  await office.context.route('**/console', (route) =>
    route.request().resourceType() === 'document'
      ? route.fallback()
      : route.fulfill({ status: 200, headers: { etag: tag }, body: '' }),
  );
  const ada = await Agent.open(office, stage.server.address, 'Ada');
  const { page } = ada;
  const { keyboard } = page;
  let checked = 0;
  const look = async (state: string) => {
    checked += await checkEverywhere(page, `console ${state}`);
  };
  const lookAtDialog = async (state: string) => {
    await ada.dialog.waitFor();
    await look(state);
    await keyboard.press('Escape');
    await ada.dialog.waitFor({ state: 'hidden' });
  };
  await page.getByText('Nobody is waiting').waitFor();
  await look('empty');
  const maya = await begin('Is my fern meant to be yellow?', 'Maya Lindqvist', 'maya@shop.example');
  await begin('هل تشحنون إلى دبي؟', 'سارة عبد الله');
  await begin('I was charged twice', 'Jonas Weber');
  await ada.row('charged twice').waitFor();
  await look('waiting');
  await page.getByRole('searchbox', { name: 'Search conversations' }).fill('fern');
  await ada.list.locator('mark').first().waitFor();
  await look('search');
  const save = ada.list.getByRole('button', { name: 'Save this filter…' });
  await save.click();
  await ada.dialog.getByRole('button', { name: 'Save' }).click();
  await ada.dialog.getByText('Give it a name.').waitFor();
  await lookAtDialog('save filter');
  await save.click();
  await ada.dialog.getByLabel('Name').fill('Ferns again');
  await keyboard.press('Enter');
  await ada.list.getByRole('button', { name: 'Remove filter Ferns again' }).waitFor();
  await look('saved filter');
  await keyboard.press('Escape');
  await ada.open('yellow');
  await ada.sees('Is my fern meant to be yellow?');
  await look('not mine yet');
  await ada.button('Assign to me').click();
  await ada.reply.waitFor();
  await ada.say('Rather green. How often do you water it?');
  await ada.note('Third yellow fern this week, ask the nursery.');
  await maya.say('Twice a day, https://shop.example/ferns says so');
  await ada.sees('Twice a day, https://shop.example/ferns says so');
  await look('talk');
  await ada.filter('All').click();
  await ada.reply.fill('Half a sentence');
  const busy = await Agent.open(await stage.profile(), stage.server.address, 'Ben');
  await busy.accept('charged twice');
  await ada.open('charged twice');
  const typing = setInterval(() => void busy.reply.pressSequentially('.').catch(() => {}), 1_000);
  const open = page.getByRole('region', { name: 'Open conversation' });
  await open.getByText(/^Ben.* is typing$/).waitFor();
  await ada.row('Twice a day').getByText('Draft').waitFor();
  await look('company and draft');
  clearInterval(typing);
  await busy.reply.fill('');
  await busy.page.close();
  await ada.open('Twice a day');
  await ada.reply.fill('');
  await ada.log
    .getByRole('listitem')
    .filter({ hasText: 'Rather green' })
    .getByRole('button', { name: 'What to do with this message' })
    .click();
  await page.getByRole('menuitem', { name: 'Edit' }).click();
  await page.getByRole('textbox', { name: 'Edit the message' }).waitFor();
  await look('edit form');
  await keyboard.press('Escape');
  const [own, ben] = await Promise.all([colleague('ada'), colleague('ben')]);
  await own(`${maya.conversation}/transfer`, { agent: 'ben', reason: 'Yours' });
  await ben(`${maya.conversation}/transfer`, { agent: 'ada', reason: 'Mine, but yours after all' });
  await page.getByRole('status').getByRole('button', { name: 'Hand back' }).waitFor();
  await ada.reply.fill('Once a week is enough');
  await ben(`${maya.conversation}/messages`, { text: 'Water it less' });
  await ada.sees('Water it less');
  await ada.reply.press('Enter');
  await ada.button('Send anyway').waitFor();
  await look('strips');
  await ada.button('Send anyway').click();
  await ada.sees('Once a week is enough');
  line.refuse = ({ type, action, ref }) =>
    type === 'do' && action === 'priority' ? { type: 'refused', ref, code: 'at_capacity' } : null;
  await ada.heading.press('p');
  await ada.dialog.getByRole('option', { name: 'Urgent' }).click();
  await page.getByText(/^Could not change the priority/).waitFor();
  await look('toast');
  await page.getByRole('button', { name: 'Dismiss' }).click();
  tag = 'W/"new"';
  await line.cut();
  await page.getByText('Reconnecting…').waitFor();
  await line.mend();
  await page.getByRole('button', { name: 'Reload to update' }).waitFor();
  await line.cut();
  await page.getByText('Reconnecting…').waitFor();
  await look('bars');
  await line.mend();
  await page.getByText('Reconnecting…').waitFor({ state: 'hidden' });
  await page.getByRole('tab', { name: 'Internal note' }).click();
  await look('noting');
  await page.getByRole('tab', { name: 'Reply' }).click();
  await ada.heading.press('l');
  await ada.dialog.getByRole('combobox').fill('fern');
  await keyboard.press('Enter');
  await lookAtDialog('tags');
  await ada.heading.press('a');
  await lookAtDialog('assign');
  await ada.heading.press('t');
  await lookAtDialog('transfer');
  await keyboard.press('Control+k');
  await ada.dialog.getByRole('combobox').fill('re');
  await lookAtDialog('palette');
  await ada.heading.press('?');
  await lookAtDialog('keys');
  await ada.heading.press('c');
  await ada.dialog.getByLabel('Email of the customer').fill('not an address');
  await lookAtDialog('new chat');
  await page.getByRole('button', { name: 'More for this conversation' }).click();
  await page.getByRole('menuitem').first().waitFor();
  await look('menu');
  await keyboard.press('Escape');
  await page.setViewportSize({ width: 900, height: 700 });
  await page.getByLabel('Context', { exact: true }).waitFor({ state: 'hidden' });
  await ada.heading.press('.');
  await page.getByRole('button', { name: 'Close the context pane' }).waitFor();
  checked += await checkEverywhere(page, 'console context over');
  await ada.button(/^Resolve$/).click();
  await ada.filter('Closed').click();
  await ada.open('Once a week');
  await ada.button('Reopen and reply').waitFor();
  await look('closed');
  await page.goto(`${stage.server.address}/console/c/00000000-0000-7000-8000-000000000000`);
  await page.getByText('This conversation cannot be shown').waitFor();
  await look('not there');
  await page.goto(`${stage.server.address}/console/settings/preferences`);
  await page.getByRole('heading', { name: 'Preferences' }).waitFor();
  await look('preferences');
  await page.getByRole('button', { name: 'Change the keys of Resolve', exact: true }).click();
  await keyboard.press('t');
  await ada.dialog.getByText(/Transfer has it now/).waitFor();
  await look('preferences conflict');
  await keyboard.press('Control+p');
  await ada.dialog.getByText(/cannot be chosen/).waitFor();
  await lookAtDialog('preferences refused');
  expect(checked).toBe(26 * 8);
  expect([...office.origins]).toEqual([stage.server.address]);
}, 900_000);

test('an agent works by keyboard alone: accept, reply, note, tag, resolve', async () => {
  const guest = await begin('Keyboard please', 'Kay');
  const ben = await Agent.open(await stage.profile(), stage.server.address, 'Ben');
  const { keyboard } = ben.page;
  await ben.row('Keyboard please').waitFor();
  await keyboard.press('/');
  await expect.poll(() => ben.focused()).toBe('Search conversations');
  await keyboard.press('ArrowDown');
  // The row is a stop of the Tab key, and the arrows move from there.
  await keyboard.press('End');
  await expect.poll(() => ben.focused()).toContain('Keyboard please');
  await keyboard.press('Enter');
  await expect.poll(() => ben.focused()).toBe('Kay');
  await keyboard.press('i');
  await ben.reply.waitFor();
  await keyboard.press('r');
  await expect.poll(() => ben.focused()).toBe('Reply');
  await keyboard.type('By keyboard');
  await keyboard.press('Shift+Enter');
  await keyboard.type('on two lines');
  await keyboard.press('Enter');
  await ben.sees('By keyboard\non two lines');
  await keyboard.press('Escape');
  await expect.poll(() => ben.focused()).toBe('Kay');
  await keyboard.press('n');
  await expect.poll(() => ben.focused()).toBe('Internal note');
  await keyboard.type('likes keys');
  await keyboard.press('Control+Enter');
  await ben.sees('likes keys');
  await keyboard.press('Escape');
  await expect.poll(() => ben.focused()).toBe('Kay');
  await keyboard.press('l');
  await expect.poll(() => ben.focused()).toBe('Tags of Kay');
  await keyboard.type('keys');
  await keyboard.press('Enter');
  await keyboard.press('Escape');
  // A dialog gives the focus back.
  await expect.poll(() => ben.focused()).toBe('Kay');
  await keyboard.press('r');
  await expect.poll(() => ben.focused()).toBe('Reply');
  await keyboard.type('Bye');
  await keyboard.press('Control+Shift+Enter');
  // Nothing is open any more, and the focus has found a place.
  await expect.poll(() => ben.focused()).toBe('No conversation open');
  expect((await guest.texts()).at(-1)).toBe('Bye');
  await keyboard.press('g');
  await keyboard.press('m');
  await ben.page.getByText('You have no open conversations').waitFor();
  await keyboard.press('Alt+5');
  const row = ben.row('Bye');
  await row.getByText('Resolved').waitFor();
  await row.getByText('keys', { exact: true }).waitFor();
});

test('a conversation is handed on, given away and begun by keyboard alone', async () => {
  await begin('Hand me on', 'Kay');
  const ada = await Agent.open(await stage.profile(), stage.server.address, 'Ada');
  const ben = await Agent.open(await stage.profile(), stage.server.address, 'Ben');
  await ada.page.bringToFront();
  const { keyboard } = ada.page;
  const tabTo = async (name: RegExp) => {
    for (let presses = 0; presses < 40; presses += 1) {
      if (name.test(await named(ada))) return;
      await keyboard.press('Tab');
    }
    throw new Error(`the Tab key does not reach ${name}`);
  };
  await ada.row('Hand me on').waitFor();
  await keyboard.press('j');
  await expect.poll(() => ada.focused()).toBe('Kay');
  await keyboard.press('i');
  await ada.reply.waitFor();
  await keyboard.press('a');
  await ada.dialog.getByRole('option', { name: /Ben/ }).waitFor();
  await keyboard.type('ben');
  await keyboard.press('Enter');
  await ben.filter('Mine 1').waitFor();
  await expect.poll(() => ada.focused()).toBe('Kay');
  await keyboard.press('i');
  await ada.reply.waitFor();
  await keyboard.press('t');
  await ada.dialog.getByRole('radio', { name: /Ben/ }).waitFor();
  // The radio has the focus; the arrows would choose among several.
  await keyboard.press('Space');
  await tabTo(/^Why/);
  await keyboard.type('You know ferns');
  await tabTo(/^Hand over$/);
  await keyboard.press('Enter');
  await ben.filter('Mine 1').waitFor();
  await expect.poll(() => ada.focused()).toBe('Kay');
  await keyboard.press('c');
  await tabTo(/^Email of the customer/);
  await keyboard.type('maya@shop.example');
  await tabTo(/^First message/);
  await keyboard.type('Your fern is here');
  await tabTo(/^Begin the chat$/);
  await keyboard.press('Enter');
  await ada.dialog.getByLabel('Link for the customer').waitFor();
  await tabTo(/^Open the conversation$/);
  await keyboard.press('Enter');
  await ada.sees('Your fern is here');
});

/** What the focused control is called. */
function named({ page }: Agent): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    const labels = (element as HTMLInputElement | null)?.labels;
    return (
      element?.getAttribute('aria-label') ??
      labels?.[0]?.textContent ??
      element?.textContent ??
      ''
    ).trim();
  });
}

test('menus and the palette answer to every key of their pattern', async () => {
  const ada = await Agent.open(await stage.profile(), stage.server.address, 'Ada');
  const { keyboard } = ada.page;
  await ada.me.focus();
  await keyboard.press('ArrowUp');
  await expect.poll(() => ada.focused()).toMatch(/Sign out/);
  await keyboard.press('ArrowDown');
  await expect.poll(() => ada.focused()).toMatch(/Online/);
  await keyboard.type('aw');
  await expect.poll(() => ada.focused()).toMatch(/Away/);
  await keyboard.press('Escape');
  await expect.poll(() => ada.focused()).toMatch(/^Ada/);
  await keyboard.press('Control+k');
  const field = ada.dialog.getByRole('combobox');
  await field.fill('dark');
  await expect.poll(() => field.getAttribute('aria-activedescendant')).not.toBe(null);
  await keyboard.press('Enter');
  await expect
    .poll(() => ada.page.evaluate(() => document.documentElement.dataset.theme))
    .toBe('dark');
  await expect.poll(() => ada.focused()).toMatch(/^Ada/);
});
