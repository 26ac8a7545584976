//! Who waits, in which order, and to whom the next one goes.
//!
//! One line per department (and one for conversations without). A pure machine: the shell tells
//! who enters and leaves, shows it the agents there are, and carries out the offers it makes.
//!
//! # Order
//! Priority with ageing: every [`AGEING_MS`] of waiting is worth one level of priority. So the
//! place in a line never depends on the time of looking, nobody is overtaken by what came much
//! later, and nobody waits for ever behind a stream of urgent ones.

mod policy;
mod eta;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use policy::{Candidate, Policy};

use self::eta::Samples;
use self::policy::Turns;
use crate::conversation::Priority;
use crate::ids::{AgentId, ConversationId, DepartmentId, Timestamp};
use crate::limit::{AGEING_MS, POSITION_EXACT_MAX, RESERVATION_MS};

/// A conversation that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub conversation: ConversationId,
    /// In which line.
    pub department: Option<DepartmentId>,
    /// How urgent.
    pub priority: Priority,
    /// Skills its agent must have, where the line's policy asks for skills.
    pub skills: Vec<Arc<str>>,
    /// Since when it waits.
    pub since: Timestamp,
}

/// What the queue wants done: reserve a slot, route the conversation, and say what came of it by
/// [`Queue::served`], [`Queue::leave`] or [`Queue::failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which conversation.
    pub conversation: ConversationId,
    /// To whom.
    pub agent: AgentId,
}

/// Where a conversation stands in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub position: usize,
    /// In how many seconds its turn comes, from the middle to the slow end of what was seen
    /// (p50–p80); `None` until enough was seen.
    pub eta_s: Option<(u32, u32)>,
}

impl Place {
    /// The position as visitors see it: exact up to 20, then the upper end of a band (50, 100,
    /// 200, 500, …), because nobody walks from place 731 to 730.
    #[must_use]
    pub fn shown(&self) -> usize {
        if self.position <= POSITION_EXACT_MAX {
            return self.position;
        }
        let mut scale = 10_usize;
        loop {
            for step in [5, 10, 20] {
                let band = scale.saturating_mul(step);
                if self.position <= band || band == usize::MAX {
                    return band;
                }
            }
            scale = scale.saturating_mul(10);
        }
    }
}

/// The rank of a conversation in its line: the lower, the sooner. It is the time at which it would
/// have had to come with the lowest priority to stand where it stands.
#[must_use]
pub const fn rank(priority: Priority, since: Timestamp) -> Timestamp {
    let level = match priority {
        Priority::Low => 0,
        Priority::Medium => 1,
        Priority::High => 2,
        Priority::Urgent => 3,
    };
    since.plus_ms(-level * AGEING_MS)
}

/// The lines of one tenant.
#[derive(Clone, Debug)]
pub struct Queue {
    policy_default: Policy,
    policies: BTreeMap<Option<DepartmentId>, Policy>,
    entries: BTreeMap<ConversationId, Entry>,
    lines: BTreeMap<Option<DepartmentId>, BTreeSet<(Timestamp, ConversationId)>>,
    seen: BTreeMap<Option<DepartmentId>, Samples>,
    turns: Turns,
}

#[derive(Clone, Debug)]
struct Entry {
    waiting: Waiting,
    /// The position at which it came, for the estimate.
    came_at: usize,
    /// An offer is on its way; the entry is not offered again before.
    offered_until: Option<Timestamp>,
}

impl Queue {
    /// Empty lines; `policy_default` holds for every line without one of its own.
    #[must_use]
    pub fn new(policy_default: Policy) -> Self {
        Self {
            policy_default,
            policies: BTreeMap::new(),
            entries: BTreeMap::new(),
            lines: BTreeMap::new(),
            seen: BTreeMap::new(),
            turns: Turns::default(),
        }
    }

    /// Sets how a line routes; `None` sets it back to the default.
    pub fn set_policy(&mut self, line: Option<DepartmentId>, policy: Option<Policy>) {
        match policy {
            Some(policy) => self.policies.insert(line, policy),
            None => self.policies.remove(&line),
        };
    }

    /// How a line routes.
    #[must_use]
    pub fn policy(&self, line: Option<&DepartmentId>) -> Policy {
        self.policies.get(&line.cloned()).copied().unwrap_or(self.policy_default)
    }

    /// A conversation waits from now on, or waits otherwise than before (another department,
    /// priority or time). Entering again unchanged says nothing.
    pub fn enter(&mut self, waiting: Waiting) {
        if self.entries.get(&waiting.conversation).is_some_and(|entry| entry.waiting == waiting) {
            return;
        }
        let conversation = waiting.conversation;
        let before = self.remove(conversation);
        let line = self.lines.entry(waiting.department.clone()).or_default();
        line.insert((rank(waiting.priority, waiting.since), conversation));
        let same_line =
            before.as_ref().filter(|entry| entry.waiting.department == waiting.department);
        let came_at = same_line.map_or(line.len(), |entry| entry.came_at);
        let offered_until = before.and_then(|entry| entry.offered_until);
        self.entries.insert(conversation, Entry { waiting, came_at, offered_until });
    }

    /// An agent has it now: it leaves, and the estimate learns how long that took.
    pub fn served(&mut self, conversation: ConversationId, now: Timestamp) {
        if let Some(Entry { waiting, came_at, .. }) = self.remove(conversation) {
            let seen = self.seen.entry(waiting.department).or_default();
            seen.add(now.ms_since(waiting.since), came_at);
        }
    }

    /// It waits no longer, for another reason: closed, or gone.
    pub fn leave(&mut self, conversation: ConversationId) {
        self.remove(conversation);
    }

    /// Nothing came of an offer; it may be offered again at once.
    pub fn failed(&mut self, conversation: ConversationId) {
        if let Some(entry) = self.entries.get_mut(&conversation) {
            entry.offered_until = None;
        }
    }

    /// The next offer, if any line that routes by itself has a conversation for any of `agents`.
    ///
    /// `agents` shows slots as they are now, reservations included: reserve the offered slot
    /// before asking again. What nobody there can take never holds up what stands behind it. An
    /// offer of which nothing is heard is made again after as long as a reservation lasts.
    pub fn next(&mut self, agents: &[Candidate], now: Timestamp) -> Option<Offer> {
        if !agents.iter().any(Candidate::is_free) {
            return None;
        }
        let (_, offer) = self
            .lines
            .iter()
            .filter_map(|(line, order)| self.first_of(line.as_ref(), order, agents, now))
            .min_by_key(|(place, _)| *place)?;
        if let Some(entry) = self.entries.get_mut(&offer.conversation) {
            entry.offered_until = Some(now.plus_ms(RESERVATION_MS));
        }
        self.turns.take(offer.agent);
        Some(offer)
    }

    /// Where it stands; `None` when it does not wait.
    #[must_use]
    pub fn place(&self, conversation: ConversationId) -> Option<Place> {
        let waiting = &self.entries.get(&conversation)?.waiting;
        let key = (rank(waiting.priority, waiting.since), conversation);
        let position = self.lines.get(&waiting.department)?.range(..=key).count();
        Some(self.place_at(&waiting.department, position))
    }

    /// Everybody in a line, first to last, with their places: one pass for all.
    pub fn places(
        &self,
        line: Option<&DepartmentId>,
    ) -> impl Iterator<Item = (ConversationId, Place)> {
        let line = line.cloned();
        let order = self.lines.get(&line);
        order
            .into_iter()
            .flatten()
            .enumerate()
            .map(move |(idx, (_, conversation))| (*conversation, self.place_at(&line, idx + 1)))
    }

    /// The lines in which somebody waits.
    pub fn lines(&self) -> impl Iterator<Item = Option<&DepartmentId>> {
        self.lines.keys().map(Option::as_ref)
    }

    /// How many wait, in all lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn place_at(&self, line: &Option<DepartmentId>, position: usize) -> Place {
        Place { position, eta_s: self.seen.get(line).and_then(|seen| seen.eta_s(position)) }
    }

    fn first_of(
        &self,
        line: Option<&DepartmentId>,
        order: &BTreeSet<(Timestamp, ConversationId)>,
        agents: &[Candidate],
        now: Timestamp,
    ) -> Option<((Timestamp, ConversationId), Offer)> {
        let policy = self.policy(line);
        if policy == Policy::Manual {
            return None;
        }
        order.iter().find_map(|place| {
            let entry = self.entries.get(&place.1)?;
            if entry.offered_until.is_some_and(|until| now < until) {
                return None;
            }
            let agent = policy::pick(policy, &entry.waiting, agents, &self.turns)?;
            Some((*place, Offer { conversation: place.1, agent }))
        })
    }

    fn remove(&mut self, conversation: ConversationId) -> Option<Entry> {
        let entry = self.entries.remove(&conversation)?;
        let Waiting { department, priority, since, .. } = &entry.waiting;
        if let Some(line) = self.lines.get_mut(department) {
            line.remove(&(rank(*priority, *since), conversation));
            if line.is_empty() {
                self.lines.remove(department);
            }
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
