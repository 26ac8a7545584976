import { expect, test } from 'vitest';
import { settle } from '../test/fake/ports.ts';
import { type Context, Contexts, deviceName, type Page, trail } from './contexts.ts';

test('a context is asked for once, and kept while a newer one is on its way', async () => {
  let asked = 0;
  const contexts = new Contexts(async () => {
    asked += 1;
    if (asked === 2) throw new Error('gone');
    return { contact: { name: `answer ${asked}` } };
  });
  const loaded = contexts.of('c');
  expect(loaded.value.state).toBe('loading');
  await settle();
  expect(contexts.of('c')).toBe(loaded);
  expect(asked).toBe(1);
  await contexts.refresh('c');
  expect(loaded.value).toMatchObject({ context: { contact: { name: 'answer 1' } } });
  await contexts.refresh('c');
  expect(loaded.value).toMatchObject({ context: { contact: { name: 'answer 3' } } });
});

test('a context that failed says so, and can be asked for again', async () => {
  let works = false;
  const contexts = new Contexts(async () => {
    if (!works) throw new Error('no');
    return { contact: {} };
  });
  const loaded = contexts.of('c');
  await settle();
  expect(loaded.value.state).toBe('failed');
  works = true;
  await contexts.refresh('c');
  expect(loaded.value.state).toBe('ready');
});

test('the trail is newest first and ends where the visitor is now', () => {
  const context: Context = {
    contact: {},
    pages: [
      { url: 'https://a.example/1', at: '2026-01-01T10:00:00.000Z' },
      { url: 'https://a.example/2', at: '2026-01-01T10:05:00.000Z' },
    ],
  };
  const step = (page: number, minute: number, more: { did?: string; title?: string } = {}) => ({
    url: `https://a.example/${page}`,
    at: `2026-01-01T10:0${minute}:00.000Z`,
    ...more,
  });
  const told = (...since: Page[]) =>
    trail(context, since).map(({ url, did }) => `${url.slice(-1)}${did ? ` ${did}` : ''}`);
  expect(told()).toEqual(['2', '1']);
  expect(told(step(2, 5), step(3, 6), step(4, 7))).toEqual(['4', '3', '2', '1']);
  expect(told(step(2, 6, { did: 'bought' }))).toEqual(['2 bought', '2', '1']);
  // A title that came late belongs to the visit.
  const late = step(2, 6, { title: 'Two' });
  expect(trail(context, [late])).toEqual([
    { ...context.pages?.[1], title: 'Two' },
    context.pages?.[0],
  ]);
});

test.each([
  [
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36',
    'Chrome on Linux',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156 Safari/537.36 Edg/156',
    'Edge on Windows',
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19 Safari/604',
    'Safari on iOS',
  ],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 15.1; rv:140) Gecko/20100101 Firefox/140',
    'Firefox on macOS',
  ],
  ['curl/8.9', 'curl/8.9'],
])('%s is %s', (agent, name) => {
  expect(deviceName(agent)).toBe(name);
});
