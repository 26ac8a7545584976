/** What a person likes, kept in this browser. */

import { effect, type Signal, signal } from '@preact/signals-core';
import type { KeyStore } from '../client/ports.ts';
import { type ChosenKeys, chosenIn } from './keymap.ts';

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
}

const KEY = 'prefs';

/** Reads what was kept; later changes are kept by themselves. */
export async function openPrefs(store: KeyStore): Promise<Prefs> {
  const kept = parse(await store.get(KEY));
  const pref = <Value>(name: keyof Prefs, usual: Value): Signal<Value> =>
    signal(valid(kept[name], usual) ? (kept[name] as Value) : usual);
  const prefs: Prefs = {
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
  };
  let first = true;
  effect(() => {
    const now = JSON.stringify(
      Object.fromEntries(Object.entries(prefs).map(([name, { value }]) => [name, value])),
    );
    if (!first) void store.set(KEY, now);
    first = false;
  });
  return prefs;
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
