import { expect, test } from 'vitest';
import { type Answer, Refusal } from '../api.ts';
import { differences, Editing, same } from './editing.ts';

interface Thing {
  name: string;
  tags: string[];
  note?: string;
}

const THING: Thing = { name: 'Ada', tags: ['a'] };

function refusal(status: number, code: string, more: object = {}): Refusal {
  return new Refusal(status, { code, ...more }, null);
}

/** A server that keeps one thing and counts its versions. */
function makeServer(thing: Thing = THING) {
  const kept = { thing, version: 1, by: null as string | null };
  const saves: { changed: Partial<Thing>; etag: string | null }[] = [];
  const reply = (): Answer<Thing> => ({
    etag: `"${kept.version}"`,
    body: kept.thing,
  });
  const editing = new Editing<Thing>({
    load: async () => reply(),
    save: async (whole, changed, etag) => {
      saves.push({ changed, etag });
      if (etag !== `"${kept.version}"`) {
        throw refusal(412, 'changed', kept.by === null ? {} : { by: { name: kept.by } });
      }
      if (whole.name === 'taken') throw refusal(422, 'invalid', { detail: '`name` is taken' });
      kept.thing = whole;
      kept.version += 1;
      return reply();
    },
    check: ({ name }): Record<string, string> => (name === '' ? { name: 'A name is needed.' } : {}),
  });
  const other = (change: Partial<Thing>, by: string | null) => {
    kept.thing = { ...kept.thing, ...change };
    kept.version += 1;
    kept.by = by;
  };
  return { editing, kept, saves, other };
}

test('what differs is told by field, and what came back to its old value does not', async () => {
  const { editing } = makeServer();
  await editing.load();
  expect(editing.dirty.peek()).toBe(false);
  editing.set('name', 'Ben');
  editing.set('tags', ['a', 'b']);
  expect(editing.changes.peek()).toEqual([
    { field: 'name', from: 'Ada', to: 'Ben' },
    { field: 'tags', from: ['a'], to: ['a', 'b'] },
  ]);
  editing.set('tags', ['a']);
  editing.set('name', 'Ada');
  expect(editing.dirty.peek()).toBe(false);
});

test('saving sends what changed under the version that was read', async () => {
  const { editing, saves, kept } = makeServer();
  await editing.load();
  editing.set('note', 'hi');
  expect(await editing.save()).toBe(true);
  expect(saves).toEqual([{ changed: { note: 'hi' }, etag: '"1"' }]);
  expect(kept.thing.note).toBe('hi');
  expect(editing.dirty.peek()).toBe(false);
  editing.set('note', undefined);
  expect(await editing.save()).toBe(true);
  expect(saves[1]?.etag).toBe('"2"');
});

test('undo goes back to what was saved', async () => {
  const { editing } = makeServer();
  await editing.load();
  editing.set('name', 'Ben');
  editing.undo();
  expect(editing.draft.peek()).toEqual(THING);
});

test('what is wrong here is not sent', async () => {
  const { editing, saves } = makeServer();
  await editing.load();
  editing.set('name', '');
  expect(editing.errors.peek()).toEqual({ name: 'A name is needed.' });
  expect(await editing.save()).toBe(false);
  expect(saves).toEqual([]);
});

test('what the server finds wrong stands at its field until that is written anew', async () => {
  const { editing } = makeServer();
  await editing.load();
  editing.set('name', 'taken');
  expect(await editing.save()).toBe(false);
  expect(editing.errors.peek()).toEqual({ name: 'Is taken.' });
  expect(editing.draft.peek()?.name).toBe('taken');
  editing.set('name', 'free');
  expect(editing.errors.peek()).toEqual({});
  expect(await editing.save()).toBe(true);
});

test('a conflict says who, and mine goes on top of theirs', async () => {
  const { editing, other, kept } = makeServer();
  await editing.load();
  editing.set('name', 'Mine');
  other({ tags: ['theirs'] }, 'Ben');
  expect(await editing.save()).toBe(false);
  expect(editing.conflict.peek()).toMatchObject({ by: 'Ben', theirs: { tags: ['theirs'] } });
  expect(editing.draft.peek()?.name).toBe('Mine');
  expect(await editing.keepMine()).toBe(true);
  expect(kept.thing).toEqual({ name: 'Mine', tags: ['theirs'] });
  expect(editing.conflict.peek()).toBe(null);
});

test('a conflict that is put off keeps what is written, and comes again', async () => {
  const { editing, other } = makeServer();
  await editing.load();
  editing.set('name', 'Mine');
  other({ name: 'Theirs' }, null);
  await editing.save();
  editing.postpone();
  expect(editing.draft.peek()?.name).toBe('Mine');
  expect(await editing.save()).toBe(false);
  expect(editing.conflict.peek()).not.toBe(null);
});

test('a conflict can be given up for what the other saved', async () => {
  const { editing, other } = makeServer();
  await editing.load();
  editing.set('name', 'Mine');
  other({ name: 'Theirs' }, null);
  await editing.save();
  expect(editing.conflict.peek()?.by).toBe(null);
  editing.takeTheirs();
  expect(editing.draft.peek()?.name).toBe('Theirs');
  expect(editing.dirty.peek()).toBe(false);
});

test('a server that is gone changes nothing and keeps what is written', async () => {
  const editing = new Editing<Thing>({
    load: async () => ({ etag: null, body: THING }),
    save: async () => {
      throw refusal(0, 'unreachable');
    },
  });
  await editing.load();
  editing.set('name', 'Ben');
  expect(await editing.save()).toBe(false);
  expect(editing.trouble.peek()).toMatch(/did not answer/);
  expect(editing.draft.peek()?.name).toBe('Ben');
  expect(editing.saved.peek()?.name).toBe('Ada');
});

test('a thing that cannot be loaded says why', async () => {
  const editing = new Editing<Thing>({
    load: async () => {
      throw refusal(403, 'forbidden');
    },
    save: async () => ({ etag: null, body: THING }),
  });
  await editing.load();
  expect(editing.state.peek()).toBe('failed');
  expect(editing.refusal.peek()).toBe('forbidden');
});

test('values are compared as JSON', () => {
  expect(same({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).toBe(true);
  expect(same({ a: undefined }, {})).toBe(true);
  expect(same([1], [1, 2])).toBe(false);
  expect(same([], {})).toBe(false);
  expect(same(null, {})).toBe(false);
  expect(differences(null, THING)).toEqual([]);
});
