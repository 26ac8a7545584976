/** Which step the visitor is at, and what may go wrong. Pure. */

import type { Settings } from './settings.ts';

/** What goes wrong, as a phrase of the language files. */
export type Trouble =
  | 'connecting'
  | 'reconnecting'
  | 'cannot_begin'
  | 'full'
  | 'gone'
  | 'no_file'
  | 'too_late'
  | 'link_used'
  | 'link_expired';

/** What the visitor can do now. */
export type Stage =
  | 'loading'
  | 'gone'
  | 'identity_required'
  | 'redirect'
  | 'leave'
  | 'prechat'
  | 'write'
  | 'ended';

/** Where somebody is who has no chat yet. */
export interface Newcomer {
  /** The site says who it is, with proof. */
  verified: boolean;
  /** What is asked before the chat is answered. */
  answered: boolean;
  /** Somebody can be expected to answer, and more may wait for that. */
  awaited: boolean;
}

export function stageOf(
  { identity_required, email_required, department_required, prechat, offline }: Settings,
  { verified, answered, awaited }: Newcomer,
): Stage {
  if (identity_required && !verified) return 'identity_required';
  const behavior = awaited ? null : offline?.behavior;
  if (behavior === 'redirect' && offline?.redirect_url) return 'redirect';
  if (behavior === 'form') return 'leave';
  const asks = prechat?.fields.length || department_required || (email_required && !verified);
  return asks && !answered ? 'prechat' : 'write';
}
