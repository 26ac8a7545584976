//! The promises as predicates over values, numbered as in ARCHITECTURE. Unit, property and fault
//! tests call them on what they recorded; a running server calls the cheap ones and counts what
//! they find under the promise's name.
//!
//! A predicate answers `Ok` for what keeps the promise. None of them panics.

use std::collections::{BTreeMap, BTreeSet};

use crate::conversation::{
    AssignedBy, Body, Conversation, Event, Ordinals, SendKey, Stream, TransferTarget,
};
use crate::ids::{ConversationId, DeviceId, EventId, Seq, TenantId, Timestamp};
use crate::limit::{DEVICES_KEPT_MAX, PREVIEW_CHARS_MAX, SENDS_KEPT_MAX, TAGS_MAX};
use crate::person::{AgentRef, Principal};

/// A promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// P1: what was acked is stored.
    DurableAck,
    /// P2: one dense order per stream.
    OneOrder,
    /// P3: a key is stored once.
    SafeRetry,
    /// P4: what was refused is not stored.
    UnknownOutcome,
    /// P5: live in order, once, and durable before.
    LiveDelivery,
    /// P6: one owner at a time.
    OneOwner,
    /// P7: everything has a bound.
    Bounded,
    /// P8: state comes from the log alone.
    Contained,
    /// P9: an orderly end in time.
    Drain,
    /// P10: tenants never touch.
    Tenants,
    /// P11: no agent above capacity, no conversation taken twice.
    Capacity,
    /// P12: counts follow from positions.
    DerivedCounts,
    /// P13: visitors learn nothing of the internal stream.
    NotesInside,
}

impl Promise {
    /// Its name in documents and on counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DurableAck => "P1",
            Self::OneOrder => "P2",
            Self::SafeRetry => "P3",
            Self::UnknownOutcome => "P4",
            Self::LiveDelivery => "P5",
            Self::OneOwner => "P6",
            Self::Bounded => "P7",
            Self::Contained => "P8",
            Self::Drain => "P9",
            Self::Tenants => "P10",
            Self::Capacity => "P11",
            Self::DerivedCounts => "P12",
            Self::NotesInside => "P13",
        }
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is broken: {what}", promise.name())]
pub struct Violation {
    /// Which promise.
    pub promise: Promise,
    /// What breaks it: positions and counts, never content.
    pub what: String,
}

/// Whether the promise is kept.
pub type Verdict = Result<(), Violation>;

/// One keyed request of a client, and what it heard. A retry is another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who asked.
    pub principal: Principal,
    /// Under which key.
    pub key: SendKey,
    /// What came back.
    pub outcome: Outcome,
}

/// What a client heard of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, here.
    Acked {
        /// The stream.
        stream: Stream,
        /// The position.
        seq: Seq,
        /// The id of the event.
        id: EventId,
    },
    /// It is not stored.
    Refused,
    /// Nothing was heard.
    Unknown,
}

/// P1. Every acked attempt is in `log`, at the place and with the id that the ack named.
pub fn p1_durable_ack(log: &[Event], attempts: &[Attempt]) -> Verdict {
    let stored: BTreeMap<_, _> =
        log.iter().map(|event| ((event.stream, event.seq), event)).collect();
    for attempt in attempts {
        let Outcome::Acked { stream, seq, id } = attempt.outcome else { continue };
        let Some(event) = stored.get(&(stream, seq)) else {
            return broken(Promise::DurableAck, format!("acked {stream:?} {seq} is not stored"));
        };
        let key = (event.from.principal, event.key);
        if event.id != id || key != (attempt.principal, Some(attempt.key)) {
            let what = format!("acked {stream:?} {seq} holds another event");
            return broken(Promise::DurableAck, what);
        }
    }
    Ok(())
}

/// P2. `log`, a whole history in the order of writing, has dense positions from 1 in each stream,
/// begins with `created`, names the public head each event was written at, never goes back in
/// time and never uses an id twice.
pub fn p2_one_order(log: &[Event]) -> Verdict {
    let mut heads = (Seq(0), Seq(0));
    let mut at = Timestamp(i64::MIN);
    let mut ids = BTreeSet::new();
    for event in log {
        let Event { stream, seq, .. } = *event;
        let head = match stream {
            Stream::Public => &mut heads.0,
            Stream::Internal => &mut heads.1,
        };
        if seq != head.next() {
            let what = format!("{stream:?} {seq} follows {head}");
            return broken(Promise::OneOrder, what);
        }
        *head = seq;
        if event.public_head != heads.0 {
            let what = format!("{stream:?} {seq} names public head {}", event.public_head);
            return broken(Promise::OneOrder, what);
        }
        let begins = heads == (Seq(1), Seq(0));
        if begins != matches!(event.body, Body::Created(_)) {
            return broken(Promise::OneOrder, format!("{} at {stream:?} {seq}", event.body.kind()));
        }
        if event.at < at {
            return broken(Promise::OneOrder, format!("{stream:?} {seq} is before its past"));
        }
        at = event.at;
        if !ids.insert(event.id) {
            return broken(Promise::OneOrder, format!("{stream:?} {seq} has a used id"));
        }
    }
    Ok(())
}

/// P2. What a reader saw of a stream is what `log` holds there: nothing changed, nothing between.
pub fn p2_same_for_all(log: &[Event], seen: &[Event]) -> Verdict {
    let stored: BTreeMap<_, _> =
        log.iter().map(|event| ((event.stream, event.seq), event)).collect();
    for event in seen {
        let Event { stream, seq, .. } = *event;
        if stored.get(&(stream, seq)).is_none_or(|stored| *stored != event) {
            return broken(Promise::OneOrder, format!("a reader saw another {stream:?} {seq}"));
        }
    }
    Ok(())
}

/// P3. No key is stored twice, and the numbers of each outbox are dense from 1.
pub fn p3_safe_retry(log: &[Event]) -> Verdict {
    let mut last_n = BTreeMap::new();
    for event in log {
        let Some(key) = event.key else { continue };
        let last_n = last_n.entry((event.from.principal, key.device)).or_insert(0);
        if key.n != *last_n + 1 {
            let Event { stream, seq, .. } = *event;
            let what = format!("{stream:?} {seq} has number {} after {last_n}", key.n);
            return broken(Promise::SafeRetry, what);
        }
        *last_n = key.n;
    }
    Ok(())
}

/// P4. A keyed event of `log` was acked, or nothing was heard of it: no event stems from requests
/// that were all refused, and none from nobody.
pub fn p4_unknown_outcome(log: &[Event], attempts: &[Attempt]) -> Verdict {
    let possible: BTreeSet<_> = attempts
        .iter()
        .filter(|attempt| attempt.outcome != Outcome::Refused)
        .map(|attempt| named(attempt.principal, attempt.key))
        .collect();
    for event in log {
        let Event { stream, seq, .. } = *event;
        if event.key.is_some_and(|key| !possible.contains(&named(event.from.principal, key))) {
            return broken(Promise::UnknownOutcome, format!("{stream:?} {seq} was refused"));
        }
    }
    Ok(())
}

/// A key and whose it is, in an order.
fn named(principal: Principal, key: SendKey) -> (Principal, DeviceId, u64, u64) {
    (principal, key.device, key.n, key.digest)
}

/// P5. What a connection heard of one stream after `after`: every position in turn, once, and
/// nothing beyond `durable`, the head that was durable when it heard the last of them.
pub fn p5_live_delivery(after: Seq, heard: &[Seq], durable: Seq) -> Verdict {
    let mut last = after;
    for seq in heard {
        if *seq != last.next() {
            return broken(Promise::LiveDelivery, format!("heard {seq} after {last}"));
        }
        last = *seq;
    }
    if !heard.is_empty() && last > durable {
        return broken(Promise::LiveDelivery, format!("heard {last}, durable is {durable}"));
    }
    Ok(())
}

/// P6. The epochs under which the rows of one stream were written, by rising position, never fall.
pub fn p6_one_owner(epochs: &[u64]) -> Verdict {
    match epochs.windows(2).position(|pair| pair[1] < pair[0]) {
        None => Ok(()),
        Some(idx) => {
            let what = format!("epoch {} after {}", epochs[idx + 1], epochs[idx]);
            broken(Promise::OneOwner, what)
        }
    }
}

/// P7. A queue's load is within its bounds.
pub fn p7_bounded(load: Load, bound: Load) -> Verdict {
    if load.n_items > bound.n_items || load.n_bytes > bound.n_bytes {
        return broken(Promise::Bounded, format!("{load:?} is over {bound:?}"));
    }
    Ok(())
}

/// What a queue holds, or may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// How many items.
    pub n_items: usize,
    /// How many bytes they take.
    pub n_bytes: usize,
}

/// P7. The parts of a state that could grow with what people do are within their limits.
pub fn p7_bounded_state(state: &Conversation) -> Verdict {
    let n_sends_max =
        state.dedupe.devices.iter().map(|device| device.recent.len()).max().unwrap_or(0);
    let n_chars = state.last.as_ref().map_or(0, |last| last.text.chars().count());
    for (what, n, max) in [
        ("devices", state.dedupe.devices.len(), DEVICES_KEPT_MAX),
        ("sends of a device", n_sends_max, SENDS_KEPT_MAX),
        ("characters of the preview", n_chars, PREVIEW_CHARS_MAX),
        ("tags", state.tags.len(), TAGS_MAX),
    ] {
        if n > max {
            return broken(Promise::Bounded, format!("{n} {what}, at most {max}"));
        }
    }
    Ok(())
}

/// P8. `state` is what `log` says, so an actor that starts again from the log goes on where the
/// one before it was. (A look-up may have reminded `state` of devices; compare before that.)
pub fn p8_contained(id: ConversationId, state: &Conversation, log: &[Event]) -> Verdict {
    match Conversation::fold(id, log) {
        Ok(Some(folded)) if folded == *state => Ok(()),
        Ok(Some(_)) => broken(Promise::Contained, "the log says another state".into()),
        Ok(None) => broken(Promise::Contained, "a state without a log".into()),
        Err(error) => broken(Promise::Contained, error.to_string()),
    }
}

/// P9. A drain that began and ended at these times was short enough.
pub fn p9_drain(began: Timestamp, ended: Timestamp) -> Verdict {
    let took_ms = ended.ms_since(began);
    if took_ms > crate::limit::DRAIN_MS {
        return broken(Promise::Drain, format!("it took {took_ms} ms"));
    }
    Ok(())
}

/// P10. A caller of one tenant touches things of that tenant alone.
pub fn p10_tenants(caller: &TenantId, touched: &TenantId) -> Verdict {
    if caller != touched {
        return broken(Promise::Tenants, format!("{caller} touched {touched}"));
    }
    Ok(())
}

/// P11. A slot was given by accept or routing while this many of `max` were taken before.
pub fn p11_capacity(n_taken_before: usize, max: usize) -> Verdict {
    if n_taken_before >= max {
        return broken(Promise::Capacity, format!("{n_taken_before} of {max} slots were taken"));
    }
    Ok(())
}

/// P11. In a whole history, accept and routing only took what nobody owned, and every change of
/// hands names the one who had it.
pub fn p11_one_wins(log: &[Event]) -> Verdict {
    let mut hands = Hands::default();
    for event in log {
        let owner = hands.owner.as_ref().map(|agent| agent.id);
        if let Body::Assigned { by, .. } = event.body
            && owner.is_some()
            && by != AssignedBy::Assign
        {
            let what = format!("{by:?} at {} took an owned one", event.seq);
            return broken(Promise::Capacity, what);
        }
        let named = if let Body::Assigned { previous, .. } | Body::Transferred { previous, .. } =
            &event.body
        {
            previous.as_ref().map(|agent| agent.id)
        } else if let Body::Unassigned { agent } = &event.body {
            Some(agent.id)
        } else {
            owner
        };
        if named != owner {
            let what = format!("{} at {} names another owner", event.body.kind(), event.seq);
            return broken(Promise::Capacity, what);
        }
        hands.pass(&event.body);
    }
    Ok(())
}

/// Who has a conversation, followed independently of the state machine.
#[derive(Default)]
struct Hands {
    owner: Option<AgentRef>,
    /// To whom it goes back if the transfer is refused.
    back: Option<AgentRef>,
}

impl Hands {
    fn pass(&mut self, body: &Body) {
        if let Body::Assigned { agent, .. } = body {
            (self.owner, self.back) = (Some(agent.clone()), None);
        } else if let Body::Transferred { to: TransferTarget::Agent(agent), previous } = body {
            (self.owner, self.back) = (Some(agent.clone()), previous.clone());
        } else if matches!(body, Body::TransferRefused) {
            self.owner = self.back.take();
        } else if matches!(
            body,
            Body::Unassigned { .. }
                | Body::Transferred { .. }
                | Body::Closed { .. }
                | Body::Reopened
                | Body::Archived
        ) {
            (self.owner, self.back) = (None, None);
        }
    }
}

/// P12. The running counts of a whole history are the counts of its messages.
pub fn p12_derived_counts(log: &[Event]) -> Verdict {
    let mut counted = Ordinals::default();
    for event in log {
        if event.stream == Stream::Public && matches!(event.body, Body::Message { .. }) {
            counted = counted.with_one_by(event.from.principal.side());
        }
        if event.ordinals != counted {
            let Event { stream, seq, ordinals, .. } = event;
            let what = format!("{stream:?} {seq} says {ordinals:?}, counted {counted:?}");
            return broken(Promise::DerivedCounts, what);
        }
    }
    Ok(())
}

/// P13. Every kind of event is in a stream where it may be: what agents alone see is never public.
pub fn p13_notes_inside(log: &[Event]) -> Verdict {
    for event in log {
        let Event { stream, seq, .. } = *event;
        if !may_be_in(&event.body, stream) {
            let what = format!("{} at {stream:?} {seq}", event.body.kind());
            return broken(Promise::NotesInside, what);
        }
    }
    Ok(())
}

/// P13. What a visitor was sent: nothing internal, and no position left out that an internal event
/// could stand for.
pub fn p13_visitor_sees(sent: &[Event]) -> Verdict {
    if let Some(event) = sent.iter().find(|event| event.stream == Stream::Internal) {
        return broken(Promise::NotesInside, format!("internal {} was sent", event.seq));
    }
    match sent.windows(2).find(|pair| pair[1].seq != pair[0].seq.next()) {
        None => p13_notes_inside(sent),
        Some(pair) => {
            let what = format!("{} follows {}", pair[1].seq, pair[0].seq);
            broken(Promise::NotesInside, what)
        }
    }
}

/// Whether an event of this kind may be in that stream.
#[must_use]
pub const fn may_be_in(body: &Body, stream: Stream) -> bool {
    match body {
        Body::Edited { .. } | Body::Redacted { .. } => true,
        Body::Created(_)
        | Body::Message { .. }
        | Body::Assigned { .. }
        | Body::Unassigned { .. }
        | Body::Transferred { .. }
        | Body::TransferRefused
        | Body::WentOffline
        | Body::AgentAvailable { .. }
        | Body::VisitorLeft
        | Body::VisitorReturned
        | Body::Closed { .. }
        | Body::Reopened
        | Body::Archived
        | Body::Rated(_) => matches!(stream, Stream::Public),
        Body::Note { .. }
        | Body::Whisper { .. }
        | Body::Tagged { .. }
        | Body::Prioritised { .. }
        | Body::DepartmentChanged { .. }
        | Body::Ticketed { .. }
        | Body::ContactMerged { .. }
        | Body::Watched => matches!(stream, Stream::Internal),
    }
}

/// All predicates that speak of a whole history.
///
/// # Errors
///
/// The first promise that is broken.
pub fn whole_history(log: &[Event]) -> Verdict {
    p2_one_order(log)?;
    p3_safe_retry(log)?;
    p11_one_wins(log)?;
    p12_derived_counts(log)?;
    p13_notes_inside(log)
}

fn broken(promise: Promise, what: String) -> Verdict {
    Err(Violation { promise, what })
}

#[cfg(test)]
mod tests;
