//! Places in line of visitors who closed the page: kept for a while, then given up.
//!
//! Each node looks after the conversations that it owns. Who was seen listening and listens no more
//! has that long to come back; then the conversation waits on outside the line, where every agent
//! can still take it. Who comes back stands at the end of the line.
//!
//! Whoever never listened, because they ask by request or wrote while nobody was there, has not been
//! seen to leave. A node that begins, or that is given a conversation, has seen nobody yet.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::queue::Waits;
use switchboard_domain::conversation::{Command, Request};
use switchboard_domain::ids::{TenantId, VisitorId};
use switchboard_domain::person::Caller;
use switchboard_store::ConversationKey;
use tokio::time::{Instant, sleep};

use super::doors::Doors;
use crate::phase::{self, Phase};

/// How often is looked who is there, at most and at least.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY_MIN: Duration = Duration::from_millis(100);

/// Watches who waits, until the node drains.
pub async fn watch(doors: Arc<Doors>, kept: Option<Duration>, mut phase: phase::Watch) {
    let every = kept.map_or(LOOK_EVERY_MAX, |kept| kept / 10);
    let every = every.clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX);
    let mut line = Line { kept, seen: HashMap::new() };
    loop {
        tokio::select! {
            () = phase.reached(Phase::Draining) => return,
            () = sleep(every) => {}
        }
        for (waits, command) in line.look(doors.queue.waiting_here(), Instant::now()) {
            carry_out(&doors, &waits, command).await;
        }
    }
}

/// Who was seen in line, and when last.
#[derive(Debug)]
struct Line {
    /// For how long a place is kept; `None` for as long as it takes.
    kept: Option<Duration>,
    seen: HashMap<ConversationKey, Instant>,
}

impl Line {
    /// What is to be done about those who wait.
    fn look(&mut self, waiting: Vec<Waits>, now: Instant) -> Vec<(Waits, Command)> {
        let mut todo = Vec::new();
        let before = std::mem::take(&mut self.seen);
        for waits in waiting {
            let is_in_line = waits.card.waiting_since.is_some();
            let seen = match waits.is_visitor_here {
                true => Some(now),
                false => before.get(&waits.key).copied(),
            };
            // An answer finds whoever left a message while nobody was there.
            let Some(seen) = seen.filter(|_| !waits.card.offline) else { continue };
            self.seen.insert(waits.key.clone(), seen);
            if waits.is_visitor_here && !is_in_line {
                todo.push((waits, Command::ReturnToLine));
            } else if is_in_line && self.kept.is_some_and(|kept| now.duration_since(seen) >= kept) {
                todo.push((waits, Command::LeaveLine));
            }
        }
        todo
    }
}

async fn carry_out(doors: &Doors, waits: &Waits, command: Command) {
    let Waits { key, card, .. } = waits;
    if command == Command::LeaveLine && is_reachable(doors, &key.tenant, card.visitor).await {
        return;
    }
    let request = Request { caller: Caller::SYSTEM, key: None, command };
    // The next look asks again.
    if let Err(refusal) = doors.conversations.ask(key, request).await {
        tracing::debug!(
            tenant = %key.tenant, conversation = %key.conversation, error = %refusal,
            "a place in line was not changed"
        );
    }
}

/// Whether an answer finds a visitor who is gone: an address may have been left while waiting. What
/// cannot be read takes nobody's place.
async fn is_reachable(doors: &Doors, tenant: &TenantId, visitor: VisitorId) -> bool {
    match doors.directory.known_visitor(tenant, visitor).await {
        Ok(known) => known.is_some_and(|known| known.contact.email.is_some()),
        Err(error) => {
            tracing::debug!(%tenant, %error, "a visitor could not be read");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use switchboard_domain::card::Card;
    use switchboard_domain::conversation::Ordinals;
    use switchboard_domain::conversation::{Body, Contact, Conversation, Created, Event, Stream};
    use switchboard_domain::ids::{ConversationId, EventId, LogId, Number, Seq, Timestamp};
    use switchboard_domain::person::Author;
    use uuid::Uuid;

    use super::*;

    const KEPT: Duration = Duration::from_secs(600);
    const MINUTE: Duration = Duration::from_secs(60);

    fn card() -> Card {
        let id = |n| Uuid::from_u128(n);
        let visitor = VisitorId::new(id(1));
        let created =
            Created::by(Contact::anonymous(visitor), LogId::new(id(2)), Number(1_000_000));
        let event = Event {
            stream: Stream::Public,
            seq: Seq(1),
            public_head: Seq(1),
            id: EventId::new(id(3)),
            at: Timestamp(0),
            from: Author::SYSTEM,
            key: None,
            ordinals: Ordinals::default(),
            body: Body::Created(Box::new(created)),
        };
        Card::of(&Conversation::begin(ConversationId::new(id(4)), &event).unwrap())
    }

    fn waits(card: &Card, is_visitor_here: bool) -> Waits {
        let key = ConversationKey { tenant: TenantId("shop".into()), conversation: card.id };
        Waits { key, card: Arc::new(card.clone()), is_visitor_here }
    }

    /// What each look asks for; looks are a minute apart.
    fn looks(kept: Option<Duration>, looks: &[(&Card, bool)]) -> Vec<Option<Command>> {
        let mut line = Line { kept, seen: HashMap::new() };
        let mut now = Instant::now();
        let mut asked = Vec::new();
        for (card, is_here) in looks {
            let todo = line.look(vec![waits(card, *is_here)], now);
            asked.push(todo.into_iter().next().map(|(_, command)| command));
            now += MINUTE;
        }
        asked
    }

    #[test]
    fn a_place_is_given_up_ten_minutes_after_the_last_sight() {
        let here = card();
        let mut seen = vec![(&here, true); 3];
        seen.extend(vec![(&here, false); 9]);
        assert!(looks(Some(KEPT), &seen).iter().all(Option::is_none));
        seen.push((&here, false));
        assert_eq!(looks(Some(KEPT), &seen).pop(), Some(Some(Command::LeaveLine)));
        assert_eq!(looks(None, &seen).pop(), Some(None), "kept for as long as it takes");
        let back: Vec<_> = [&seen[..12], &[(&here, true)], &seen[3..12]].concat();
        assert!(looks(Some(KEPT), &back).iter().all(Option::is_none), "counted anew");
    }

    #[test]
    fn who_was_never_seen_or_left_a_message_has_not_left() {
        let here = card();
        assert!(looks(Some(KEPT), &[(&here, false); 30]).iter().all(Option::is_none));
        let offline = Card { offline: true, ..card() };
        let mut seen = vec![(&offline, true), (&offline, true)];
        seen.extend(vec![(&offline, false); 2]);
        // Somebody came, and the message waits like any other.
        seen.extend(vec![(&here, false); 30]);
        assert!(looks(Some(KEPT), &seen).iter().all(Option::is_none));
    }

    #[test]
    fn who_comes_back_stands_in_line_again() {
        let left = Card { waiting_since: None, ..card() };
        for kept in [Some(KEPT), None] {
            let asked = looks(kept, &[(&left, false), (&left, true)]);
            assert_eq!(asked, [None, Some(Command::ReturnToLine)]);
        }
    }
}
