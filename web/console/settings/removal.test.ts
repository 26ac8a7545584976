import { expect, test } from 'vitest';
import { Refusal } from '../api.ts';
import { Removal } from './removal.ts';

const AT = '2026-11-21T10:00:00.000Z';

/** A server with one widget in some version. */
function make(name = 'Shop') {
  const kept = { name, version: 1, refuse: null as Refusal | null, gone: false };
  const asked: string[] = [];
  const removal = new Removal(
    { name, etag: '"1"' },
    {
      remove: async (etag) => {
        asked.push(etag);
        if (kept.refuse !== null) throw kept.refuse;
        if (etag !== `"${kept.version}"`) {
          throw new Refusal(412, { code: 'changed', by: { id: 'b', name: 'Ben' }, at: AT }, null);
        }
        kept.gone = true;
      },
      load: async () => {
        if (kept.gone) throw new Refusal(404, { code: 'not_found' }, null);
        return { body: { name: kept.name }, etag: `"${kept.version}"` };
      },
    },
  );
  return { removal, kept, asked };
}

test('nothing is asked of the server before the name is written', async () => {
  const { removal, kept, asked } = make('Café');
  for (const typed of ['', 'C', 'café', 'Cafe', 'Café shop']) {
    removal.typed.value = typed;
    expect(removal.ready.peek(), typed).toBe(false);
    expect(await removal.remove()).toBe(false);
  }
  expect(asked).toEqual([]);
  // The accent as a sign of its own is the same name.
  removal.typed.value = ' Cafe\u0301 ';
  expect(await removal.remove()).toBe(true);
  expect(kept.gone).toBe(true);
  expect(asked).toEqual(['"1"']);
});

test('a change of somebody else is told, and removing afterwards goes by it', async () => {
  const { removal, kept, asked } = make();
  kept.version = 2;
  kept.name = 'Shop and more';
  removal.typed.value = 'Shop';
  expect(await removal.remove()).toBe(false);
  expect(removal.changed.peek()).toEqual({ by: 'Ben', at: AT });
  expect(removal.trouble.peek()).toBe(null);
  expect(removal.busy.peek()).toBe(false);
  // The name is another one now, and has to be written as it is.
  expect(removal.name.peek()).toBe('Shop and more');
  expect(await removal.remove()).toBe(false);
  removal.typed.value = 'Shop and more';
  expect(await removal.remove()).toBe(true);
  expect(asked).toEqual(['"1"', '"2"']);
});

test('a refusal is told in words, and can be tried again', async () => {
  const { removal, kept } = make();
  kept.refuse = new Refusal(0, null, null);
  removal.typed.value = 'Shop';
  expect(await removal.remove()).toBe(false);
  expect(removal.trouble.peek()).toMatch(/did not answer/);
  kept.refuse = null;
  expect(await removal.remove()).toBe(true);
  expect(removal.trouble.peek()).toBe(null);
});

test('what somebody else removed is said to be gone', async () => {
  const { removal, kept } = make();
  kept.version = 2;
  kept.gone = true;
  removal.typed.value = 'Shop';
  expect(await removal.remove()).toBe(false);
  expect(removal.trouble.peek()).toBe('It is not there any more.');
});
