import { expect, test } from 'vitest';
import type { AgentPresence, PresenceStatus } from '../client/frames.ts';
import { crewOf, crewText, type Worker } from './crews.ts';

const presence = (id: string, status: PresenceStatus, active: number): [string, AgentPresence] => [
  id,
  { agent: { id, name: id }, status, active, capacity: 5 },
];

const WORKERS: readonly Worker[] = [
  { id: 'ada', departments: ['sales'] },
  { id: 'ben', departments: [] },
  { id: 'cy', departments: ['billing', 'sales'] },
  { id: 'dee', departments: ['sales'] },
];
const PRESENCES = new Map([
  presence('ada', 'online', 1),
  presence('ben', 'online', 2),
  presence('cy', 'away', 5),
]);

test.each([
  ['sales', '2 online · 3 of 10 chats'],
  ['billing', '1 online · 2 of 5 chats'],
])('who works for %s, or for all, and is online counts', (department, text) => {
  expect(crewText(crewOf(department, WORKERS, PRESENCES))).toBe(text);
});

test('a department whose people are all away says so', () => {
  const few = WORKERS.filter(({ id }) => id !== 'ben');
  expect(crewText(crewOf('billing', few, PRESENCES))).toBe('Nobody online');
});
