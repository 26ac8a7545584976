/**
 * Which keys run which command: the usual ones, or those that the person chose. A chosen key wins
 * over a usual one, and two commands never answer to the same. Without a DOM.
 */

/** What has keys, named by its title. */
export interface Keyed {
  title: string;
  /** The keys that it comes with. */
  usual: readonly string[];
}

/** The keys that a person chose, by the title of the command; none at all is a choice too. */
export type ChosenKeys = Readonly<Record<string, readonly string[]>>;

/** A command that has keys which another wants. */
export interface Holder {
  title: string;
  keys: string;
}

/** Keys of a command beyond this are more than anybody remembers. */
export const KEYS_MAX = 4;

const KEY = /^(?:mod\+)?(?:alt\+)?(?:shift\+)?(?:\S|[a-z]\w+)$/u;

/** All commands with their keys as they are now, by title. */
export function keymap(
  commands: readonly Keyed[],
  chosen: ChosenKeys,
): ReadonlyMap<string, readonly string[]> {
  const taken = commands.flatMap(({ title }) => choiceOf(chosen, title) ?? []);
  return new Map(
    commands.map(({ title, usual }) => [
      title,
      choiceOf(chosen, title) ?? usual.filter((keys) => !taken.some((one) => clash(one, keys))),
    ]),
  );
}

/** Whether the two cannot both be had: they are the same, or one is how the other begins. */
export function clash(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other} `) || other.startsWith(`${one} `);
}

/** Who but this command has keys that clash with these. */
export function holdersOf(
  keys: string,
  title: string,
  map: ReadonlyMap<string, readonly string[]>,
): Holder[] {
  return [...map].flatMap(([other, held]) =>
    other === title
      ? []
      : held.filter((one) => clash(one, keys)).map((one) => ({ title: other, keys: one })),
  );
}

/** The command gets these keys; others that chose one that clashes lose it. */
export function choose(chosen: ChosenKeys, title: string, keys: readonly string[]): ChosenKeys {
  const others = Object.entries(chosen)
    .filter(([other]) => other !== title)
    .map(([other, held]) => [other, held.filter((one) => !keys.some((mine) => clash(one, mine)))]);
  return { ...Object.fromEntries(others), [title]: keys };
}

/** The command has its usual keys again, but for those that others chose. */
export function reset(chosen: ChosenKeys, title: string): ChosenKeys {
  return Object.fromEntries(Object.entries(chosen).filter(([other]) => other !== title));
}

/** What was kept, as far as it can be read. */
export function chosenIn(kept: unknown): ChosenKeys {
  if (typeof kept !== 'object' || kept === null) return {};
  return Object.fromEntries(
    Object.entries(kept).filter(
      ([, keys]: [string, unknown]) =>
        Array.isArray(keys) && keys.length <= KEYS_MAX && keys.every(isKeys),
    ),
  );
}

function isKeys(keys: unknown): boolean {
  if (typeof keys !== 'string') return false;
  const steps = keys.split(' ');
  return steps.length <= 2 && steps.every((step) => KEY.test(step));
}

function choiceOf(chosen: ChosenKeys, title: string): readonly string[] | undefined {
  return Object.hasOwn(chosen, title) ? chosen[title] : undefined;
}

/** Whether it goes with Ctrl, Command or Alt, and so also while one writes. */
export function isChord(keys: string): boolean {
  return /^(?:mod|alt)\+/.test(keys);
}

/** A key pressed after what was pressed before: a sequence of two, or a new beginning. */
export function extended(before: string, pressed: string): string {
  const begins = before !== '' && !before.includes(' ') && !isChord(before) && !isChord(pressed);
  return begins ? `${before} ${pressed}` : pressed;
}

/** Keys that are not free to choose, and what needs them. The first that fits counts. */
const NEEDED: readonly (readonly [RegExp, string])[] = [
  [/^(?:mod\+)?(?:alt\+)?(?:shift\+)?tab$/, 'The Tab key moves the focus.'],
  [/escape$/, 'Escape closes what is open.'],
  [/^(?:shift\+)?(?:enter|space)$/, 'It presses buttons and follows links.'],
  [
    /^(?:shift\+)?(?:arrow\w+|home|end|pageup|pagedown)$/,
    'It moves in lists, fields and on the page.',
  ],
  [/^mod\+alt\+/, 'On many keyboards Ctrl with Alt is AltGr, which types signs.'],
  [/^mod\+(?:shift\+)?[tnw]$/, 'The browser opens and closes tabs and windows with it.'],
  [/^mod\+(?:shift\+)?q$/, 'It quits the browser.'],
  [/^mod\+[1-9]$|^mod\+page(?:up|down)$/, 'The browser changes tabs with it.'],
  [/^mod\+(?:shift\+)?(?:[0+=_-])$/, 'The browser makes the page larger and smaller with it.'],
  [/^mod\+(?:shift\+)?r$|^mod\+f5$|^f5$/, 'The browser loads the page anew with it.'],
  [/^mod\+[fg]$|^f3$/, 'The browser finds words on the page with it.'],
  [/^mod\+l$|^alt\+d$|^f6$/, 'The browser goes to its address field with it.'],
  [/^alt\+(?:arrowleft|arrowright|home)$|^mod\+[[\]]$/, 'The browser goes back and forth with it.'],
  [/^alt\+f4$/, 'It closes the window.'],
  [/^mod\+[ps]$/, 'The browser prints and saves pages with it.'],
  [/^mod\+(?:shift\+)?delete$|^mod\+[dhj]$/, 'The browser keeps its lists with it.'],
  [/^mod\+shift\+[cijkmp]$|^f12$/, 'It opens tools of the browser.'],
  [/^f(?:1|7|11)$/, 'It is a key of the browser.'],
  [
    /^mod\+[acvxzy]$|^mod\+shift\+[vz]$|^(?:mod|alt)\+(?:shift\+)?(?:backspace|delete)$/,
    'It is needed for writing.',
  ],
  [/^mod\+(?:shift\+)?(?:arrow\w+|home|end)$/, 'It is needed for writing.'],
];

/** Keys with names that can be chosen, some only with others. */
const NAMED = /^(?:arrow\w+|home|end|pageup|pagedown|enter|space|insert|f\d{1,2})$/;

/** Why these keys cannot be chosen; `null` when they can. */
export function refusalOf(keys: string): string | null {
  for (const step of keys.split(' ')) {
    const needed = NEEDED.find(([pattern]) => pattern.test(step));
    if (needed !== undefined) return needed[1];
    const base = step.replace(/^(?:mod\+)?(?:alt\+)?(?:shift\+)?(?=.)/, '');
    if ([...base].length > 1 && !NAMED.test(base)) return 'This key cannot be used.';
  }
  return null;
}
