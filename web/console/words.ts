/** Names and texts that several parts show. Pure. */

import type { Card, Companion, Priority } from '../client/frames.ts';
import { plain } from '../ui/plain.ts';

/** How a visitor is called who gave no name. */
export function visitorName(card: Card): string {
  return card.visitor.name || `Visitor ${card.number}`;
}

/** The same amid words of ours, whichever way it reads: what `<bdi>` is to a page. */
export function isolated(text: string): string {
  return `\u2068${plain(text)}\u2069`;
}

export const PRIORITIES: readonly [Priority, string][] = [
  ['urgent', 'Urgent'],
  ['high', 'High'],
  ['medium', 'Medium'],
  ['low', 'Low'],
];

/** The last line of a conversation, and whose it is. */
export function lastLine(card: Card): string {
  if (card.last === null) return card.subject ?? 'No message yet';
  const who = card.last.from.kind === 'visitor' ? '' : `${card.last.from.name ?? 'Support'}: `;
  return who + card.last.text;
}

/** What colleagues do with a conversation: "Ada is typing; Ben is viewing". */
export function companyWords(all: readonly Companion[]): string {
  const said = (typing: boolean, deed: string) => {
    const names = all.filter((one) => one.typing === typing).map(({ agent }) => agent.name);
    return names.length === 0
      ? []
      : [`${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} ${deed}`];
  };
  return [...said(true, 'typing'), ...said(false, 'viewing')].join('; ');
}
