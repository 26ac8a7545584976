import { expect, test } from 'vitest';
import type { Event } from '../client/frames.ts';
import { visitorLine } from './lines.ts';

const ADA = { kind: 'agent', id: 'ada', name: 'Ada' } as const;
const VI = { kind: 'visitor', id: 'v', name: 'Vi' } as const;
const DEPARTMENTS = new Map([['billing', 'Billing & Finance']]);

function line(kind: Event['kind'], from: Event['from'], body: object): string | null {
  return visitorLine({ seq: 1, id: 'e', at: '', from, kind, body } as Event, DEPARTMENTS);
}

test('a visitor reads who came, where it went and how it ended', () => {
  const agent = { id: 'ada', name: 'Ada' };
  expect(line('assigned', ADA, { agent, by: 'accept' })).toBe('Ada joined the chat');
  const handed = line('transferred', ADA, { to: { department: 'billing' } });
  expect(handed).toBe('Ada handed you to Billing & Finance');
  expect(line('closed', VI, { resolution: 'none' })).toBe('You ended the chat');
  expect(line('closed', ADA, { resolution: 'none' })).toBe('This chat has ended');
  const system = { kind: 'system' } as Event['from'];
  // In the words of the visitor's language, not of the server.
  expect(line('agent_available', system, { text: 'An agent is now available' })).toBe(
    'Somebody is here now',
  );
  expect(line('rated', VI, { score: 4 })).toBe('You gave 4 of 5');
});

test('what is for agents says nothing to visitors', () => {
  for (const kind of ['created', 'archived', 'transfer_refused', 'tagged', 'watched'] as const) {
    expect(line(kind, ADA, { tags: ['vip'] })).toBeNull();
  }
});
