import { expect, test } from 'vitest';
import { FakeServer } from '../../test/fake/api.ts';
import { Refusal } from '../api.ts';
import { Session } from '../session.ts';
import { Collection, everyPage, folded } from './collection.ts';

interface Person {
  id: string;
  name: string;
  email: string;
}

const PEOPLE: Person[] = [
  { id: '1', name: 'Zoë Ångström', email: 'zoe@example.com' },
  { id: '2', name: 'Ben', email: 'ben@example.com' },
  { id: '3', name: 'Ada', email: 'ada@shop.example' },
];

async function makePeople() {
  const people = new Collection<Person>(
    async () => PEOPLE,
    ({ name, email }) => `${name} ${email}`,
  );
  await people.load();
  return people;
}

test.each([
  ['', ['1', '2', '3']],
  ['angstrom', ['1']],
  ['EXAMPLE.com', ['1', '2']],
  ['ada shop', ['3']],
  ['nobody', []],
])('looking for %j finds %j', async (search, ids) => {
  const people = await makePeople();
  people.search.value = search;
  expect(people.found.peek().map(({ id }) => id)).toEqual(ids);
});

test('case and accents do not matter', () => {
  expect(folded('ÉCLAIR İstanbul')).toBe('eclair istanbul');
});

test('a change shows at once, and is taken back when refused', async () => {
  const people = await makePeople();
  const names = () => people.items.peek().map(({ name }) => name);
  let refuse = () => {};
  const asked = people.change('2', { name: 'Bob' }, () => {
    return new Promise<Person>((_resolve, reject) => {
      refuse = () => reject(new Refusal(403, { code: 'forbidden' }, null));
    });
  });
  expect(names()).toEqual(['Zoë Ångström', 'Bob', 'Ada']);
  refuse();
  expect(await asked).toMatch(/role does not allow/);
  expect(names()).toEqual(['Zoë Ångström', 'Ben', 'Ada']);
  expect(await people.change('2', {}, async (ben) => ({ ...ben, name: 'Bobby' }))).toBe(null);
  expect(names()).toEqual(['Zoë Ångström', 'Bobby', 'Ada']);
});

test('what was taken out comes back in its place when refused', async () => {
  const people = await makePeople();
  const refused = await people.remove('2', async () => {
    expect(people.items.peek().map(({ id }) => id)).toEqual(['1', '3']);
    people.put({ id: '4', name: 'Dan', email: 'dan@example.com' });
    throw new Refusal(0, null, null);
  });
  expect(refused).toMatch(/did not answer/);
  expect(people.items.peek().map(({ id }) => id)).toEqual(['1', '2', '3', '4']);
  expect(await people.remove('2', async () => undefined)).toBe(null);
  expect(people.items.peek().map(({ id }) => id)).toEqual(['1', '3', '4']);
});

test('a list is read to its last page', async () => {
  const server = new FakeServer()
    .on('GET /v1/agents?limit=100', () => ({ body: { items: [PEOPLE[0]], next: '1' } }))
    .on('GET /v1/agents?limit=100&cursor=1', () => ({ body: { items: [PEOPLE[1]] } }));
  const storage = { getItem: () => null, setItem: () => {}, removeItem: () => {} };
  const session = new Session(server.request, storage, Date.now);
  expect(await everyPage(session, '/v1/agents')).toEqual([PEOPLE[0], PEOPLE[1]]);
});
