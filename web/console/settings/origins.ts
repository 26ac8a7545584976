/** The sites that may show a widget, as one writes them and as the server wants them. */

export type Checked = { origin: string } | { trouble: string };

/** Entries at most, as on the server. */
export const ORIGINS_MAX = 64;

/**
 * Makes an origin of what somebody typed: a domain, an address of a page, or an origin. Says what
 * is wrong in a way that tells what to write instead.
 */
export function checkOrigin(text: string): Checked {
  const typed = text.trim();
  if (typed === '') return { trouble: 'Write a domain, such as https://www.example.com.' };
  if (/\s/.test(typed)) return { trouble: 'One domain at a time, without spaces.' };
  if (typed === '*') {
    return { trouble: 'A widget cannot be for every site. Name the domains, or *.example.com.' };
  }
  const withScheme = typed.includes('://')
    ? typed
    : `${isHere(typed) ? 'http' : 'https'}://${typed}`;
  // A star is no part of a host name for URL, so it is looked at by itself.
  const wild = /^(https?:\/\/)\*\.(.+)$/i.exec(withScheme);
  const anyPort = /^(https?:\/\/[^/]+):\*(?:\/.*)?$/i.exec(withScheme);
  const address = wild ? `${wild[1]}${wild[2]}` : (anyPort?.[1] ?? withScheme);
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return { trouble: `“${typed}” is not a domain. Write it such as https://www.example.com.` };
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return { trouble: 'A site begins with https://.' };
  }
  if (url.username !== '' || url.password !== '') {
    return { trouble: 'Leave out the name and password.' };
  }
  if (url.hostname.includes('*')) {
    return { trouble: 'A star stands only at the beginning: *.example.com.' };
  }
  const here = isHere(url.hostname);
  if (url.protocol === 'http:' && !here) {
    return {
      trouble: `Browsers send “http://${url.hostname}” in the clear, so it is refused. Use https://${url.hostname}.`,
    };
  }
  if (wild && (here || !url.hostname.includes('.') || /^[\d.]+$|^\[/.test(url.hostname))) {
    return { trouble: '*. needs a domain of at least two parts after it, such as *.example.com.' };
  }
  if (anyPort && !here)
    return { trouble: 'Any port is only for this machine, such as localhost:*.' };
  if (!here && !url.hostname.includes('.') && !url.hostname.startsWith('[')) {
    return { trouble: `“${url.hostname}” has no ending such as .com.` };
  }
  const port = anyPort ? ':*' : url.port === '' ? '' : `:${url.port}`;
  return { origin: `${url.protocol}//${wild ? '*.' : ''}${url.hostname}${port}` };
}

/** Whether it is this machine, where browsers trust http. */
function isHere(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:[\d*]+)?(\/|$)/i.test(host);
}
