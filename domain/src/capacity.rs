//! How many conversations one agent takes: slots that are owned or reserved (P11).
//!
//! Reserve, append `assigned`, confirm. The log is the truth of who owns what, so a confirmation
//! always counts and the slots are rebuilt from the list of owned conversations; a reservation
//! only keeps two offers from taking one slot, and expires when nothing comes of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::conversation::Rejection;
use crate::ids::{ConversationId, Timestamp};
use crate::limit::{CAPACITY_DEFAULT, CAPACITY_MAX, CAPACITY_MIN, RESERVATION_MS};

/// The slots of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    max: usize,
    owned: BTreeSet<ConversationId>,
    reserved: BTreeMap<ConversationId, Reservation>,
}

/// A slot that is kept for whoever asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reservation {
    until: Timestamp,
    /// How many asked and may rely on it: an agent who accepts twice asks twice.
    n_asked: u32,
}

impl Default for Capacity {
    /// The default maximum, and nothing owned.
    fn default() -> Self {
        Self { max: CAPACITY_DEFAULT, owned: BTreeSet::new(), reserved: BTreeMap::new() }
    }
}

impl Capacity {
    /// With a maximum and what the log says is owned. Reservations do not survive a restart: what
    /// came of them is in the list.
    ///
    /// # Errors
    ///
    /// As [`set_max`](Self::set_max).
    pub fn rebuilt(
        max: usize,
        owned: impl IntoIterator<Item = ConversationId>,
    ) -> Result<Self, Rejection> {
        let mut capacity = Self { owned: owned.into_iter().collect(), ..Self::default() };
        capacity.set_max(max)?;
        Ok(capacity)
    }

    /// Changes the maximum. Below what is owned it takes nothing away, only nothing comes.
    ///
    /// # Errors
    ///
    /// [`Rejection::Invalid`] unless it is 1 to 20.
    pub fn set_max(&mut self, max: usize) -> Result<(), Rejection> {
        if !(CAPACITY_MIN..=CAPACITY_MAX).contains(&max) {
            return Err(Rejection::Invalid { what: "capacity", why: "must be 1 to 20" });
        }
        self.max = max;
        Ok(())
    }

    /// Keeps a slot for `conversation` for ten seconds, before the agent takes it or the queue
    /// gives it. What is owned or reserved already needs no second slot; a reservation is renewed. Also
    /// of what is owned one is kept, for whoever knows the log better: what was heard of it may be
    /// older, and that it was given back be heard later.
    ///
    /// # Errors
    ///
    /// [`Rejection::AtCapacity`] when no slot is free.
    pub fn reserve(
        &mut self,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        self.expire(now);
        let has_slot =
            self.owned.contains(&conversation) || self.reserved.contains_key(&conversation);
        if !has_slot && self.n_free(now) == 0 {
            return Err(Rejection::AtCapacity);
        }
        let until = now.plus_ms(RESERVATION_MS);
        let kept = self.reserved.entry(conversation).or_insert(Reservation { until, n_asked: 0 });
        kept.until = until;
        kept.n_asked = kept.n_asked.saturating_add(1);
        Ok(())
    }

    /// The log says that the agent owns it: a reservation became true, or a person assigned it,
    /// which may exceed the maximum.
    pub fn own(&mut self, conversation: ConversationId) {
        self.reserved.remove(&conversation);
        self.owned.insert(conversation);
    }

    /// The agent does not own it (any more). A reservation stays until it is cancelled or expires:
    /// whoever asked for it may have done so after that.
    pub fn release(&mut self, conversation: ConversationId) {
        self.owned.remove(&conversation);
    }

    /// Nothing is to come of a reservation, for one of those who asked for it: the slot is free when
    /// it is so for all. What is owned stays owned.
    pub fn cancel(&mut self, conversation: ConversationId) {
        if let Some(kept) = self.reserved.get_mut(&conversation) {
            kept.n_asked -= 1;
            if kept.n_asked == 0 {
                self.reserved.remove(&conversation);
            }
        }
    }

    /// Forgets reservations of which nothing came in time.
    pub fn expire(&mut self, now: Timestamp) {
        self.reserved.retain(|_, kept| now < kept.until);
    }

    /// The maximum.
    #[must_use]
    pub const fn max(&self) -> usize {
        self.max
    }

    /// How many conversations the agent owns.
    #[must_use]
    pub fn n_owned(&self) -> usize {
        self.owned.len()
    }

    /// What the agent owns.
    pub fn owned(&self) -> impl Iterator<Item = ConversationId> {
        self.owned.iter().copied()
    }

    /// How many slots are taken: owned, or reserved and not expired.
    #[must_use]
    pub fn n_taken(&self, now: Timestamp) -> usize {
        let reserved = self.reserved.iter().filter(|(_, kept)| now < kept.until);
        self.owned.len() + reserved.filter(|(id, _)| !self.owned.contains(id)).count()
    }

    /// How many slots are free; none while more are taken than the maximum.
    #[must_use]
    pub fn n_free(&self, now: Timestamp) -> usize {
        self.max.saturating_sub(self.n_taken(now))
    }
}

#[cfg(test)]
mod tests;
