/**
 * The secrets that a link may bring in its fragment. Fragments are not sent to servers; ours do not
 * stay in the address bar or the history either.
 */

export interface Fragment {
  kind: 'setup' | 'invite';
  token: string;
}

/** Takes the secret out of the address, before anything else looks at it. */
export function takeFragment(
  location: Pick<Location, 'hash' | 'pathname' | 'search'>,
  history: Pick<History, 'replaceState'>,
): Fragment | null {
  const match = /^#(setup|invite)=([^&]*)$/.exec(location.hash);
  if (match === null) return null;
  history.replaceState(null, '', location.pathname + location.search);
  const [, kind, token] = match;
  if (token === undefined || token === '') return null;
  return { kind: kind === 'setup' ? 'setup' : 'invite', token: decoded(token) };
}

function decoded(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}
