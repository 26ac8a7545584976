/** Puts colors, roundness, language and direction on the document. The rest is in `widget.css`. */

import type { Theme } from './settings.ts';

/** Languages that are written from right to left. */
const RTL = /^(ar|fa|he|ur)\b/;

export function dress(root: HTMLElement, theme: Theme, code: string): void {
  const set = (name: string, value: string | undefined) => {
    if (value) root.style.setProperty(name, value);
    else root.style.removeProperty(name);
  };
  set('--accent', theme.accent);
  set('--paper', theme.background);
  set('--ink', theme.text);
  set('--radius', theme.radius === undefined ? undefined : `${theme.radius}px`);
  const scheme = theme.scheme ?? 'auto';
  set('color-scheme', scheme === 'auto' ? undefined : scheme);
  root.lang = code;
  root.dir = RTL.test(code) ? 'rtl' : 'ltr';
}
