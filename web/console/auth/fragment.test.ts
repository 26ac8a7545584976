import { expect, test } from 'vitest';
import { takeFragment } from './fragment.ts';

function take(hash: string) {
  const addresses: string[] = [];
  const location = { hash, pathname: '/console', search: '?lang=ar' };
  const history = {
    replaceState: (_state: unknown, _title: string, address?: string | URL | null) => {
      addresses.push(String(address));
    },
  };
  return { fragment: takeFragment(location, history), addresses };
}

test.each([
  ['#setup=abc_-9', { kind: 'setup', token: 'abc_-9' }],
  ['#invite=a%2Fb', { kind: 'invite', token: 'a/b' }],
  ['#invite=%', { kind: 'invite', token: '%' }],
  ['#setup=', null],
])('%s is taken and does not stay in the address', (hash, fragment) => {
  expect(take(hash)).toEqual({ fragment, addresses: ['/console?lang=ar'] });
});

test.each(['', '#/c/1', '#setup', '#other=1', '#xsetup=1'])('%j is left alone', (hash) => {
  expect(take(hash)).toEqual({ fragment: null, addresses: [] });
});
