/**
 * What a person likes, as this browser has it. What is theirs wherever they sign in is kept with their
 * profile as well (`profile.ts`); the rest belongs to this screen, these speakers and what the person
 * has allowed here.
 */

import { batch, effect, type Signal, signal } from '@preact/signals-core';
import type { KeyStore } from '../client/ports.ts';
import { type SavedFilter, savedIn } from './filtering.ts';
import { type ChosenKeys, chosenIn } from './keymap.ts';
import { type QuietHours, USUAL_QUIET } from './quiet.ts';

export type Theme = 'system' | 'light' | 'dark';
export type Density = 'comfortable' | 'compact';
/** What is opened when a conversation is done. */
export type Advance = 'next' | 'previous' | 'list';

export const SOUNDS = ['chime', 'pluck', 'bell', 'knock', 'drop'] as const;
export type Sound = (typeof SOUNDS)[number];

/** What can be announced. */
export const EVENTS = ['waiting', 'assigned', 'reply'] as const;
export type AlertEvent = (typeof EVENTS)[number];

export interface Prefs {
  /** Whose the personal ones are; empty as long as nobody's profile was read here. */
  of: Signal<string>;
  theme: Signal<Theme>;
  density: Signal<Density>;
  /** Whether keys without Ctrl or Alt do anything. */
  singleKeys: Signal<boolean>;
  /** Keys other than the usual ones. */
  keys: Signal<ChosenKeys>;
  advance: Signal<Advance>;
  /** Width of the list and of the context pane. */
  listPx: Signal<number>;
  contextPx: Signal<number>;
  context: Signal<boolean>;
  /** In [0, 1]. */
  volume: Signal<number>;
  sounds: Signal<Record<AlertEvent, Sound | 'none'>>;
  desktop: Signal<Record<AlertEvent, boolean>>;
  quiet: Signal<QuietHours>;
  /** Minutes without a touch until one is warned, and then set away; 0 is never. */
  awayMin: Signal<number>;
  /** Seconds in which what was sent can be taken back, up to 10; 0 sends at once. */
  undoS: Signal<number>;
  /** Searches of the list that are kept by a name. */
  saved: Signal<readonly SavedFilter[]>;
}

type Values = { [Name in keyof Prefs]: Prefs[Name] extends Signal<infer Value> ? Value : never };

/** As everything is until somebody says otherwise. */
const USUAL: Values = {
  of: '',
  theme: 'system',
  density: 'comfortable',
  singleKeys: true,
  keys: {},
  advance: 'next',
  listPx: 384,
  contextPx: 312,
  context: true,
  volume: 0.6,
  sounds: { waiting: 'chime', assigned: 'bell', reply: 'drop' },
  desktop: { waiting: false, assigned: false, reply: false },
  quiet: USUAL_QUIET,
  awayMin: 0,
  undoS: 0,
  saved: [],
};

/** What goes with the person, under the names that the profile keeps it by. */
export const PERSONAL = [
  'theme',
  'density',
  'singleKeys',
  'keys',
  'advance',
  'sounds',
  'quiet',
  'awayMin',
  'undoS',
  'saved',
] as const satisfies readonly (keyof Prefs)[];
export type Personal = (typeof PERSONAL)[number];

const NAMES = Object.keys(USUAL) as (keyof Prefs)[];

export const PREFS_KEY = 'prefs';

/** Reads what was kept; later changes are kept by themselves. */
export async function openPrefs(store: KeyStore): Promise<Prefs> {
  const kept = parse(await store.get(PREFS_KEY));
  const prefs = Object.fromEntries(
    NAMES.map((name) => [name, signal(fitting(name, kept[name]))]),
  ) as unknown as Prefs;
  let first = true;
  effect(() => {
    const now = JSON.stringify(Object.fromEntries(NAMES.map((name) => [name, prefs[name].value])));
    if (!first && !rereading) void store.set(PREFS_KEY, now);
    first = false;
  });
  return prefs;
}

/** What is just read need not be written, and may be old by then. */
let rereading = false;

/** Whether what changes at this moment was changed, and is taken care of, by another tab. */
export function isRereading(): boolean {
  return rereading;
}

/** Another tab of this browser has changed something. */
export async function rereadPrefs(prefs: Prefs, store: KeyStore): Promise<void> {
  const kept = parse(await store.get(PREFS_KEY));
  // Two people may be signed in in two tabs: then each has what is theirs.
  const same = kept.of === prefs.of.peek();
  const personal: readonly string[] = ['of', ...PERSONAL];
  rereading = true;
  batch(() => {
    for (const name of NAMES) {
      if (same || !personal.includes(name)) put(prefs, name, kept[name]);
    }
  });
  rereading = false;
}

/** Sets one of them to what was kept somewhere, or to the usual where that is no such value. */
export function put(prefs: Prefs, name: keyof Prefs, kept: unknown): void {
  const pref: Signal<unknown> = prefs[name];
  const value = fitting(name, kept);
  // What is the same stays the same object: nobody has to draw anything anew.
  if (JSON.stringify(pref.peek()) !== JSON.stringify(value)) pref.value = value;
}

/** Whether nobody has said otherwise. */
export function isUsual(prefs: Prefs, name: keyof Prefs): boolean {
  return JSON.stringify(prefs[name].peek()) === JSON.stringify(USUAL[name]);
}

function fitting(name: keyof Prefs, kept: unknown): unknown {
  if (name === 'keys') return chosenIn(kept);
  if (name === 'saved') return savedIn(kept);
  return valid(kept, USUAL[name]) ? kept : USUAL[name];
}

function parse(text: string | null): Record<string, unknown> {
  try {
    const kept: unknown = JSON.parse(text ?? '{}');
    return typeof kept === 'object' && kept !== null ? { ...kept } : {};
  } catch {
    return {};
  }
}

/** Of the same shape as the usual value; what an older or newer version kept may not be. */
function valid(kept: unknown, usual: unknown): boolean {
  if (typeof usual !== 'object' || usual === null) return typeof kept === typeof usual;
  if (typeof kept !== 'object' || kept === null) return false;
  return Object.entries(usual).every(([name, value]) => valid(Reflect.get(kept, name), value));
}
