/** The frames of `/v1/stream` as JSON, docs/PROTOCOL.md in types. */

export type Stream = 'public' | 'internal';
export type Status = 'waiting' | 'active' | 'closed' | 'archived';
export type Priority = 'low' | 'medium' | 'high' | 'urgent';

export interface Principal {
  kind: 'visitor' | 'agent' | 'bot' | 'system';
  id: string;
  name?: string | null;
}

export interface AgentRef {
  id: string;
  name: string;
  /** Address of a picture. */
  avatar?: string | null;
  /** What the agent is, in words for visitors; on cards and in presence. */
  title?: string | null;
}

/** A conversation as lists show it. */
export interface Card {
  id: string;
  number: number;
  status: Status;
  resolution?: 'none' | 'resolved';
  offline: boolean;
  transferred: boolean;
  subject?: string | null;
  department?: string | null;
  /** Agents only, like skills, tags, department, mail address, internal head and ticket. */
  priority?: Priority;
  skills?: string[];
  tags?: string[];
  /** `verified` when the site vouches for who they are; agents only. */
  visitor: { id: string; name?: string | null; email?: string | null; verified?: boolean };
  agent: AgentRef | null;
  created_at: string;
  last_at: string;
  waiting_since?: string | null;
  log: string;
  head: number;
  internal_head?: number;
  last: {
    from: { kind: Principal['kind']; name?: string | null };
    text: string;
    at: string;
  } | null;
  /** Messages of the other side after the caller's read receipt. */
  unread: number;
  rating: { score: number; comment?: string | null } | null;
  ticket?: number | null;
}

/** Who it is handed to. */
export type TransferTarget = { agent: AgentRef } | { department: string };

interface EventBase {
  seq: number;
  /** On internal events: where they stand among the public ones. */
  public_head?: number;
  id: string;
  at: string;
  from: Principal;
  /** The sending outbox and its number; only on the reader's own events. */
  device?: string;
  n?: number;
}

interface Bodies {
  created: { subject?: string | null; priority?: Priority; department?: string | null };
  message: { text: string; files?: string[] };
  edited: { seq: number; text: string };
  redacted: { seq: number };
  assigned: { agent: AgentRef; by: 'accept' | 'assign' | 'route'; previous?: AgentRef | null };
  unassigned: { agent: AgentRef };
  transferred: { to: TransferTarget; agent?: AgentRef | null };
  transfer_refused: object;
  went_offline: object;
  agent_available: { text: string };
  visitor_left: object;
  visitor_returned: object;
  closed: { resolution: 'none' | 'resolved' };
  reopened: object;
  archived: object;
  rated: { score: number; comment?: string | null };
  note: { text: string; transfer?: boolean };
  whisper: { text: string };
  tagged: { tags: string[] };
  prioritised: { priority: Priority; previous: Priority };
  department: { department: string | null; previous: string | null };
  ticketed: { ticket: number };
  watched: object;
}

export type EventKind = keyof Bodies;

/** An event of a kind we know. Kinds we do not know are carried too and shown by nobody. */
export type Event = {
  [Kind in EventKind]: EventBase & { kind: Kind; body: Bodies[Kind] };
}[EventKind];

/** What can be written; notes and whispers go to the internal stream. */
export type SendKind = 'message' | 'note' | 'whisper';

export const STREAM_OF: Record<SendKind, Stream> = {
  message: 'public',
  note: 'internal',
  whisper: 'internal',
};

export interface ReadyFrame {
  type: 'ready';
  connection: string;
  node?: string;
  principal: Principal;
  ping_ms: number;
  limits: { text_bytes: number; unacked: number };
}

export interface SubscribedFrame {
  type: 'subscribed';
  conversation: string;
  stream?: Stream;
  log: string;
  head: number;
  mode: 'replay' | 'snapshot';
  from: number;
  state?: Card | null;
}

export type EventFrame = Event & { type: 'event'; conversation: string; stream?: Stream };

export interface EventsFrame {
  type: 'events';
  conversation: string;
  stream?: Stream;
  items: (Event & { stream?: Stream })[];
  more: boolean;
}

export interface AckFrame {
  type: 'ack';
  conversation: string;
  n: number;
  seq: number;
  id: string;
  at: string;
  duplicate: boolean;
}

export interface NackFrame {
  type: 'nack';
  conversation: string;
  n: number;
  code: string;
  expect?: number | null;
  retry_after_ms?: number | null;
}

export interface ReceiptFrame {
  type: 'receipt';
  conversation: string;
  by: Principal;
  read: number;
  received: number;
}

export interface TypingFrame {
  type: 'typing';
  conversation: string;
  from: Principal;
  on: boolean;
  preview?: string | null;
}

export interface DoneFrame {
  type: 'done';
  ref: string;
  conversation?: string;
  seq?: number | null;
}

export interface RefusedFrame {
  type: 'refused';
  ref?: string | null;
  re?: 'subscribe' | 'fetch' | 'watch' | null;
  conversation?: string | null;
  stream?: Stream | null;
  code: string;
  by?: AgentRef | null;
}

export type ViewChange = { put: Card } | { drop: string };

export interface ViewFrame {
  type: 'view';
  ref: string;
  version: number;
  total: number;
  snapshot?: Card[] | null;
  changes?: ViewChange[] | null;
}

export interface QueueFrame {
  type: 'queue';
  conversation: string;
  position: number;
  eta_s?: [number, number] | null;
}

export type PresenceStatus = 'online' | 'away' | 'busy' | 'offline';

export interface AgentPresence {
  agent: AgentRef;
  status: PresenceStatus;
  capacity: number;
  active: number;
}

export interface PresenceFrame {
  type: 'presence';
  /** To agents: who is there. */
  agents?: AgentPresence[] | null;
  snapshot?: boolean;
  /** To visitors: whether anybody is there. */
  online?: boolean | null;
}

/** To agents who follow the conversation: who else has it open. */
export interface ViewingFrame {
  type: 'viewing';
  conversation: string;
  agents: AgentRef[];
}

/** A colleague who looks at a conversation, and may type in it. */
export interface Companion {
  agent: AgentRef;
  typing: boolean;
}

/** To agents who watch lists: who is with conversations of these; empty when the last has left. */
export interface CompanyFrame {
  type: 'company';
  items: { conversation: string; agents: Companion[] }[];
}

/** To agents who follow the conversation: where the visitor went, and what they did there. */
export interface PageFrame {
  type: 'page';
  conversation: string;
  url: string;
  title?: string | null;
  /** In the words of the site; absent for looking at it. */
  did?: string | null;
  at: string;
}

export type ServerFrame =
  | ReadyFrame
  | SubscribedFrame
  | EventFrame
  | EventsFrame
  | AckFrame
  | NackFrame
  | ReceiptFrame
  | TypingFrame
  | DoneFrame
  | RefusedFrame
  | ViewFrame
  | QueueFrame
  | PresenceFrame
  | ViewingFrame
  | CompanyFrame
  | PageFrame
  | { type: 'drain'; reconnect_in_ms: number }
  /** To visitors: somebody began a conversation with them. */
  | { type: 'conversation'; conversation: string }
  /** To agents: what they like was changed, here or on another page of theirs. */
  | { type: 'preferences'; version: number }
  /** To agents: what they wrote and did not send was changed, here or on another page of theirs. */
  | { type: 'drafts'; version: number }
  | { type: 'error'; code: string }
  | { type: 'ping' }
  | { type: 'pong' };

/** What a view is a view of. */
export interface ViewQuery {
  status?: 'waiting' | 'active' | 'closed' | 'open';
  department?: string;
  agent?: string;
}

export type ViewSort = 'waiting' | 'recent';

export type ClientFrame =
  | { type: 'hello'; token: string; device: string }
  | {
      type: 'subscribe';
      conversation: string;
      stream?: Stream;
      log: string | null;
      after: number | null;
    }
  | { type: 'unsubscribe'; conversation: string; stream?: Stream }
  | {
      type: 'send';
      conversation: string;
      n: number;
      kind: SendKind;
      body: { text: string };
      if_head?: number;
    }
  | { type: 'received' | 'read'; conversation: string; seq: number }
  | { type: 'viewing'; conversation: string | null }
  | { type: 'typing'; conversation: string; on: boolean; preview?: string }
  | { type: 'page'; url: string; title: string; did?: string }
  | {
      type: 'fetch';
      conversation: string;
      stream?: Stream;
      after?: number;
      before?: number;
      limit: number;
    }
  | { type: 'do'; ref: string; conversation: string; action: string; args: object }
  | { type: 'watch'; ref: string; view: ViewQuery; sort: ViewSort; limit: number }
  | { type: 'unwatch'; ref: string }
  | { type: 'ping' }
  | { type: 'pong' };

/** Reads a frame; `null` for what is no frame. Unknown types pass and fall through every switch. */
export function parseFrame(text: string): ServerFrame | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === 'object' && frame !== null && 'type' in frame
      ? (frame as ServerFrame)
      : null;
  } catch {
    return null;
  }
}
