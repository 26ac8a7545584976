/** What a person likes, kept in this browser. */

import { batch, effect, type Signal, signal } from '@preact/signals-core';
import type { KeyStore } from '../client/ports.ts';
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
}

export const PREFS_KEY = 'prefs';

/** Reads what was kept; later changes are kept by themselves. */
export async function openPrefs(store: KeyStore): Promise<Prefs> {
  const prefs = read(await store.get(PREFS_KEY));
  let first = true;
  effect(() => {
    const now = JSON.stringify(
      Object.fromEntries(Object.entries(prefs).map(([name, { value }]) => [name, value])),
    );
    if (!first && !rereading) void store.set(PREFS_KEY, now);
    first = false;
  });
  return prefs;
}

/** What is just read need not be written, and may be old by then. */
let rereading = false;

/** Another tab of this browser has changed something. */
export async function rereadPrefs(prefs: Prefs, store: KeyStore): Promise<void> {
  const kept = read(await store.get(PREFS_KEY));
  rereading = true;
  batch(() => {
    for (const name of Object.keys(prefs) as (keyof Prefs)[]) {
      const pref: Signal<unknown> = prefs[name];
      const { value } = kept[name];
      // What is the same stays the same object: nobody has to draw anything anew.
      if (JSON.stringify(pref.peek()) !== JSON.stringify(value)) pref.value = value;
    }
  });
  rereading = false;
}

function read(text: string | null): Prefs {
  const kept = parse(text);
  const pref = <Value>(name: keyof Prefs, usual: Value): Signal<Value> =>
    signal(valid(kept[name], usual) ? (kept[name] as Value) : usual);
  return {
    theme: pref<Theme>('theme', 'system'),
    density: pref<Density>('density', 'comfortable'),
    singleKeys: pref('singleKeys', true),
    keys: signal(chosenIn(kept.keys)),
    advance: pref<Advance>('advance', 'next'),
    listPx: pref('listPx', 384),
    contextPx: pref('contextPx', 312),
    context: pref('context', true),
    volume: pref('volume', 0.6),
    sounds: pref<Record<AlertEvent, Sound | 'none'>>('sounds', {
      waiting: 'chime',
      assigned: 'bell',
      reply: 'drop',
    }),
    desktop: pref('desktop', { waiting: false, assigned: false, reply: false }),
    quiet: pref('quiet', USUAL_QUIET),
    awayMin: pref('awayMin', 0),
    undoS: pref('undoS', 0),
  };
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
