/** Where the person is: the path of the address as a signal, over the History API. */

import { type ReadonlySignal, type Signal, signal } from '@preact/signals-core';

/** What the router needs of a window. */
export interface Address {
  readonly location: { readonly pathname: string; readonly origin: string };
  readonly history: Pick<History, 'pushState' | 'replaceState' | 'go'> & {
    readonly state: unknown;
  };
  addEventListener(type: 'popstate', listener: (event: { state: unknown }) => void): void;
}

export class Router {
  readonly path: ReadonlySignal<string>;
  /** Asked before the place changes, for pages with something unsaved; `false` stays. */
  guard: ((to: string) => boolean) | null = null;

  readonly #address: Address;
  /** Paths under this one are ours. */
  readonly #base: string;
  readonly #path: Signal<string>;
  /** Which entry of the history this is, to undo a step that the guard refuses. */
  #at: number;

  constructor(address: Address, base: string) {
    this.#address = address;
    this.#base = base;
    this.#path = signal(address.location.pathname);
    this.path = this.#path;
    this.#at = placeIn(address.history.state);
    address.history.replaceState({ at: this.#at }, '');
    address.addEventListener('popstate', (event) => this.#moved(placeIn(event.state)));
  }

  /** Goes to a path of ours; says whether it went. */
  go(path: string, how: 'push' | 'replace' = 'push'): boolean {
    if (path === this.#path.peek()) return true;
    if (this.guard !== null && !this.guard(path)) return false;
    if (how === 'push') {
      this.#at += 1;
      this.#address.history.pushState({ at: this.#at }, '', path);
    } else {
      this.#address.history.replaceState({ at: this.#at }, '', path);
    }
    this.#path.value = path;
    return true;
  }

  /** For clicks anywhere in the page: follows links of ours without loading the document anew. */
  follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a[href]');
    const href = link?.getAttribute('href');
    if (link == null || href == null || link.hasAttribute('target')) return;
    const path = this.#ours(href);
    if (path === null) return;
    event.preventDefault();
    this.go(path);
  }

  #ours(href: string): string | null {
    const { origin } = this.#address.location;
    const url = new URL(href, origin + this.#path.peek());
    const ours = url.pathname === this.#base || url.pathname.startsWith(`${this.#base}/`);
    return url.origin === origin && ours && url.hash === '' ? url.pathname : null;
  }

  #moved(at: number): void {
    const to = this.#address.location.pathname;
    if (to === this.#path.peek()) {
      this.#at = at;
      return;
    }
    if (this.guard !== null && !this.guard(to)) {
      this.#address.history.go(this.#at - at);
      return;
    }
    this.#at = at;
    this.#path.value = to;
  }
}

function placeIn(state: unknown): number {
  const at = typeof state === 'object' && state !== null && 'at' in state ? state.at : 0;
  return typeof at === 'number' ? at : 0;
}
