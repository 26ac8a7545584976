//! The owner of a log that was taken over: gives seqs, and says when an append may be
//! acknowledged.
//!
//! A pure machine. The rows of an append are written at quorum under this owner's epoch, without
//! a condition. An append is acknowledged when it and all before it are durable and the lease,
//! asked **after** that, is still trusted: then every later owner's read finds it. A write with
//! unknown outcome is sent again as the same rows until it succeeds or the lease ends; its seqs
//! are never given to anything else.

use std::collections::VecDeque;

use super::takeover::{Ask, Taken, Warm};
use super::{At, Head, Heads, LogEpoch, Row, Span};
use crate::rows::Outcome;
use crate::rules::{Rule, Rules};

/// Appends that may wait for their rows at the same time. More are refused.
pub const PENDING_MAX: usize = 64;

/// Names an append while it is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The owner's side of one log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writer<K, E> {
    head: Head,
    /// With all that is pending.
    given: Heads,
    /// Up to where everything was acknowledged or adopted.
    acked: Heads,
    pending: VecDeque<Pending<K, E>>,
    tickets: u64,
    state: State,
    rules: Rules,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pending<K, E> {
    ticket: Ticket,
    key: Option<K>,
    span: Span,
    rows: Vec<Row<E>>,
    is_durable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    /// Takes appends.
    Open,
    /// Takes none; what is pending is being settled.
    Sealed,
    /// Acknowledges nothing more.
    Ended,
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Appending<E> {
    /// Write these rows at quorum and tell [`Writer::stored`].
    Write(Ticket, Vec<Row<E>>),
    /// The same key is pending already: answer when that is acknowledged.
    Waits(Ticket),
    /// Not now: too much is pending, or this owner takes no more.
    Refused,
}

/// An append that may be told to everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acked<K, E> {
    /// Which.
    pub ticket: Ticket,
    /// The key under which a retry finds it.
    pub key: Option<K>,
    /// Its rows, in order.
    pub rows: Vec<Row<E>>,
}

/// This owner is one no longer. Nothing more is acknowledged; the log is to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log is owned no longer")]
pub struct Ended;

/// Up to where a history may be read, and whose rows count there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bound {
    /// The owner that vouches.
    pub epoch: LogEpoch,
    /// The first seqs that are its.
    pub start: Heads,
    /// Up to where every row is settled.
    pub heads: Heads,
}

impl<K: Clone + Eq, E: Clone> Writer<K, E> {
    /// Serves a log that was taken over.
    #[must_use]
    pub const fn open(taken: &Taken<E>, rules: Rules) -> Self {
        Self {
            head: taken.head,
            given: taken.heads,
            acked: taken.heads,
            pending: VecDeque::new(),
            tickets: 0,
            state: State::Open,
            rules,
        }
    }

    /// The head that it serves under.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Whether it takes appends.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// The append under that key, while it is pending. What was acknowledged the caller knows.
    #[must_use]
    pub fn pending(&self, key: &K) -> Option<Ticket> {
        let mut pending = self.pending.iter();
        pending.find(|append| append.key.as_ref() == Some(key)).map(|append| append.ticket)
    }

    /// The appends whose rows are not known to be durable, and the rows.
    pub fn awaited(&self) -> impl Iterator<Item = (Ticket, &[Row<E>])> {
        let awaited = self.pending.iter().filter(|append| !append.is_durable);
        awaited.map(|append| (append.ticket, append.rows.as_slice()))
    }

    /// Gives seqs to entries, each with its stream, which are to be stored together. `stamp` is
    /// the writer's time, kept with every row.
    pub fn append(&mut self, key: Option<K>, entries: Vec<(u8, E)>, stamp: u64) -> Appending<E> {
        if let Some(ticket) = key.as_ref().and_then(|key| self.pending(key)) {
            return Appending::Waits(ticket);
        }
        if self.state != State::Open || self.pending.len() >= PENDING_MAX {
            return Appending::Refused;
        }
        let after = self.given;
        let mut upto = after;
        let mut rows = Vec::with_capacity(entries.len());
        for (stream, entry) in entries {
            let Some(head) = upto.0.get_mut(usize::from(stream)) else {
                return Appending::Refused;
            };
            *head = head.saturating_add(1);
            let at = At { stream, seq: *head };
            // The span is not known before the last of them.
            let span = Span { after, upto: after };
            rows.push(Row { at, epoch: self.head.epoch, span, stamp, entry });
        }
        let span = Span { after, upto };
        for row in &mut rows {
            row.span = span;
        }
        self.given = upto;
        self.tickets = self.tickets.saturating_add(1);
        let ticket = Ticket(self.tickets);
        let pending = Pending { ticket, key, span, rows: rows.clone(), is_durable: false };
        self.pending.push_back(pending);
        Appending::Write(ticket, rows)
    }

    /// The rows of an append are durable at quorum.
    pub fn stored(&mut self, ticket: Ticket) {
        let mut pending = self.pending.iter_mut();
        if let Some(append) = pending.find(|append| append.ticket == ticket) {
            append.is_durable = true;
        }
    }

    /// Nobody knows whether the rows of an append are stored: write these, the same, again.
    /// `None` when there is nothing to write any more.
    #[must_use]
    pub fn unknown(&mut self, ticket: Ticket) -> Option<Vec<Row<E>>> {
        if self.state == State::Ended {
            return None;
        }
        if !self.rules.keeps(Rule::SeqNeverReused) {
            self.withdraw(ticket);
            return None;
        }
        let append = self.pending.iter().find(|append| append.ticket == ticket)?;
        (!append.is_durable).then(|| append.rows.clone())
    }

    /// The rows of an append never left this node, so that its seqs may be given again. Only the
    /// newest can be taken back; otherwise its rows are to be written again.
    pub fn withdraw(&mut self, ticket: Ticket) -> bool {
        let newest = self.pending.back().is_some_and(|append| append.ticket == ticket);
        if newest && let Some(append) = self.pending.pop_back() {
            self.given = append.span.after;
        }
        newest
    }

    /// Whether anything waits to be acknowledged.
    #[must_use]
    pub fn has_durable(&self) -> bool {
        self.durable() > 0
    }

    fn durable(&self) -> usize {
        let durable = self.pending.iter().take_while(|append| append.is_durable).count();
        if durable == 0 && !self.rules.keeps(Rule::LowerFirst) {
            return usize::from(self.pending.iter().any(|append| append.is_durable));
        }
        durable
    }

    /// What may be acknowledged and told, in order. `holds` is asked at this moment, after the
    /// rows became durable: whether the shard is still this node's under the head's epoch.
    ///
    /// # Errors
    /// [`Ended`] when it is not; then nothing is acknowledged any more, now or later.
    pub fn acknowledge(&mut self, holds: impl FnOnce() -> bool) -> Result<Vec<Acked<K, E>>, Ended> {
        if self.state == State::Ended {
            return Err(Ended);
        }
        let durable = self.durable();
        if durable == 0 {
            return Ok(Vec::new());
        }
        if self.rules.keeps(Rule::CheckAfterWrite) && !holds() {
            self.state = State::Ended;
            return Err(Ended);
        }
        let first = self.pending.iter().position(|append| append.is_durable).unwrap_or_default();
        let acked: Vec<_> = self.pending.drain(first..first.saturating_add(durable)).collect();
        if let Some(last) = acked.last() {
            self.acked = last.span.upto;
        }
        let told = |Pending { ticket, key, rows, .. }| Acked { ticket, key, rows };
        Ok(acked.into_iter().map(told).collect())
    }

    /// Up to where a history may be read. `holds` as for [`Self::acknowledge`]; `None` when this
    /// owner cannot vouch.
    pub fn vouch(&self, holds: impl FnOnce() -> bool) -> Option<Bound> {
        let Head { epoch, start, .. } = self.head;
        (self.state != State::Ended && holds()).then_some(Bound { epoch, start, heads: self.acked })
    }

    /// Takes no more appends, so that everything can be settled.
    pub fn seal(&mut self) {
        if self.state == State::Open {
            self.state = State::Sealed;
        }
    }

    /// Whether it is sealed and everything pending was acknowledged.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state == State::Sealed && self.pending.is_empty()
    }

    /// Puts the log away: the head with the mark, to be written over exactly the head as it is.
    /// However that ends, this owner serves no more; the next life begins with a take-over, which
    /// finds the mark or does not. `None` before everything is settled.
    pub fn mark(&mut self) -> Option<Ask<E>> {
        if !self.is_settled() && self.rules.keeps(Rule::SettleBeforeMark) {
            return None;
        }
        self.state = State::Ended;
        let head = Head { mark: Some(self.given), ..self.head };
        Some(Ask::Swap { expect: Some(self.head), head })
    }

    /// How the mark ended: whether the log is known to be put away clean. If it is not, its
    /// checkpoint is as good as ever, and a take-over reads the tail.
    #[must_use]
    pub const fn marked(outcome: &Outcome<Head>) -> bool {
        matches!(outcome, Outcome::Applied)
    }

    /// Ends, and answers what the next owner of the shard may begin with. To be sent only after
    /// the shard is known to be released. `None` before everything is settled.
    pub fn hand_on(&mut self) -> Option<Warm> {
        if !self.is_settled() && self.rules.keeps(Rule::SettleBeforeHandOff) {
            return None;
        }
        if self.rules.keeps(Rule::HandOffEndsServing) {
            self.state = State::Ended;
        }
        Some(Warm { head: self.head, heads: self.given })
    }
}
