/** A conversation as a text file, to be given to whoever took part: without notes. Without a DOM. */

import type { Card, Event } from '../client/frames.ts';
import { type Item, transcript } from '../ui/transcript.ts';
import { agentLine } from './lines.ts';
import { plain, visitorName } from './words.ts';

/** Events of one answer, and answers at most: what a conversation can hold is less. */
const PAGE = 200;
const PAGES_MAX = 1_000;

export interface TextFile {
  name: string;
  text: string;
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
export function transcriptFile(
  card: Card,
  events: readonly Event[],
  departments: ReadonlyMap<string, string>,
): TextFile {
  const times = new Map(events.map(({ id, at }) => [id, at]));
  const items = transcript({
    timeline: events,
    entries: [],
    receipts: new Map(),
    side: 'agent',
    me: null,
    line: (event) => agentLine(event, departments),
  });
  const lines = items.flatMap((item) => lineOf(item, card, times));
  const head = `Conversation ${card.number} with ${plain(visitorName(card))}`;
  return {
    name: `conversation-${card.number}.txt`,
    text: `${[head, '', ...lines].join('\n')}\n`,
  };
}

function lineOf(item: Item, card: Card, times: ReadonlyMap<string, string>): string[] {
  if (item.kind === 'day') return [];
  const at = `${(times.get(item.key) ?? '').slice(0, 16).replace('T', ' ')} UTC`;
  if (item.kind === 'line') return [`[${at}] ${plain(item.text)}`];
  const { author } = item;
  const nobody = author.kind === 'visitor' ? visitorName(card) : 'Support';
  const text = item.redacted ? '(removed)' : item.text.split(/\r\n|\p{Zl}|\p{Zp}|[\r\n]/u);
  const said = typeof text === 'string' ? text : text.map(plain).join('\n    ');
  const edited = item.edited && !item.redacted ? ' (edited)' : '';
  return [`[${at}] ${plain(author.name || nobody)}: ${said}${edited}`];
}
