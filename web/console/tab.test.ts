import { afterEach, expect, test } from 'vitest';
import { iconOf, pageName, titleOf } from './tab.ts';

afterEach(() => {
  pageName.value = null;
});

test.each([
  ['/console', null, 0, 'Inbox'],
  ['/console/c/1', null, 3, '(3) Inbox'],
  ['/console/settings/people', null, 3, '(3) Settings'],
  ['/console/settings/people', 'People – Settings', 0, 'People – Settings'],
  ['/console/settings/people', 'People – Settings', 3, '(3) People – Settings'],
])('at %s, named %s, with %i unread, the title is %s', (path, name, unread, title) => {
  pageName.value = name;
  expect(titleOf(path, unread)).toBe(title);
});

test('the icon is another one while something is unread', () => {
  expect(iconOf(1)).toBe(iconOf(9));
  expect(iconOf(1)).not.toBe(iconOf(0));
});
