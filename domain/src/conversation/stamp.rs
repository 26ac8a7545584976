//! Stamping: drafts get their places in the log.

use super::decide::Draft;
use super::event::{Body, Event, Ordinals, SendKey, Stream};
use super::state::{Conversation, Heads};
use crate::ids::{EventId, Timestamp};

/// Gives `drafts` their positions, time, ids and running counts, right after `state` (`None`: at
/// the very beginning).
///
/// Positions are dense per stream (P2), `at` is `now` but never before an earlier event's, and the
/// first event carries `key`: `decide` answers at least one draft for what is stored, the first by
/// the caller.
pub fn stamp(
    state: Option<&Conversation>,
    drafts: Vec<Draft>,
    key: Option<SendKey>,
    now: Timestamp,
    mut next_id: impl FnMut() -> EventId,
) -> Vec<Event> {
    let mut heads = state.map_or(Heads::default(), |state| state.heads);
    let mut ordinals = state.map_or(Ordinals::default(), |state| state.ordinals);
    let at = state.map_or(now, |state| now.max(state.last_at));
    let mut key = key;
    let mut events = Vec::with_capacity(drafts.len());
    for Draft { stream, body, from } in drafts {
        heads.advance(stream);
        if stream == Stream::Public && matches!(body, Body::Message { .. }) {
            ordinals = ordinals.with_one_by(from.principal.side());
        }
        events.push(Event {
            stream,
            seq: heads.of(stream),
            public_head: heads.public,
            id: next_id(),
            at,
            from,
            key: key.take(),
            ordinals,
            body,
        });
    }
    events
}
