//! How far somebody has received and read a conversation.
//!
//! A receipt is a position in the public stream, never a count: what is unread follows from the
//! ordinals at that position and at the head (P12).

use crate::conversation::Ordinals;
use crate::ids::{Seq, Timestamp};
use crate::person::Side;

/// How far one principal has received and read the public stream. Positions never fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Everything up to here arrived at one of the principal's devices; 0 for nothing.
    pub received: Seq,
    /// Everything up to here was read; 0 for nothing. Never beyond `received`.
    pub read: Seq,
    /// When that was read; `None` for what was known before.
    pub read_at: Option<Timestamp>,
    /// The ordinals of the event at `read`.
    pub read_ordinals: Ordinals,
}

impl Receipt {
    /// Raises what was received to `upto`, at most to `head`. Answers whether that moved it.
    pub fn receive(&mut self, upto: Seq, head: Seq) -> bool {
        let upto = upto.min(head);
        let moved = upto > self.received;
        self.received = self.received.max(upto);
        moved
    }

    /// Raises what was read to `upto`, whose event has `ordinals`; what was read was received.
    /// Answers whether that moved it. The caller must not name a position beyond the head.
    pub fn read(&mut self, upto: Seq, ordinals: Ordinals, at: Timestamp) -> bool {
        if upto <= self.read {
            return false;
        }
        self.read = upto;
        self.read_at = Some(at);
        self.read_ordinals = ordinals;
        self.received = self.received.max(upto);
        true
    }

    /// The further of two receipts in each part, for example of all agents of a conversation.
    #[must_use]
    pub fn furthest(self, other: Self) -> Self {
        let read = if other.read > self.read { other } else { self };
        Self { received: self.received.max(other.received), ..read }
    }

    /// How many messages of the other side somebody on `side` has not read, when the
    /// conversation's ordinals are `now`. System texts are nobody's message and never unread.
    #[must_use]
    pub fn unread(&self, side: Side, now: Ordinals) -> u32 {
        match side {
            Side::Visitor => now.agent.saturating_sub(self.read_ordinals.agent),
            Side::Agent => now.visitor.saturating_sub(self.read_ordinals.visitor),
            Side::System => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordinals(visitor: u32, agent: u32, system: u32) -> Ordinals {
        Ordinals { visitor, agent, system }
    }

    #[test]
    fn positions_never_fall() {
        let mut receipt = Receipt::default();
        assert!(receipt.read(Seq(5), ordinals(3, 1, 1), Timestamp(7)));
        assert!(!receipt.read(Seq(4), ordinals(2, 1, 1), Timestamp(8)));
        assert_eq!(receipt.read_at, Some(Timestamp(7)), "when it was first read");
        assert!(!receipt.receive(Seq(5), Seq(9)));
        assert!(receipt.receive(Seq(7), Seq(9)));
        assert_eq!(receipt.read_ordinals, ordinals(3, 1, 1));
        assert_eq!((receipt.received, receipt.read), (Seq(7), Seq(5)));
    }

    #[test]
    fn nothing_beyond_the_head_is_received() {
        let mut receipt = Receipt::default();
        assert!(receipt.receive(Seq(100), Seq(9)));
        assert_eq!(receipt.received, Seq(9));
    }

    #[test]
    fn unread_counts_the_other_side_only() {
        let mut receipt = Receipt::default();
        receipt.read(Seq(4), ordinals(2, 1, 1), Timestamp(7));
        let now = ordinals(7, 3, 5);
        for (side, expect) in [(Side::Visitor, 2), (Side::Agent, 5), (Side::System, 0)] {
            assert_eq!(receipt.unread(side, now), expect, "{side:?}");
        }
    }

    #[test]
    fn the_furthest_takes_each_part_where_it_is_further() {
        let mut reader = Receipt::default();
        reader.read(Seq(4), ordinals(2, 1, 1), Timestamp(7));
        let mut receiver = Receipt::default();
        receiver.receive(Seq(6), Seq(6));
        let expect = Receipt {
            received: Seq(6),
            read: Seq(4),
            read_at: Some(Timestamp(7)),
            read_ordinals: ordinals(2, 1, 1),
        };
        assert_eq!(reader.furthest(receiver), expect);
        assert_eq!(receiver.furthest(reader), expect);
    }
}
