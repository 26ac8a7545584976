import { expect, test } from 'vitest';
import { FakeServer, refuse } from '../../test/fake/api.ts';
import { FakeClock, settle } from '../../test/fake/ports.ts';
import type { Session } from '../session.ts';
import { type AuditEntry, AuditLog, deedOf, fieldName } from './audit.ts';

function entry(number: number, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    number,
    at: '2026-01-01T00:00:00.000Z',
    by: { kind: 'person', id: 'p', name: 'Ada' },
    action: 'changed',
    subject: { kind: 'department', id: 'sales', name: 'Sales' },
    changes: [{ field: 'name', before: 'Trade', after: 'Sales' }],
    left_out: 0,
    ...more,
  };
}

function make() {
  const server = new FakeServer();
  const clock = new FakeClock();
  const ask: Session['ask'] = (method, path, asking = {}) =>
    server.request(method, path, asking, {});
  const log = new AuditLog({ ask }, clock);
  const answer = (query: string, items: number[], next?: string) =>
    server.on(`GET /v1/audit?${query}`, () => ({
      body: { items: items.map((number) => entry(number)), next },
    }));
  const numbers = () => log.items.value.map(({ number }) => number);
  return { server, clock, log, answer, numbers };
}

test('older entries come after those that are here', async () => {
  const { log, answer, numbers } = make();
  answer('limit=50', [9, 8], '8');
  answer('limit=50&cursor=8', [7]);
  await log.load();
  expect([numbers(), log.more.value, log.state.value]).toEqual([[9, 8], true, 'ready']);
  await log.older();
  expect([numbers(), log.more.value]).toEqual([[9, 8, 7], false]);
});

test('a search asks when nobody types any more, and goes on over what it does not find', async () => {
  const { server, clock, log, answer, numbers } = make();
  answer('limit=50', [9]);
  answer('limit=50&q=shop', [], '1000');
  answer('limit=50&q=shop&cursor=1000', [3], '3');
  await log.load();
  for (const text of ['s', 'sh', 'shop ']) {
    log.look(text);
    await clock.pass(100);
  }
  await clock.pass(300);
  expect(numbers()).toEqual([3]);
  expect(server.routes.slice(1)).toEqual([
    'GET /v1/audit?limit=50&q=shop',
    'GET /v1/audit?limit=50&q=shop&cursor=1000',
  ]);
});

test('a late answer to an earlier search is dropped', async () => {
  const { server, clock, log, answer, numbers } = make();
  let late = () => {};
  server.on('GET /v1/audit?limit=50&q=first', async () => {
    await new Promise<void>((resolve) => {
      late = resolve;
    });
    return { body: { items: [entry(1)] } };
  });
  answer('limit=50&q=second', [2]);
  log.look('first');
  await clock.pass(300);
  log.look('second');
  await clock.pass(300);
  late();
  await settle();
  expect(numbers()).toEqual([2]);
});

test('what is here stays when older ones cannot be had', async () => {
  const { server, log, answer, numbers } = make();
  answer('limit=50', [9], '9');
  await log.load();
  server.on('GET /v1/audit?limit=50&cursor=9', () => refuse(0, 'unreachable'));
  await log.older();
  expect([numbers(), log.state.value, log.more.value]).toEqual([[9], 'ready', true]);
  expect(log.trouble.value).toMatch(/did not answer/);
  server.on('GET /v1/audit?limit=50', () => refuse(403, 'forbidden'));
  await log.load();
  expect([log.state.value, log.refusal.value]).toEqual(['failed', 'forbidden']);
});

test.each([
  [entry(1), 'changed the department'],
  [
    entry(1, { action: 'rotated', subject: { kind: 'person', id: 'p', name: 'Ben' } }),
    'rotated the password of the person',
  ],
  [
    entry(1, { action: 'rotated', subject: { kind: 'widget', id: 'w', name: 'Shop' } }),
    'rotated the identity key of the widget',
  ],
])('a deed is told in words', (one, words) => {
  expect(deedOf(one)).toBe(words);
});

test('fields are named as people read them', () => {
  expect(fieldName('theme.accent')).toBe('Theme: accent');
  expect(fieldName('email_required')).toBe('Email required');
});
