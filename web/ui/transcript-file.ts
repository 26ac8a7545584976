/** A conversation as a text file, for agents and visitors: what was public. */

import type { Side } from '../client/conversation.ts';
import type { Event } from '../client/frames.ts';
import { plain } from './plain.ts';
import { type Item, type Said, transcript } from './transcript.ts';

/** Events of one answer, and answers at most: what a conversation can hold is less. */
const PAGE = 200;
const PAGES_MAX = 1_000;

export interface TextFile {
  name: string;
  text: string;
}

/** What a file says besides what was said. */
export interface FileWords {
  number: number;
  /** The first line. */
  head: string;
  side: Side;
  removed: string;
  edited: string;
  /** What to call whoever said it. */
  name(said: Said): string;
  /** What to say of an event that is no message; `null` for nothing. */
  line(event: Event): string | null;
}

/** Everything that was said in public, oldest first. `page` answers what comes after a position. */
export async function publicEvents(
  page: (after: number, limit: number) => Promise<readonly Event[]>,
): Promise<Event[]> {
  const events: Event[] = [];
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const next = await page(events.at(-1)?.seq ?? 0, PAGE);
    events.push(...next);
    if (next.length < PAGE) break;
  }
  return events;
}

/**
 * One line for each thing that was said or done, with its time in UTC. Further lines of a message
 * stand indented, so that no text passes for a line of ours.
 */
export function textFile(events: readonly Event[], words: FileWords): TextFile {
  const times = new Map(events.map(({ id, at }) => [id, at]));
  const items = transcript({
    timeline: events,
    entries: [],
    receipts: new Map(),
    side: words.side,
    me: null,
    line: (event) => words.line(event),
  });
  const lines = items.flatMap((item) => lineOf(item, words, times));
  return {
    name: `conversation-${words.number}.txt`,
    text: `${[plain(words.head), '', ...lines].join('\n')}\n`,
  };
}

function lineOf(item: Item, words: FileWords, times: ReadonlyMap<string, string>): string[] {
  if (item.kind === 'day') return [];
  const at = `${(times.get(item.key) ?? '').slice(0, 16).replace('T', ' ')} UTC`;
  if (item.kind === 'line') return [`[${at}] ${plain(item.text)}`];
  const text = item.text.split(/\r\n|\p{Zl}|\p{Zp}|[\r\n]/u);
  const said = item.redacted ? `(${words.removed})` : text.map(plain).join('\n    ');
  const edited = item.edited && !item.redacted ? ` (${words.edited})` : '';
  return [`[${at}] ${plain(words.name(item))}: ${said}${edited}`];
}
