import { expect, test } from 'vitest';
import { type Api, Problem } from '../client/http.ts';
import { SignIn } from './sign-in.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');

function makeStorage(): Storage {
  const texts = new Map<string, string>();
  return {
    getItem: (key: string) => texts.get(key) ?? null,
    setItem: (key: string, text: string) => texts.set(key, text),
    removeItem: (key: string) => texts.delete(key),
  } as unknown as Storage;
}

/** An API that signs in for an hour, or answers with a status. */
function makeApi(answers: number[] = []) {
  const asked: object[] = [];
  const clock = { now: NOW };
  const api: Api = async <Answer>(
    _method: string,
    _path: string,
    options: { body?: object } = {},
  ) => {
    asked.push(options.body ?? {});
    const status = answers.shift() ?? 200;
    if (status !== 200) throw new Problem(status, 'refused');
    const expires_at = new Date(clock.now + 3_600_000).toISOString();
    const principal = { kind: 'agent', id: 'a', name: 'Ada', role: 'admin' };
    return { token: `token-${asked.length}`, expires_at, principal } as Answer;
  };
  return { api, asked, clock };
}

test('a sign-in is kept for the tab, used while it holds, and renewed as the same person', async () => {
  const storage = makeStorage();
  const { api, asked, clock } = makeApi();
  const first = new SignIn(api, storage, () => clock.now);
  expect(await first.credentials()).toBe(null);
  await first.signIn('ada');
  const again = new SignIn(api, storage, () => clock.now);
  expect((await again.credentials())?.token).toBe('token-1');
  clock.now += 3_590_000;
  expect((await again.credentials())?.token).toBe('token-2');
  expect(asked).toEqual([{ as: 'ada' }, { as: 'ada' }]);
  again.signOut();
  expect(new SignIn(api, storage, () => clock.now).current.peek()).toBe(null);
});

test('a server that cannot be reached is asked again later; one that refuses is not', async () => {
  const { api, clock } = makeApi([200, 0, 404]);
  const signIn = new SignIn(api, makeStorage(), () => clock.now);
  await signIn.signIn('ben');
  clock.now += 3_600_000;
  await expect(signIn.credentials()).rejects.toThrow();
  expect(await signIn.credentials()).toBe(null);
});

test('what went wrong is said', async () => {
  const { api } = makeApi([404, 503]);
  const signIn = new SignIn(api, makeStorage(), () => NOW);
  await signIn.signIn('ada');
  expect(signIn.trouble.peek()).toMatch(/--demo/);
  await signIn.signIn('ada');
  expect(signIn.trouble.peek()).toMatch(/try again/);
  await signIn.signIn('ada');
  expect(signIn.trouble.peek()).toBe(null);
  expect(signIn.current.peek()?.principal.name).toBe('Ada');
});
