/** The chat as a text file: fetched when a visitor wants one. */

import type { Event } from '../client/frames.ts';
import { saveFile } from '../ui/save.ts';
import { publicEvents, type TextFile, textFile } from '../ui/transcript-file.ts';
import { visitorLine } from './lines.ts';
import type { Widget } from './model.ts';
import { say } from './words.ts';

/** Hands the file to the visitor. */
export async function download(widget: Widget): Promise<void> {
  const file = await chatFile(widget);
  if (file !== null) saveFile(file);
}

/** The chat that is shown, from its first message; `null` when there is none. */
export async function chatFile(
  widget: Pick<Widget, 'card' | 'settings' | 'ask'>,
): Promise<TextFile | null> {
  const card = widget.card.peek();
  if (card === null) return null;
  const events = await publicEvents(async (after, limit) => {
    const path = `/v1/conversations/${card.id}/messages?after=${after}&limit=${limit}`;
    return (await widget.ask<{ items: Event[] }>(path)).items;
  });
  const settings = widget.settings.peek();
  const departments = new Map((settings?.departments ?? []).map(({ id, name }) => [id, name]));
  return textFile(events, {
    number: card.number,
    head: `${say('conversation')} ${card.number}, ${settings?.name ?? ''}`,
    side: 'visitor',
    removed: say('removed'),
    edited: say('edited'),
    name: ({ author, own }) => author.name || say(own ? 'you' : 'support'),
    line: (event) => visitorLine(event, departments),
  });
}
