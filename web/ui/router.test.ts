import { expect, test } from 'vitest';
import { type Address, Router } from './router.ts';

/** A window's address and history. */
function makeWindow(path: string) {
  const entries: { path: string; state: unknown }[] = [{ path, state: null }];
  let at = 0;
  let popped: (event: { state: unknown }) => void = () => {};
  const entry = () => entries[at] ?? { path: '', state: null };
  const address: Address = {
    location: {
      get pathname() {
        return entry().path;
      },
      origin: 'https://chat.example',
    },
    history: {
      get state() {
        return entry().state;
      },
      pushState: (state, _, to) => {
        entries.splice(at + 1, entries.length, { path: String(to), state });
        at += 1;
      },
      replaceState: (state, _, to) => {
        entries[at] = { path: String(to ?? entry().path), state };
      },
      go: (delta = 0) => {
        at += delta;
        popped({ state: entry().state });
      },
    },
    addEventListener: (_, listener) => {
      popped = listener;
    },
  };
  return { address, back: () => address.history.go(-1), entries, path: () => entry().path };
}

test('places are entries of the history, and going back leads to the one before', () => {
  const window = makeWindow('/console');
  const router = new Router(window.address, '/console');
  router.go('/console/c/1');
  router.go('/console/c/2', 'replace');
  expect(router.path.value).toBe('/console/c/2');
  window.back();
  expect(router.path.value).toBe('/console');
  expect(window.entries.length).toBe(2);
});

test('a page with something unsaved can keep the person, also from going back', () => {
  const window = makeWindow('/console');
  const router = new Router(window.address, '/console');
  router.go('/console/settings/people');
  router.guard = () => false;
  expect(router.go('/console')).toBe(false);
  window.back();
  expect([router.path.value, window.path()]).toEqual(Array(2).fill('/console/settings/people'));
  router.guard = () => true;
  window.back();
  expect(router.path.value).toBe('/console');
});

test.each([
  ['/console/settings', {}, '/console/settings'],
  ['/console', {}, '/console'],
  ['/demo', {}, null],
  ['/consoles', {}, null],
  ['https://elsewhere.example/console', {}, null],
  ['/console/c/1', { ctrlKey: true }, null],
  ['/console/c/1', { button: 1 }, null],
  ['/console/c/1', { defaultPrevented: true }, null],
])('a click on %s with %j leads to %s', (href, more, to) => {
  const window = makeWindow('/console/c/0');
  const router = new Router(window.address, '/console');
  const link = { getAttribute: () => href, hasAttribute: () => false };
  let prevented = false;
  const event = {
    button: 0,
    target: { closest: () => link },
    preventDefault: () => {
      prevented = true;
    },
    ...more,
  };
  router.follow(event as unknown as MouseEvent);
  expect(prevented).toBe(to !== null);
  expect(router.path.value).toBe(to ?? '/console/c/0');
});
