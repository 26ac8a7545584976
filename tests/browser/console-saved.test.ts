/** Searches that an agent keeps: narrowed to a list, by keyboard, the same in each browser. */

import { expect, test } from 'vitest';
import { Guest } from './kit/guest.ts';
import { Agent } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();

const ada = async () => Agent.open(await stage.profile(), stage.server.address, 'Ada');
const begin = (text: string, name: string) => Guest.begin(stage.server.address, { text, name });
const saved = ({ list }: Agent) => list.getByRole('button', { name: 'My roses', exact: true });

test('a search within a list is kept, used elsewhere and dropped by keyboard alone', async () => {
  await begin('Blue roses', 'Vera');
  await begin('Red roses', 'Walt');
  const desk = await ada();
  const { keyboard } = desk.page;
  const tabTo = async (name: string) => {
    for (let presses = 0; presses < 40; presses += 1) {
      if ((await desk.focused()).startsWith(name)) return;
      await keyboard.press('Tab');
    }
    throw new Error(`the Tab key does not reach ${name}`);
  };
  await desk.accept('Blue roses');
  await desk.heading.press('/');
  await keyboard.type('roses');
  await desk.row('Red roses').waitFor();
  await desk.row('Blue roses').waitFor();
  await tabTo('Mine');
  await keyboard.press('Enter');
  await desk.row('Red roses').waitFor({ state: 'detached' });
  await desk.row('Blue roses').waitFor();
  await tabTo('Save this filter');
  await keyboard.press('Enter');
  await desk.dialog.getByLabel('Name').waitFor();
  await keyboard.press('Enter');
  await desk.dialog.getByText('Give it a name.').waitFor();
  await keyboard.type('My roses');
  await keyboard.press('Enter');
  await expect.poll(() => desk.focused()).toBe('Search conversations');
  await saved(desk).waitFor();
  await keyboard.press('Escape');
  await desk.row('Red roses').waitFor();

  // It is the person's, not the browser's.
  const laptop = await ada();
  await saved(laptop).click();
  await laptop.row('Blue roses').waitFor();
  expect(await laptop.row('Red roses').count()).toBe(0);
  expect(await saved(laptop).getAttribute('aria-pressed')).toBe('true');

  await desk.page.bringToFront();
  await keyboard.press('Control+k');
  await desk.dialog.getByRole('combobox').fill('my ros');
  await desk.dialog.getByRole('option', { name: /^My roses/ }).waitFor();
  await keyboard.press('Enter');
  await desk.row('Red roses').waitFor({ state: 'detached' });
  await desk.heading.press('/');
  await tabTo('Remove filter My roses');
  await keyboard.press('Enter');
  await expect.poll(() => desk.focused()).toBe('Search conversations');
  for (const page of [desk, laptop]) await saved(page).waitFor({ state: 'detached' });
});
