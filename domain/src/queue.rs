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
mod line;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use policy::{Candidate, Policy};

use self::eta::Samples;
use self::line::{Line, Spot};
use self::policy::Turns;
use crate::conversation::Priority;
use crate::ids::{AgentId, ConversationId, DepartmentId, Timestamp, WidgetId};
use crate::limit::{AGEING_MS, POSITION_EXACT_MAX, RESERVATION_MS};

/// A conversation that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub conversation: ConversationId,
    /// In which line.
    pub department: Option<DepartmentId>,
    /// The widget it came through.
    pub widget: Option<WidgetId>,
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
    /// Of what came through them, whatever its line says.
    widget_policies: BTreeMap<WidgetId, Policy>,
    /// Of what came through no widget, whatever its line says.
    bare_policy: Option<Policy>,
    /// Where what waits came from, each once.
    origins: Vec<Arc<Origin>>,
    /// Which of them it is.
    origin_numbers: BTreeMap<Arc<Origin>, u32>,
    entries: Entries,
    /// The skills asked for, by those that ask for any.
    skills: BTreeMap<ConversationId, Vec<Arc<str>>>,
    /// Offers on their way: until then the conversation is not offered again.
    offered_until: BTreeMap<ConversationId, Timestamp>,
    lines: BTreeMap<Option<DepartmentId>, Line>,
    seen: BTreeMap<Option<DepartmentId>, Samples>,
    turns: Turns,
}

/// Whoever waits. It takes two thirds of the room of a sorted map.
#[expect(clippy::disallowed_types, reason = "nobody goes through it: the order is the lines'")]
type Entries = std::collections::HashMap<ConversationId, Entry>;

/// What everybody who waits costs; what few have is kept beside it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    since: Timestamp,
    /// Which of the origins.
    origin: u32,
    /// The position at which it came, for the estimate; `u16::MAX` for one further behind, of which
    /// nothing is learned.
    came_at: u16,
    priority: Priority,
}

const _: () = assert!(size_of::<Entry>() == 16);

/// Where something came from: many have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    department: Option<DepartmentId>,
    widget: Option<WidgetId>,
}

impl Entry {
    fn rank(&self) -> Timestamp {
        rank(self.priority, self.since)
    }
}

impl Queue {
    /// Empty lines; `policy_default` holds for every line without one of its own.
    #[must_use]
    pub fn new(policy_default: Policy) -> Self {
        Self {
            policy_default,
            policies: BTreeMap::new(),
            widget_policies: BTreeMap::new(),
            bare_policy: None,
            origins: Vec::new(),
            origin_numbers: BTreeMap::new(),
            entries: Entries::default(),
            skills: BTreeMap::new(),
            offered_until: BTreeMap::new(),
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

    /// Sets which widgets route in a way of their own; what came through another goes its line's.
    pub fn set_widget_policies(&mut self, policies: BTreeMap<WidgetId, Policy>) {
        self.widget_policies = policies;
    }

    /// Sets how conversations are routed that came through no widget; `None` for their line's way.
    pub const fn set_bare_policy(&mut self, policy: Option<Policy>) {
        self.bare_policy = policy;
    }

    /// How a line routes.
    #[must_use]
    pub fn policy(&self, line: Option<&DepartmentId>) -> Policy {
        self.policies.get(&line.cloned()).copied().unwrap_or(self.policy_default)
    }

    /// A conversation waits from now on, or waits otherwise than before (another department,
    /// priority or time). Entering again unchanged says nothing.
    pub fn enter(&mut self, waiting: Waiting) {
        if self.has(&waiting) {
            return;
        }
        let Waiting { conversation, department, widget, priority, skills, since } = waiting;
        let offered_until = self.offered_until.get(&conversation).copied();
        let before = self.remove(conversation);
        let stood_in = before.and_then(|it| self.line_of(&it).cloned());
        let line = self.lines.entry(department.clone()).or_default();
        line.insert((rank(priority, since), conversation));
        let came_at = match before {
            Some(before) if stood_in == department => before.came_at,
            _ => u16::try_from(line.len()).unwrap_or(u16::MAX),
        };
        let origin = self.number_of(Origin { department, widget });
        let entry = Entry { origin, since, came_at, priority };
        self.entries.insert(conversation, entry);
        if !skills.is_empty() {
            self.skills.insert(conversation, skills);
        }
        if let Some(until) = offered_until {
            self.offered_until.insert(conversation, until);
        }
    }

    /// An agent has it now: it leaves, and the estimate learns how long that took.
    pub fn served(&mut self, conversation: ConversationId, now: Timestamp) {
        if let Some(entry) = self.remove(conversation)
            && entry.came_at < u16::MAX
        {
            let seen = self.seen.entry(self.line_of(&entry).cloned()).or_default();
            seen.add(now.ms_since(entry.since), entry.came_at);
        }
    }

    /// It waits no longer, for another reason: closed, or gone.
    pub fn leave(&mut self, conversation: ConversationId) {
        self.remove(conversation);
    }

    /// Nothing came of an offer; it may be offered again at once.
    pub fn failed(&mut self, conversation: ConversationId) {
        self.offered_until.remove(&conversation);
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
        self.offered_until.insert(offer.conversation, now.plus_ms(RESERVATION_MS));
        self.turns.take(offer.agent);
        Some(offer)
    }

    /// Where it stands; `None` when it does not wait.
    #[must_use]
    pub fn place(&self, conversation: ConversationId) -> Option<Place> {
        let entry = self.entries.get(&conversation)?;
        let line = self.line_of(entry).cloned();
        let position = self.lines.get(&line)?.position((entry.rank(), conversation));
        Some(self.place_at(&line, position))
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
            .flat_map(Line::iter)
            .enumerate()
            .map(move |(idx, (_, conversation))| (conversation, self.place_at(&line, idx + 1)))
    }

    /// Whether anything that waits is routed by itself.
    #[must_use]
    pub fn routes(&self) -> bool {
        let waiting = self.lines.values().flat_map(Line::iter);
        let mut waiting = waiting.filter_map(|(_, it)| self.entries.get(&it));
        self.may_route() && waiting.any(|it| self.policy_of(it) != Policy::Manual)
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
        order: &Line,
        agents: &[Candidate],
        now: Timestamp,
    ) -> Option<(Spot, Offer)> {
        if !self.may_route() {
            return None;
        }
        order.iter().find_map(|place| {
            let conversation = place.1;
            let policy = self.entries.get(&conversation).map(|it| self.policy_of(it))?;
            if policy == Policy::Manual {
                return None;
            }
            if self.offered_until.get(&conversation).is_some_and(|until| now < *until) {
                return None;
            }
            let skills = self.skills.get(&conversation).map_or(&[][..], Vec::as_slice);
            let agent = policy::pick(policy, line, skills, agents, &self.turns)?;
            Some((place, Offer { conversation, agent }))
        })
    }

    /// Whether anything could be routed by itself: most tenants accept by hand, and then nobody
    /// looks through what waits.
    fn may_route(&self) -> bool {
        let policies = self.policies.values().chain(self.widget_policies.values());
        let policies = policies.chain(&self.bare_policy).chain([&self.policy_default]);
        policies.copied().any(|policy| policy != Policy::Manual)
    }

    /// How something is routed: its widget's way, that of what came through none, its line's.
    fn policy_of(&self, entry: &Entry) -> Policy {
        let own = match self.origin_of(entry).and_then(|origin| origin.widget.as_ref()) {
            Some(widget) => self.widget_policies.get(widget).copied(),
            None => self.bare_policy,
        };
        own.unwrap_or_else(|| self.policy(self.line_of(entry)))
    }

    fn has(&self, waiting: &Waiting) -> bool {
        let Waiting { conversation, department, widget, priority, skills, since } = waiting;
        self.entries.get(conversation).is_some_and(|entry| {
            let origin = self.origin_of(entry);
            origin.is_some_and(|it| it.department == *department && it.widget == *widget)
                && entry.priority == *priority
                && entry.since == *since
                && self.skills.get(conversation).map_or(&[][..], Vec::as_slice) == skills
        })
    }

    fn remove(&mut self, conversation: ConversationId) -> Option<Entry> {
        let entry = self.entries.remove(&conversation)?;
        self.skills.remove(&conversation);
        self.offered_until.remove(&conversation);
        let department = self.line_of(&entry).cloned();
        if let Some(line) = self.lines.get_mut(&department) {
            line.remove((entry.rank(), conversation));
            if line.is_empty() {
                self.lines.remove(&department);
            }
        }
        Some(entry)
    }

    fn origin_of(&self, entry: &Entry) -> Option<&Origin> {
        self.origins.get(usize::try_from(entry.origin).ok()?).map(|origin| &**origin)
    }

    fn line_of(&self, entry: &Entry) -> Option<&DepartmentId> {
        self.origin_of(entry)?.department.as_ref()
    }

    /// The number of an origin. There are no more than departments and widgets make.
    fn number_of(&mut self, origin: Origin) -> u32 {
        if let Some(number) = self.origin_numbers.get(&origin) {
            return *number;
        }
        let (origin, number) = (Arc::new(origin), u32::try_from(self.origins.len()));
        let number = number.unwrap_or(u32::MAX);
        self.origins.push(Arc::clone(&origin));
        self.origin_numbers.insert(origin, number);
        number
    }
}

#[cfg(test)]
mod tests;
