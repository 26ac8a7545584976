//! Whether an agent is there: what they chose, and whether anything of them is alive.
//!
//! Effective presence = chosen status AND alive; alive = any socket, a grace after the last one
//! closed (a page reload must not look like leaving), or a lease that heartbeats and REST calls
//! renew. A pure machine: all times come from one clock that the caller passes in and that does
//! not run backwards.

use std::collections::BTreeSet;

use crate::ids::Timestamp;
use crate::limit::{PRESENCE_GRACE_MS, PRESENCE_LEASE_MS};

/// A status that an agent chooses, and that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Takes conversations.
    Online,
    /// There, but not at the desk; gets no offers.
    Away,
    /// There, but with hands full; gets no offers.
    Busy,
    /// Not there, or does not want to be.
    Offline,
}

impl Status {
    /// Whether the queue offers and assigns conversations to such an agent. Accepting and
    /// assigning by hand never ask.
    #[must_use]
    pub const fn takes_offers(self) -> bool {
        matches!(self, Self::Online)
    }
}

/// The presence of one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    chosen: Option<Status>,
    connections: BTreeSet<u64>,
    alive_until: Option<Timestamp>,
    /// When the last connection closed or a lease was renewed.
    seen_at: Option<Timestamp>,
}

impl Presence {
    /// Of an agent with nothing alive yet; `chosen` is what was stored of earlier days, `None`
    /// for an agent who never chose and never connected.
    #[must_use]
    pub fn new(chosen: Option<Status>) -> Self {
        Self { chosen, ..Self::default() }
    }

    /// A socket opened. The very first makes an agent who never chose online.
    pub fn connected(&mut self, connection: u64) {
        self.connections.insert(connection);
        self.chosen.get_or_insert(Status::Online);
    }

    /// A socket closed; the last one leaves the grace behind. An unknown one says nothing.
    pub fn disconnected(&mut self, connection: u64, now: Timestamp) {
        if self.connections.remove(&connection) && self.connections.is_empty() {
            self.seen_at = self.seen_at.max(Some(now));
            self.keep_alive_until(now.plus_ms(PRESENCE_GRACE_MS));
        }
    }

    /// A heartbeat, an activity ping or any authenticated call: renews the lease.
    pub fn renewed(&mut self, now: Timestamp) {
        self.seen_at = self.seen_at.max(Some(now));
        self.keep_alive_until(now.plus_ms(PRESENCE_LEASE_MS));
    }

    /// The agent chose a status. Choosing offline stands until another choice.
    pub const fn choose(&mut self, status: Status) {
        self.chosen = Some(status);
    }

    /// The status chosen; offline for an agent who never chose.
    #[must_use]
    pub fn chosen(&self) -> Status {
        self.chosen.unwrap_or(Status::Offline)
    }

    /// Whether anything of the agent is alive.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        !self.connections.is_empty() || self.alive_until.is_some_and(|until| now < until)
    }

    /// The status that others see.
    #[must_use]
    pub fn effective(&self, now: Timestamp) -> Status {
        if self.is_alive(now) { self.chosen() } else { Status::Offline }
    }

    /// When anything of the agent was last alive: now while a socket is open; `None` for an agent
    /// of whom nothing was heard.
    #[must_use]
    pub fn seen_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.connections.is_empty() { self.seen_at } else { Some(now) }
    }

    /// When to look again, because the status falls by time alone; `None` while it cannot.
    #[must_use]
    pub fn falls_at(&self, now: Timestamp) -> Option<Timestamp> {
        let falls = self.connections.is_empty() && self.effective(now) != Status::Offline;
        self.alive_until.filter(|_| falls)
    }

    fn keep_alive_until(&mut self, until: Timestamp) {
        self.alive_until = self.alive_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Connect(u64),
        Disconnect(u64),
        Renew,
        Choose(Status),
        Expect(Status),
        ExpectFall(Option<i64>),
        ExpectSeen(Option<i64>),
    }
    use Status::{Away, Busy, Offline, Online};
    use Step::{Choose, Connect, Disconnect, Expect, ExpectFall, ExpectSeen, Renew};

    fn check(name: &str, chosen: Option<Status>, steps: &[(i64, Step)]) {
        let mut presence = Presence::new(chosen);
        for (second, step) in steps {
            let now = Timestamp(second * 1_000);
            match *step {
                Connect(connection) => presence.connected(connection),
                Disconnect(connection) => presence.disconnected(connection, now),
                Renew => presence.renewed(now),
                Choose(status) => presence.choose(status),
                Expect(status) => assert_eq!(presence.effective(now), status, "{name}: {second} s"),
                ExpectFall(at) => {
                    let at = at.map(|second| Timestamp(second * 1_000));
                    assert_eq!(presence.falls_at(now), at, "{name}: {second} s");
                }
                ExpectSeen(at) => {
                    let at = at.map(|second| Timestamp(second * 1_000));
                    assert_eq!(presence.seen_at(now), at, "{name}: {second} s");
                }
            }
        }
    }

    #[test]
    fn presence_is_the_choice_while_alive() {
        check(
            "the first connection is online",
            None,
            &[
                (0, Expect(Offline)),
                (0, Connect(1)),
                (0, Expect(Online)),
                (9_999, Expect(Online)),
                (9_999, ExpectFall(None)),
            ],
        );
        check(
            "a stored choice outlives connections",
            Some(Busy),
            &[
                (0, Expect(Offline)),
                (1, Connect(1)),
                (1, Expect(Busy)),
                (2, Disconnect(1)),
                (12, Expect(Offline)),
                (13, Connect(2)),
                (13, Expect(Busy)),
            ],
        );
        check(
            "who was here is known by when",
            Some(Online),
            &[
                (0, ExpectSeen(None)),
                (1, Renew),
                (9, ExpectSeen(Some(1))),
                (9, Connect(1)),
                (10, ExpectSeen(Some(10))),
                (20, Disconnect(1)),
                (90, ExpectSeen(Some(20))),
            ],
        );
        check(
            "chosen offline stays offline with a socket",
            None,
            &[
                (0, Connect(1)),
                (1, Choose(Offline)),
                (1, Expect(Offline)),
                (2, Connect(2)),
                (2, Expect(Offline)),
                (3, Choose(Away)),
                (3, Expect(Away)),
            ],
        );
    }

    #[test]
    fn the_last_socket_leaves_a_grace_of_ten_seconds() {
        check(
            "a reload is not seen",
            None,
            &[
                (0, Connect(1)),
                (100, Disconnect(1)),
                (100, ExpectFall(Some(110))),
                (109, Expect(Online)),
                (109, Connect(2)),
                (200, Expect(Online)),
            ],
        );
        check(
            "leaving is",
            None,
            &[
                (0, Connect(1)),
                (100, Disconnect(1)),
                (110, Expect(Offline)),
                (110, ExpectFall(None)),
            ],
        );
        check(
            "one of two is no leaving",
            None,
            &[(0, Connect(1)), (0, Connect(2)), (5, Disconnect(1)), (100, Expect(Online))],
        );
        check(
            "closing twice or closing the unknown says nothing",
            None,
            &[
                (0, Connect(1)),
                (5, Disconnect(1)),
                (14, Disconnect(1)),
                (14, Disconnect(7)),
                (15, Expect(Offline)),
            ],
        );
    }

    #[test]
    fn a_lease_lasts_two_minutes() {
        check(
            "without any socket",
            Some(Online),
            &[
                (0, Renew),
                (0, ExpectFall(Some(120))),
                (119, Expect(Online)),
                (120, Expect(Offline)),
            ],
        );
        check(
            "renewed",
            Some(Online),
            &[(0, Renew), (100, Renew), (219, Expect(Online)), (220, Expect(Offline))],
        );
        check(
            "the longer of grace and lease counts",
            None,
            &[
                (0, Connect(1)),
                (1, Renew),
                (5, Disconnect(1)),
                (120, Expect(Online)),
                (121, Expect(Offline)),
            ],
        );
        check(
            "a lease alone makes nobody online who never chose",
            None,
            &[(0, Renew), (1, Expect(Offline))],
        );
    }
}
