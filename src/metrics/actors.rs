//! What the actors tell: the implementation of their meter.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use switchboard_actors::meter::{Dropped, Kind, Meter, Outcome};

use super::{Catalog, Sizes, Split, Times};

/// Conversations, their actors and what these deliver.
#[derive(Debug)]
pub struct Actors {
    settled: Split<Counter>,
    acked: Times,
    activated: Times,
    began_warm: Counter,
    passivated: Counter,
    quarantined: Counter,
    restarted: Split<Counter>,
    mailboxes: Split<Sizes>,
    dropped: Split<Counter>,
    queued: Sizes,
    queue_waited: Times,
}

impl Actors {
    pub(super) fn new(catalog: &mut Catalog) -> Self {
        Self {
            settled: catalog.split(
                "messages_settled",
                "Requests to conversations that ended, by outcome",
                "outcome",
                OUTCOMES,
            ),
            acked: catalog.times(
                "messages_acked",
                "From a request's arrival to the answer that it is stored",
            ),
            activated: catalog
                .times("conversations_activated", "Loading a conversation into memory"),
            began_warm: catalog.counter(
                "conversations_handed_on",
                "Conversations loaded from what the owner before handed on, without a read of \
                 their log",
            ),
            passivated: catalog
                .counter("conversations_passivated", "Conversations that left memory"),
            quarantined: catalog.counter(
                "conversations_quarantined",
                "Conversations refused for a while after repeated failures",
            ),
            restarted: catalog.split(
                "actors_restarted",
                "Actors that failed and were started again, by kind",
                "kind",
                KINDS,
            ),
            mailboxes: catalog.split_sizes(
                "mailboxes_filled",
                "requests",
                "Requests that waited for an actor when one more came, by kind",
                "kind",
                KINDS,
            ),
            dropped: catalog.split(
                "deliveries_dropped",
                "What was not delivered: ephemeral signs, connections cut as slow, requests \
                 refused at a full mailbox",
                "what",
                &["ephemeral", "slow_connection", "request"],
            ),
            queued: catalog.sizes(
                "queues_filled",
                "conversations",
                "Conversations that waited in a department's queue when that changed",
            ),
            queue_waited: catalog
                .times("queues_waited", "How long a conversation waited for its agent"),
        }
    }
}

const OUTCOMES: &[&str] =
    &["stored", "duplicate", "unchanged", "rejected", "busy", "storage_full", "unknown"];

const KINDS: &[&str] = &["region", "conversation", "checkpoints", "presence", "inbox", "queue"];

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stored => "stored",
        Outcome::Duplicate => "duplicate",
        Outcome::Unchanged => "unchanged",
        Outcome::Rejected => "rejected",
        Outcome::Busy => "busy",
        Outcome::StorageFull => "storage_full",
        Outcome::Unknown => "unknown",
    }
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Region => "region",
        Kind::Conversation => "conversation",
        Kind::Checkpoints => "checkpoints",
        Kind::Presence => "presence",
        Kind::Inbox => "inbox",
        Kind::Queue => "queue",
    }
}

impl Meter for Actors {
    fn request(&self, outcome: Outcome, took: Duration) {
        self.settled.of(outcome_name(outcome)).inc();
        if outcome == Outcome::Stored {
            self.acked.observe(took);
        }
    }

    fn activated(&self, took: Duration) {
        self.activated.observe(took);
    }

    fn began_warm(&self) {
        self.began_warm.inc();
    }

    fn passivated(&self) {
        self.passivated.inc();
    }

    fn restarted(&self, kind: Kind) {
        self.restarted.of(kind_name(kind)).inc();
    }

    fn quarantined(&self) {
        self.quarantined.inc();
    }

    fn mailbox_depth(&self, kind: Kind, depth: usize) {
        self.mailboxes.of(kind_name(kind)).observe(depth);
    }

    fn dropped(&self, what: Dropped) {
        let what = match what {
            Dropped::Ephemeral => "ephemeral",
            Dropped::SlowConnection => "slow_connection",
            Dropped::Request => "request",
        };
        self.dropped.of(what).inc();
    }

    fn queue_depth(&self, depth: usize) {
        self.queued.observe(depth);
    }

    fn queue_wait(&self, waited: Duration) {
        self.queue_waited.observe(waited);
    }
}
