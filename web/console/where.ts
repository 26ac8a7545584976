/**
 * Where the person was: which list, how far down, and what was on top of the transcript. It is kept
 * for the next load of the tab, and good for that one alone. Without a DOM.
 */

import { FILTERS, type FilterName } from './inbox.ts';

/** What a transcript that is not at its end has on top. */
export interface Spot {
  conversation: string;
  /** The key of the first item in sight. */
  item: string;
  /** From the upper edge down to the item, in pixels; negative when a part of it is above. */
  px: number;
}

interface Kept {
  me: string;
  filter: FilterName;
  listPx: number;
  spot: Spot | null;
}

const KEY = 'switchboard:console:where';

export class Where {
  /** How far the list is scrolled now. */
  listPx = 0;
  /** Answers, when the page goes, what the transcript has on top; `null` at its end. */
  spot: () => Spot | null = () => null;

  readonly #storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly #me: string;
  #kept: Kept | null;

  constructor(storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>, me: string) {
    this.#storage = storage;
    this.#me = me;
    const kept = parse(storage.getItem(KEY));
    storage.removeItem(KEY);
    this.#kept = kept?.me === me ? kept : null;
  }

  /** The list that was shown; `null` when nothing is known. */
  get filter(): FilterName | null {
    return this.#kept?.filter ?? null;
  }

  /** How far to scroll a list that is shown for the first time. */
  takeListPx(filter: FilterName): number {
    if (this.#kept?.filter !== filter) return 0;
    const px = this.#kept.listPx;
    this.#kept = { ...this.#kept, listPx: 0 };
    return px;
  }

  /** What to put on top of a transcript that is shown for the first time. */
  takeSpot(conversation: string): Spot | null {
    const spot = this.#kept?.spot ?? null;
    if (this.#kept === null || spot?.conversation !== conversation) return null;
    this.#kept = { ...this.#kept, spot: null };
    return spot;
  }

  /** The page goes. */
  keep(filter: FilterName): void {
    const kept: Kept = { me: this.#me, filter, listPx: this.listPx, spot: this.spot() };
    try {
      this.#storage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // Full storage: the next page begins on top.
    }
  }
}

function parse(text: string | null): Kept | null {
  try {
    const kept: unknown = JSON.parse(text ?? 'null');
    if (typeof kept !== 'object' || kept === null) return null;
    const { me, filter, listPx, spot } = kept as Kept;
    const fits = typeof me === 'string' && FILTERS.includes(filter) && Number.isFinite(listPx);
    if (!fits) return null;
    const known = typeof spot?.item === 'string' && Number.isFinite(spot.px);
    return { me, filter, listPx, spot: known ? spot : null };
  } catch {
    return null;
  }
}
