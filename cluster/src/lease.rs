//! A node's own lease: how one life of a node gets it, keeps it and leaves it.
//!
//! A pure machine. It is polled with the time, hands out one request at a time, and is told how
//! that ended. While it runs it answers one question: until when may this node act as an owner?

use std::sync::Arc;

use crate::rows::{LeaseRow, LeaseState, LeaseVersion, Life, Outcome, Unreadable};
use crate::rules::{Rule, Rules};
use crate::time::{Moment, Times};

/// What the machine wants done, one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Read this node's row, serially; answer with [`Lease::read`].
    Read,
    /// Write this node's row; answer with [`Lease::swapped`].
    Swap {
        /// What must stand there; `None` for no row.
        expect: Option<LeaseVersion>,
        /// What to write.
        row: LeaseRow,
    },
}

/// The lease of one life of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    life: Life,
    address: Arc<str>,
    weight: u8,
    times: Times,
    rules: Rules,
    phase: Phase,
    /// When the request under way was handed out, and what it writes.
    asked: Option<(Moment, Option<LeaseState>)>,
    /// Not before this is the next request due.
    due_at: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// The row is another life's, or nobody's.
    Joining(Joining),
    /// The row is this life's.
    In(In),
    /// This life is over.
    Out(End),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Joining {
    /// What stands in the row and since when, as far as seen.
    stands: Option<(Option<LeaseVersion>, Moment)>,
    /// Whether it may be written over now.
    is_free: bool,
    /// When the first attempt to write the row was sent.
    tried_at: Option<Moment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct In {
    beat: u64,
    trusted_until: Moment,
    /// When the first attempt to write the next beat was sent, while its outcome is unknown.
    tried_at: Option<Moment>,
    /// Whether to read the row before the next attempt.
    is_unsure: bool,
    wish: LeaseState,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// It gave its lease back.
    Released,
    /// Another took it. The process may begin a new life, with a new boot and nothing kept.
    Lost,
}

impl Lease {
    /// A life that wants its node's row. `boot` must be new.
    #[must_use]
    pub fn join(life: Life, address: Arc<str>, weight: u8, times: Times, rules: Rules) -> Self {
        Self {
            life,
            address,
            weight,
            times,
            rules,
            phase: Phase::Joining(Joining::default()),
            asked: None,
            due_at: Moment::default(),
        }
    }

    /// Whose it is.
    #[must_use]
    pub const fn life(&self) -> &Life {
        &self.life
    }

    /// Until when this life may act as an owner; `None` when it may not at all.
    #[must_use]
    pub const fn trusted_until(&self) -> Option<Moment> {
        match &self.phase {
            Phase::In(lease) if !matches!(lease.wish, LeaseState::Released) => {
                Some(lease.trusted_until)
            }
            Phase::In(_) | Phase::Joining(_) | Phase::Out(_) => None,
        }
    }

    /// Whether this life may act as an owner at that moment.
    #[must_use]
    pub fn is_trusted(&self, now: Moment) -> bool {
        self.trusted_until().is_some_and(|until| now < until)
    }

    /// How this life ended, if it did.
    #[must_use]
    pub const fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Out(end) => Some(end),
            Phase::Joining(_) | Phase::In(_) => None,
        }
    }

    /// Says to others that this node gives its shards away.
    pub fn drain(&mut self) {
        if let Phase::In(lease) = &mut self.phase
            && lease.wish == LeaseState::Up
        {
            lease.wish = LeaseState::Draining;
            self.due_at = Moment::default();
        }
    }

    /// Gives the lease back, after every shard was. It is trusted no more from here on.
    pub fn release(&mut self) {
        match &mut self.phase {
            Phase::In(lease) => {
                lease.wish = LeaseState::Released;
                self.due_at = Moment::default();
            }
            Phase::Joining(_) => self.phase = Phase::Out(End::Released),
            Phase::Out(_) => {}
        }
    }

    /// When to poll next; `None` while a request is under way and after the end.
    #[must_use]
    pub const fn wakes_at(&self) -> Option<Moment> {
        match (&self.phase, self.asked) {
            (Phase::Out(_), _) | (_, Some(_)) => None,
            (Phase::Joining(_) | Phase::In(_), None) => Some(self.due_at),
        }
    }

    /// The request that is due. It must be sent at once, and answered exactly once.
    pub fn poll(&mut self, now: Moment) -> Option<Ask> {
        if now < self.wakes_at()? {
            return None;
        }
        let mine = |beat, state| LeaseRow {
            boot: self.life.boot,
            beat,
            state,
            address: Arc::clone(&self.address),
            weight: self.weight,
        };
        let ask = match &mut self.phase {
            Phase::Out(_) => return None,
            Phase::Joining(Joining { stands: Some((expect, _)), is_free: true, tried_at }) => {
                tried_at.get_or_insert(now);
                let beat = expect.map_or(1, |version| version.beat.saturating_add(1));
                Ask::Swap { expect: *expect, row: mine(beat, LeaseState::Up) }
            }
            Phase::Joining(_) => Ask::Read,
            Phase::In(lease) if lease.is_unsure => Ask::Read,
            Phase::In(lease) => {
                lease.tried_at.get_or_insert(now);
                let expect = LeaseVersion { boot: self.life.boot, beat: lease.beat };
                let row = mine(lease.beat.saturating_add(1), lease.wish);
                Ask::Swap { expect: Some(expect), row }
            }
        };
        let writes = match &ask {
            Ask::Read => None,
            Ask::Swap { row, .. } => Some(row.state),
        };
        self.asked = Some((now, writes));
        Some(ask)
    }

    /// What a read found.
    pub fn read(&mut self, now: Moment, found: Result<Option<LeaseRow>, Unreadable>) {
        if self.asked.take().is_none() {
            return;
        }
        match found {
            Ok(row) => self.see(now, row.as_ref()),
            Err(Unreadable) => self.due_at = now.after(self.times.renew_every() / 4),
        }
    }

    /// How a write ended.
    pub fn swapped(&mut self, now: Moment, outcome: Outcome<LeaseRow>) {
        let Some((sent_at, Some(state))) = self.asked.take() else { return };
        match outcome {
            Outcome::Applied if state == LeaseState::Released => {
                self.phase = Phase::Out(End::Released);
            }
            Outcome::Applied => self.renewed(now, sent_at, state),
            Outcome::Refused(row) => self.see(now, row.as_ref()),
            Outcome::Unknown => {
                self.due_at = sent_at.after(self.times.renew_every() / 4).max(now);
                match &mut self.phase {
                    Phase::Joining(joining) => joining.is_free = false,
                    Phase::In(lease) => lease.is_unsure = true,
                    Phase::Out(_) => {}
                }
            }
        }
    }

    /// Until when a beat is trusted that was sent then and is known of now.
    fn trust(&self, sent_at: Moment, now: Moment) -> Moment {
        let from = if self.rules.keeps(Rule::TrustFromSending) { sent_at } else { now };
        from.after(self.times.trust_for())
    }

    /// The next beat of this life is in the row, with that state; it was sent no earlier than
    /// `sent_at`.
    fn renewed(&mut self, now: Moment, sent_at: Moment, state: LeaseState) {
        let trusted_until = self.trust(sent_at, now);
        self.due_at = sent_at.after(self.times.renew_every());
        match &mut self.phase {
            Phase::Joining(Joining { stands, .. }) => {
                let before = (*stands).and_then(|(version, _)| version);
                let beat = before.map_or(1, |version| version.beat.saturating_add(1));
                self.phase = Phase::In(In::at(beat, trusted_until));
            }
            Phase::In(lease) => {
                if lease.wish != state {
                    // Decided while this was on its way: others wait to see it.
                    self.due_at = now;
                }
                *lease =
                    In { wish: lease.wish, ..In::at(lease.beat.saturating_add(1), trusted_until) };
            }
            Phase::Out(_) => {}
        }
    }

    /// The row as it is. A write of unknown outcome may show in it.
    fn see(&mut self, now: Moment, row: Option<&LeaseRow>) {
        let mine = row.filter(|row| row.boot == self.life.boot);
        // A write that shows was sent no earlier than its first attempt.
        let tried_at = match &self.phase {
            Phase::Joining(joining) => joining.tried_at,
            Phase::In(lease) => lease.tried_at,
            Phase::Out(_) => None,
        };
        let until = self.trust(tried_at.unwrap_or_default(), now);
        match (&mut self.phase, mine) {
            (Phase::Out(_), _) => {}
            (Phase::Joining(joining), None) => {
                let version = row.map(LeaseRow::version);
                let since = match joining.stands {
                    Some((stood, since)) if stood == version => since,
                    _ => now,
                };
                joining.stands = Some((version, since));
                // An earlier life may still run: it is waited for as anybody else is.
                joining.is_free = row.is_none_or(|row| row.state.is_over())
                    || now.since(since) >= self.times.watch_for();
                let pause = if joining.is_free { None } else { Some(self.times.renew_every() / 4) };
                self.due_at = now.after(pause.unwrap_or_default());
            }
            (Phase::Joining(_), Some(row)) if row.state == LeaseState::Up => {
                self.due_at = now;
                self.phase = Phase::In(In::at(row.beat, until));
            }
            (Phase::In(lease), Some(row)) if !row.state.is_over() => {
                lease.is_unsure = false;
                if row.beat > lease.beat {
                    // The attempt whose outcome was unknown is in.
                    lease.tried_at = None;
                    lease.beat = row.beat;
                    lease.trusted_until = lease.trusted_until.max(until);
                }
                self.due_at = now;
            }
            (Phase::In(lease), Some(row))
                if row.state == LeaseState::Released && lease.wish == LeaseState::Released =>
            {
                self.phase = Phase::Out(End::Released);
            }
            (Phase::In(_) | Phase::Joining(_), _) => self.phase = Phase::Out(End::Lost),
        }
    }
}

impl In {
    const fn at(beat: u64, trusted_until: Moment) -> Self {
        Self { beat, trusted_until, tried_at: None, is_unsure: false, wish: LeaseState::Up }
    }
}

#[cfg(test)]
mod tests;
