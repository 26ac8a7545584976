import { signal } from '@preact/signals-core';
import { expect, test } from 'vitest';
import type { Card } from '../client/frames.ts';
import { card, FakeLists } from '../test/fake/cards.ts';
import { FakeClock } from '../test/fake/ports.ts';
import { type Notice, watchAlerts } from './alerts.ts';
import type { Desk } from './desk.ts';
import { Inbox } from './inbox.ts';
import type { Competence } from './next.ts';
import type { AlertEvent, Sound } from './prefs.ts';
import { USUAL_QUIET } from './quiet.ts';

const WAITING = { status: 'waiting' } as const;
const MINE = { status: 'open', agent: 'me' } as const;

const ALL: Competence = { skills: [], departments: [] };

function make(own: Competence | null = ALL) {
  const lists = new FakeLists();
  const inbox = new Inbox({
    client: lists.client,
    clock: new FakeClock(),
    me: 'me',
    older: async () => ({ items: [] }),
  });
  const desk = {
    inbox,
    client: lists.client,
    watching: signal(false),
    selected: signal<string | null>(null),
    acts: { taken: new Set<string>() },
  };
  const sounds: Record<AlertEvent, Sound | 'none'> = {
    waiting: 'chime',
    assigned: 'bell',
    reply: 'drop',
  };
  const prefs = {
    sounds: signal(sounds),
    desktop: signal({ waiting: true, assigned: true, reply: true }),
    volume: signal(0.5),
    quiet: signal(USUAL_QUIET),
  };
  const rung: Sound[] = [];
  const told: Notice[] = [];
  const tabs = { leads: true };
  const end = watchAlerts(desk as unknown as Desk, prefs, {
    play: (sound) => rung.push(sound),
    tell: (notice) => told.push(notice),
    leads: () => tabs.leads,
    competence: async () => {
      if (own === null) throw new Error('no answer');
      return own;
    },
    now: () => new Date(2026, 0, 1, 12, 30),
  });
  return { lists, desk, prefs, rung, told, tabs, end };
}

const mine = (id: string, unread: number, changes: Partial<Card> = {}) =>
  card(id, { status: 'active', agent: { id: 'me', name: 'Ada' }, unread, ...changes });

test('what was there before is no news; what comes is', () => {
  const { lists, rung, told } = make();
  lists.snapshot(WAITING, [card('a')]);
  expect(rung).toEqual([]);
  lists.change(WAITING, [{ put: card('b') }]);
  expect(rung).toEqual(['chime']);
  expect(told).toEqual([
    { title: '\u2068Visitor b\u2069 is waiting', text: 'No message yet', conversation: 'b' },
  ]);
});

test('no sign in a name or a text moves what stands beside it', () => {
  const { lists, told } = make();
  lists.snapshot(WAITING, []);
  const visitor = { id: 'v', name: 'Eve\u2069\u202E\r\n' };
  const last = {
    from: { kind: 'visitor' as const, id: 'v' },
    text: '\u2066a\u0000b\u0085',
    at: '',
  };
  lists.change(WAITING, [{ put: card('a', { visitor, last }) }]);
  expect(told).toEqual([{ title: '\u2068Eve\u2069 is waiting', text: 'a b', conversation: 'a' }]);
});

test('who waits for others does not ring', async () => {
  const sales: Competence = { skills: ['de'], departments: ['sales'] };
  for (const [own, asks, rings] of [
    [sales, {}, true],
    [sales, { department: 'sales' }, true],
    [sales, { department: 'sales', skills: ['de'] }, true],
    [sales, { department: 'support' }, false],
    [sales, { skills: ['fr'] }, false],
    [ALL, { department: 'support' }, true],
    [ALL, { skills: ['fr'] }, false],
    // What cannot be known rings: one too many is better than one too few.
    [null, { department: 'support' }, true],
  ] as const) {
    const { lists, rung } = make(own);
    lists.snapshot(WAITING, []);
    lists.change(WAITING, [{ put: card('a', asks as Partial<Card>) }]);
    await settled();
    expect(rung, JSON.stringify([own, asks])).toEqual(rings ? ['chime'] : []);
  }
});

test('who was taken before it is known whether one could does not ring', async () => {
  const { lists, rung } = make();
  lists.snapshot(WAITING, []);
  lists.change(WAITING, [{ put: card('a', { department: 'support' }) }]);
  lists.change(WAITING, [{ drop: 'a' }]);
  await settled();
  expect(rung).toEqual([]);
});

test('a reply rings unless one looks at it', () => {
  const { lists, desk, rung, told } = make();
  lists.snapshot(MINE, [mine('a', 0)]);
  lists.change(MINE, [{ put: mine('a', 1) }]);
  expect(rung).toEqual(['drop']);
  desk.watching.value = true;
  desk.selected.value = 'a';
  lists.change(MINE, [{ put: mine('a', 2) }]);
  expect(rung).toEqual(['drop']);
  desk.selected.value = 'other';
  lists.change(MINE, [{ put: mine('a', 3) }]);
  expect(rung).toEqual(['drop', 'drop']);
  // Who looks at the page needs no word on the desktop.
  expect(told.length).toBe(1);
});

test('what one took oneself is no news', () => {
  const { lists, desk, rung } = make();
  lists.snapshot(MINE, []);
  desk.acts.taken.add('a');
  lists.change(MINE, [{ put: mine('a', 0) }, { put: mine('b', 0) }]);
  expect(rung).toEqual(['bell']);
});

test('only one tab rings, and silence can be chosen', () => {
  const { lists, prefs, tabs, rung, end } = make();
  lists.snapshot(WAITING, []);
  tabs.leads = false;
  lists.change(WAITING, [{ put: card('a') }]);
  tabs.leads = true;
  prefs.sounds.value = { ...prefs.sounds.value, waiting: 'none' };
  lists.change(WAITING, [{ put: card('b') }]);
  expect(rung).toEqual([]);
  prefs.sounds.value = { ...prefs.sounds.value, waiting: 'knock' };
  end();
  lists.change(WAITING, [{ put: card('c') }]);
  expect(rung).toEqual([]);
});

test('in quiet hours nothing rings and nothing comes up', () => {
  const { lists, prefs, rung, told } = make();
  lists.snapshot(WAITING, []);
  prefs.quiet.value = { ...USUAL_QUIET, on: true, from: '12:00', to: '13:00' };
  lists.change(WAITING, [{ put: card('a') }]);
  expect([rung, told]).toEqual([[], []]);
  prefs.quiet.value = { ...prefs.quiet.value, to: '12:30' };
  lists.change(WAITING, [{ put: card('b') }]);
  expect(rung).toEqual(['chime']);
  expect(told.map(({ conversation }) => conversation)).toEqual(['b']);
});

/** Until what was asked is answered. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
}
