/** What the palette lists: commands, conversations known here, and what the server finds. No DOM. */

import type { Card } from '../client/frames.ts';
import { folded, rank } from '../ui/fuzzy.ts';
import { type Command, FILTER_NAMES } from './commands.ts';
import type { Desk } from './desk.ts';
import type { Search } from './search.ts';
import { INBOX, SETTINGS, type Shell } from './shell.ts';
import { lastLine, visitorName } from './words.ts';

export interface Entry {
  id: string;
  text: string;
  detail?: string;
  group: string;
  keys?: string | undefined;
  /** Whose picture stands before it. */
  face?: string;
  run(): void;
}

/** An entry with its words as they are compared. */
interface Ranked extends Entry {
  folded: string;
}

const COMMANDS_MAX = 40;
/** Of those known here, and as many again of those that the server finds. */
export const CONVERSATIONS_MAX = 12;
const VISITORS_MAX = 4;

export interface EntriesPorts {
  shell: Pick<Shell, 'router'>;
  desk: Pick<Desk, 'client' | 'inbox' | 'selected' | 'filtering'>;
  commands: readonly Command[];
  /** The palette's own, beside that of the list. */
  search: Search;
}

/** Says for a text what there is to choose from; what the server finds comes last, as it comes. */
export function entriesOf(ports: EntriesPorts): (text: string) => Entry[] {
  const { desk, search } = ports;
  const commands = [...ports.commands.filter(applies).map(ofCommand), ...savedOf(ports)];
  const known = knownCards(desk).map((card) => ofConversation(card, ports));
  return (text) => {
    // Who has typed nothing yet sees all that can be done.
    if (text.trim() === '') return commands;
    const here = rank(text, known, (entry) => entry.folded, CONVERSATIONS_MAX);
    const shown = new Set(here.map(({ id }) => id));
    const found = foundCards(search, desk);
    const more = found.filter(({ id }) => !shown.has(id)).slice(0, CONVERSATIONS_MAX);
    return [
      ...rank(text, commands, (entry) => entry.folded, COMMANDS_MAX),
      ...here,
      ...more.map((card) => ofConversation(card, ports)),
      ...visitorsOf(found, search.words.peek(), ports),
    ];
  };
}

function applies({ hidden, when }: Command): boolean {
  return hidden !== true && (when?.() ?? true);
}

function ofCommand({ title, group, keys, run }: Command): Ranked {
  return {
    id: `command ${group} ${title}`,
    text: title,
    group,
    keys: keys[0],
    folded: folded(`${title} ${group}`),
    run,
  };
}

/** What the person keeps looking for, and a way to be rid of it. */
function savedOf({ shell, desk }: EntriesPorts): Ranked[] {
  const group = 'Saved filters';
  return desk.filtering.saved.peek().flatMap(({ name, list, text }) => [
    {
      id: `saved ${name}`,
      text: name,
      detail: list === 'all' ? text : `${text} · ${FILTER_NAMES[list]}`,
      group,
      folded: folded(`${name} ${text} ${group}`),
      run: () => {
        if (inSettings(shell)) shell.router.go(INBOX);
        desk.filtering.find(text, list);
      },
    },
    {
      id: `removal of saved ${name}`,
      text: `Remove filter: ${name}`,
      group,
      folded: folded(`remove filter ${name}`),
      run: () => desk.filtering.remove(name),
    },
  ]);
}

function ofConversation(card: Card, { shell, desk }: EntriesPorts): Ranked {
  const name = visitorName(card);
  const last = lastLine(card);
  return {
    id: card.id,
    text: name,
    detail: last,
    group: 'Conversations',
    face: name,
    folded: folded(`${name} ${card.visitor.email ?? ''} ${card.number} ${last}`),
    run: () => {
      if (inSettings(shell)) shell.router.go(`/console/c/${card.id}`);
      desk.selected.value = card.id;
    },
  };
}

/** Every conversation known here. */
function knownCards({ client, inbox }: EntriesPorts['desk']): Card[] {
  const ids = [...inbox.view('mine').ids, ...inbox.view('unassigned').ids, ...inbox.order.peek()];
  return [...new Set(ids)].flatMap((id) => client.cards.of(id).peek() ?? []);
}

/** What the server found for what is written now; nothing as long as it is asked. */
function foundCards({ found, state }: Search, { client }: EntriesPorts['desk']): Card[] {
  if (state.value !== 'ready') return [];
  return (found.value ?? []).flatMap((id) => client.cards.of(id).peek() ?? []);
}

/** Those of them whose name or address was looked for: the list shows all they ever wrote. */
function visitorsOf(
  found: readonly Card[],
  words: readonly string[],
  { shell, desk }: EntriesPorts,
): Entry[] {
  const visitors = new Map(found.map(({ visitor }) => [visitor.id, visitor]));
  const entries: Entry[] = [];
  for (const { id, name, email } of visitors.values()) {
    const known = name || email;
    const form = folded(`${name ?? ''} ${email ?? ''}`);
    if (!known || !words.every((word) => form.includes(word))) continue;
    entries.push({
      id: `visitor ${id}`,
      text: known,
      ...(name && email ? { detail: email } : {}),
      group: 'Visitors',
      face: known,
      run: () => {
        if (inSettings(shell)) shell.router.go(INBOX);
        desk.filtering.find(email || known, 'all');
      },
    });
  }
  return entries.slice(0, VISITORS_MAX);
}

function inSettings(shell: EntriesPorts['shell']): boolean {
  return shell.router.path.peek().startsWith(SETTINGS);
}
