/** What changed of a thing, in words: each part that differs, by what it is called. */

import { same } from './editing.ts';

export interface Detail {
  what: string;
  from: string;
  to: string;
}

type Fields = Record<string, unknown>;
/** One of a list whose members are known by a name. */
type Named = Fields & { name: string };

/** The parts in which two values of a field differ. */
export function details(what: string, from: unknown, to: unknown): Detail[] {
  if (same(from, to)) return [];
  if (areNamed(from) && areNamed(to)) return ofList(what, from, to);
  if (isFields(from) && isFields(to)) return ofFields(what, from, to);
  return [{ what, from: shortly(from), to: shortly(to) }];
}

/** A value in a few words. */
export function shortly(value: unknown): string {
  if (value === undefined || value === null || value === '') return 'nothing';
  if (value === true) return 'on';
  if (value === false) return 'off';
  if (Array.isArray(value)) {
    if (value.length === 0) return 'none';
    return value.map((item) => shortly(isNamed(item) ? called(item) : item)).join(', ');
  }
  if (isFields(value)) {
    return Object.entries(value)
      .filter(([, part]) => part !== undefined && !isFields(part))
      .map(([name, part]) => `${inWords(name)} ${shortly(part)}`)
      .join(', ');
  }
  return String(value);
}

function ofFields(what: string, from: Fields, to: Fields): Detail[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names.flatMap((name) => {
    // The only field of a thing is the thing.
    const part = names.length === 1 ? what : `${what}: ${inWords(name)}`;
    return details(part, from[name], to[name]);
  });
}

function ofList(what: string, from: readonly Named[], to: readonly Named[]): Detail[] {
  const before = new Map(from.map((item) => [item.name, item]));
  const after = new Map(to.map((item) => [item.name, item]));
  const found: Detail[] = [];
  for (const [name, item] of before) {
    const part = `${what}: ${called(item)}`;
    const now = after.get(name);
    if (now === undefined) found.push({ what: part, from: rest(item), to: 'nothing' });
    else found.push(...ofFields(part, item, now));
  }
  for (const [name, item] of after) {
    if (before.has(name)) continue;
    found.push({ what: `${what}: ${called(item)}`, from: 'nothing', to: rest(item) });
  }
  const stayed = (items: readonly Named[]) =>
    items.filter(({ name }) => before.has(name) && after.has(name));
  const [was, is] = [stayed(from), stayed(to)];
  if (was.some(({ name }, idx) => is[idx]?.name !== name)) {
    found.push({ what: `${what}: order`, from: shortly(was), to: shortly(is) });
  }
  return found;
}

/** What people call it: what they read, else its name. */
function called(item: Named): string {
  return typeof item.label === 'string' && item.label !== '' ? item.label : item.name;
}

/** What else there is to say of it. */
function rest({ name: _name, label: _label, ...others }: Named): string {
  return shortly(others);
}

function inWords(name: string): string {
  return name.replaceAll('_', ' ');
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNamed(value: unknown): value is Named {
  return isFields(value) && typeof value.name === 'string';
}

function areNamed(value: unknown): value is Named[] {
  return Array.isArray(value) && value.every(isNamed);
}
