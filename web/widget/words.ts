/** The words of the widget in the visitor's language. Every language has a file of the same keys. */

import { signal } from '@preact/signals-core';
import type { QueueFrame } from '../client/frames.ts';
import ar from '../locales/ar.json?url';
import en from '../locales/en.json';

export type Words = typeof en;

/** How a language is written, besides its words. */
export interface Language {
  /** BCP 47, for dates and numbers. */
  code: string;
  words: Words;
}

/** English is part of the bundle; the others are fetched when they are wanted. */
const OTHERS: Record<string, string> = { ar };

export const language = signal<Language>({ code: 'en', words: en });

/** Learns words that the first part does not say. */
export function learn(more: object): void {
  Object.assign(en, more);
}

/** Speaks the first of `wanted` that there are words for. A language that cannot come is not fatal. */
export async function speak(wanted: readonly string[]): Promise<void> {
  for (const code of wanted) {
    const [base = ''] = code.toLowerCase().split('-');
    const file = OTHERS[base];
    if (base !== 'en' && file === undefined) continue;
    const words = file === undefined ? en : await fetchWords(file);
    if (words === null) continue;
    language.value = { code, words };
    return;
  }
}

async function fetchWords(file: string): Promise<Words | null> {
  return fetch(file).then(
    (answer): Promise<Words> => answer.json(),
    () => null,
  );
}

/** A phrase with its `{names}` filled in; numbers are written as the language does. */
export function say(key: keyof Words, values: Record<string, string | number> = {}): string {
  const { code, words } = language.value;
  return words[key].replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    return typeof value === 'number' ? value.toLocaleString(code) : value;
  });
}

/** The place in line, and how long it takes from there in minutes where the server knows. */
export function placeOf({ position, eta_s }: QueueFrame): string {
  const place = say('place', { n: position });
  if (!eta_s) return place;
  const [usual, slow] = eta_s.map((seconds) => Math.ceil(seconds / 60)) as [number, number];
  const range = new Intl.NumberFormat(language.value.code);
  // Of two equal ends a range would say that they are about one.
  const n = usual === slow ? usual : range.formatRange(usual, slow);
  return `${place} · ${say('wait', { n })}`;
}
