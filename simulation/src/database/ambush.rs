//! What chance hardly ever does: three owners of one log, of whom the second wakes up between the
//! third's reading of the head and its writing.
//!
//! The first stores a row at one replica alone and is killed. The second does not see that row; while it
//! writes the tail again it is cut off from the database, until its lease is over. The third does see
//! the row and adopts it. At that moment the second is let go: it moves the head, and has a row of its
//! own to write at the same position, which comes a little later. With heads that move on exactly the
//! condition of the one that was read the third begins again; with any other it shows a row that
//! another one replaces.

use std::time::Duration;

use switchboard_store::ConversationKey;

use super::{Op, REPLICAS, Request, Way};
use crate::world::World;

/// How much later than the third's head the second's row comes.
const ROW_LATER: Duration = Duration::from_millis(1_500);
/// How long the first stays away: longer than all this takes.
const FIRST_AWAY: Duration = Duration::from_secs(20);

/// What a request does to a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Put(ConversationKey),
    Read(ConversationKey),
    Move(ConversationKey),
    /// Reads its head, or how far it is covered.
    Look(ConversationKey),
    /// Reads a card or receipts, as lists do too.
    Glance(ConversationKey),
    /// Nothing, or nothing of interest.
    Other,
}

/// An ambush, as far as it got.
pub(super) struct Ambush {
    key: ConversationKey,
    stage: Stage,
    /// The replica that has the row of which the second knows nothing.
    replica: usize,
}

/// Who is waited for.
enum Stage {
    /// The first, to write a row.
    First,
    /// The second, to write the tail again. What the first had under way may still arrive.
    Second {
        first: (usize, u64),
    },
    /// The third, to move the head.
    Third {
        second: (usize, u64),
    },
    /// The second, to move it first.
    Late {
        second: (usize, u64),
        third: ((usize, u64), Request),
    },
    /// The second, to write a row.
    Row {
        second: (usize, u64),
    },
    Over,
}

impl Ambush {
    /// Which replica a read of the log does without.
    fn without(&self, from: (usize, u64)) -> Option<usize> {
        match &self.stage {
            Stage::First | Stage::Over => None,
            Stage::Second { .. } => Some(self.replica),
            Stage::Third { second } | Stage::Late { second, .. } | Stage::Row { second } => {
                (*second != from).then_some((self.replica + 1) % REPLICAS)
            }
        }
    }
}

impl World {
    /// Lies in wait for the owners of a log, and of no other.
    pub(crate) fn lie_in_wait(&mut self, key: ConversationKey) {
        self.end_ambush();
        let replica = self.rng.index(REPLICAS);
        self.database.ambush = Some(Ambush { key, stage: Stage::First, replica });
    }

    /// Lets everybody go.
    pub(crate) fn end_ambush(&mut self) {
        let Some(ambush) = self.database.ambush.take() else { return };
        match ambush.stage {
            Stage::Third { second } => self.open_database(second.0, Way::To),
            Stage::Late { third: (from, request), .. } => self.carry_out(from, request),
            Stage::First | Stage::Second { .. } | Stage::Row { .. } | Stage::Over => {}
        }
    }

    /// Which replica a read does without, if it is not left to chance.
    pub(super) fn is_read_without(&self, from: (usize, u64), deed: &Deed) -> Option<usize> {
        let ambush = self.database.ambush.as_ref()?;
        matches!(deed, Deed::Read(key) if *key == ambush.key).then(|| ambush.without(from))?
    }

    /// A request has arrived. Gives it back if it is to be carried out now.
    pub(super) fn caught(&mut self, from: (usize, u64), request: Request) -> Option<Request> {
        let Some(ambush) = &mut self.database.ambush else { return Some(request) };
        let (is_put, is_move) = match &request.deed {
            Deed::Put(key) if *key == ambush.key => (true, false),
            Deed::Move(key) if *key == ambush.key => (false, true),
            _ => return Some(request),
        };
        match std::mem::replace(&mut ambush.stage, Stage::Over) {
            Stage::First if is_put => {
                ambush.stage = Stage::Second { first: from };
                let replica = ambush.replica;
                if let (Op::Write { apply, .. }, Some(replica)) =
                    (&request.op, self.database.replicas.get_mut(replica))
                {
                    apply(replica);
                }
                self.trace(format_args!("{from:?} {} at one replica", request.label));
                self.crash(from.0);
                self.after(FIRST_AWAY, move |world| world.start(from.0));
                None
            }
            Stage::Second { first } if is_put && first != from => {
                ambush.stage = Stage::Third { second: from };
                self.cut_database(from.0, Way::To, true);
                self.request_passes(from, request);
                None
            }
            Stage::Third { second } if is_move && second != from => {
                ambush.stage = Stage::Late { second, third: (from, request) };
                self.open_database(second.0, Way::To);
                None
            }
            Stage::Late { second, third } if is_move && second == from => {
                ambush.stage = Stage::Row { second };
                let (late, request_of_third) = third;
                self.after(crate::world::TICK, move |world| {
                    world.carry_out(late, request_of_third);
                });
                Some(request)
            }
            Stage::Row { second } if is_put && second == from => {
                self.after(ROW_LATER, move |world| world.carry_out(from, request));
                None
            }
            stage => {
                ambush.stage = stage;
                Some(request)
            }
        }
    }
}
