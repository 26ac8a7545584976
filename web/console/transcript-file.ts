/** A conversation as a text file, to be given to whoever took part: without notes. Without a DOM. */

import type { Card, Event } from '../client/frames.ts';
import { type TextFile, textFile } from '../ui/transcript-file.ts';
import { agentLine } from './lines.ts';
import { visitorName } from './words.ts';

/** `events` are public ones, `departments` their names by id. */
export function transcriptFile(
  card: Card,
  events: readonly Event[],
  departments: ReadonlyMap<string, string>,
): TextFile {
  return textFile(events, {
    number: card.number,
    head: `Conversation ${card.number} with ${visitorName(card)}`,
    side: 'agent',
    removed: 'removed',
    edited: 'edited',
    name: ({ author }) =>
      author.name || (author.kind === 'visitor' ? visitorName(card) : 'Support'),
    line: (event) => agentLine(event, departments),
  });
}
