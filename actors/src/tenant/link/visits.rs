//! A visit between home and guest: what each says, and what the other makes of it.

use std::sync::Arc;

use switchboard_cluster::ownership::NodeName;
use switchboard_domain::ids::{AgentId, ConversationId};
use tokio::time::Instant;

use super::{Followed, Guest, Link, Role, Stage, State};
use crate::cards::Cards;
use crate::maps::HashSet;
use crate::presence::AgentPresence;
use crate::remote::home::{Bulletin, News, Report, Word};
use crate::tenant::unsaid::ToGuest;
use crate::tenant::{Desks, Policies};

impl Link {
    /// A guest begins a visit. Whether this is the home.
    pub(in crate::tenant) fn followed(
        &self,
        guest: &NodeName,
        visit: u64,
        (desks, seen): (Vec<AgentId>, Vec<AgentId>),
        cards: &Cards,
        policies: &Policies,
    ) -> bool {
        let Role::Home(home) = &mut self.state.lock().role else { return false };
        if home.stage < Stage::HasGathered {
            home.seen.extend(seen);
        }
        let mut to_guest = ToGuest::default();
        for card in cards.all() {
            to_guest.card(&card);
            to_guest.readers(card.id);
        }
        to_guest.policies(policies);
        let desks = desks.into_iter().collect();
        let listening = self.remote.says_who_listens(guest).then(HashSet::default);
        let followed = Followed { visit, version: 0, is_whole: false, to_guest, desks, listening };
        home.guests.insert(guest.clone(), followed);
        self.has_news();
        true
    }

    /// Whether that is a visit of this home.
    pub(in crate::tenant) fn knows(&self, guest: &NodeName, visit: u64) -> bool {
        match &self.state.lock().role {
            Role::Home(home) => home.guests.get(guest).is_some_and(|it| it.visit == visit),
            Role::Guest(_) | Role::Adrift => false,
        }
    }

    /// An agent has a connection on a guest, or none any more.
    pub(in crate::tenant) fn set_desk(&self, guest: &NodeName, agent: AgentId, is_there: bool) {
        if let Role::Home(home) = &mut self.state.lock().role
            && let Some(followed) = home.guests.get_mut(guest)
        {
            if is_there {
                followed.desks.insert(agent);
            } else {
                followed.desks.remove(&agent);
            }
        }
    }

    /// A visitor listens on a guest to a conversation that it owns and that waits.
    pub(in crate::tenant) fn set_listening(&self, guest: &NodeName, conversation: ConversationId) {
        if let Role::Home(home) = &mut self.state.lock().role
            && let Some(followed) = home.guests.get_mut(guest)
            && let Some(listening) = &mut followed.listening
        {
            listening.insert(conversation);
        }
    }

    /// Forgets who listens to what does not wait any more.
    pub(in crate::tenant) fn forget_listening(&self, cards: &Cards) {
        if let Role::Home(home) = &mut self.state.lock().role {
            for listening in home.guests.values_mut().filter_map(|it| it.listening.as_mut()) {
                listening.retain(|id| cards.waits(*id));
            }
        }
    }

    /// The home told the next bulletin. Whether it is the next of the visit, and what follows
    /// from that.
    pub(in crate::tenant) fn heard(&self, home: &NodeName, visit: u64, version: u64) -> bool {
        let state = &mut *self.state.lock();
        let Role::Guest(guest) = &mut state.role else { return false };
        if guest.home != *home || guest.visit != visit {
            // Of a visit that is over.
            return false;
        }
        if version == guest.version + 1 {
            guest.version = version;
            return true;
        }
        tracing::error!(tenant = %self.tenant, home = %home, "a home left bulletins out");
        state.role = Role::Adrift;
        self.has_news();
        false
    }

    /// The home told everything that is open: these it does not know.
    pub(in crate::tenant) fn take_unconfirmed(&self) -> HashSet<ConversationId> {
        match &mut self.state.lock().role {
            Role::Guest(guest) => std::mem::take(&mut guest.unconfirmed),
            Role::Home(_) | Role::Adrift => HashSet::default(),
        }
    }

    /// Agents were shown like this; answers those who were shown otherwise before.
    pub(crate) fn mirror(&self, agents: Vec<AgentPresence>) -> Vec<AgentPresence> {
        let mut known = self.agents.lock();
        let mut is_news = |shown: &AgentPresence| {
            known.insert(shown.agent.id, shown.clone()).as_ref() != Some(shown)
        };
        agents.into_iter().filter(|shown| is_news(shown)).collect()
    }

    /// The node says that it is not the home.
    pub(in crate::tenant) fn over(&self, home: &NodeName, visit: u64, to: Option<Arc<str>>) {
        let state = &mut *self.state.lock();
        if matches!(&state.role, Role::Guest(guest) if guest.home == *home && guest.visit == visit)
        {
            state.role = Role::Adrift;
            if let Some(to) = to {
                self.ownership.moved(self.shard, NodeName(to));
                self.has_news();
            }
        }
    }

    /// Tells what was noted, as far as other nodes take it.
    pub(in crate::tenant) fn flush(&self, cards: &Cards, desks: &Desks) {
        let State { role, to_home, .. } = &mut *self.state.lock();
        match role {
            Role::Guest(Guest { home, visit, said_at, .. }) => loop {
                let report: Report = to_home.take(cards, desks);
                if report.is_empty() {
                    break;
                }
                if !self.say(home, *visit, Word::Report { report: report.clone() }) {
                    to_home.put_back(report);
                    break;
                }
                *said_at = Instant::now();
            },
            Role::Home(home) => {
                // Said once every node has had time to tell what it knows, so that no guest
                // forgets what is only not told yet.
                let may_be_whole = home.stage == Stage::HasGathered;
                for (node, followed) in &mut home.guests {
                    self.tell(node, followed, cards, may_be_whole);
                }
            }
            Role::Adrift => {}
        }
    }

    fn tell(&self, node: &NodeName, followed: &mut Followed, cards: &Cards, may_be_whole: bool) {
        loop {
            let mut bulletin: Bulletin = followed.to_guest.take(cards);
            bulletin.is_whole =
                may_be_whole && !followed.is_whole && followed.to_guest.has_told_cards();
            if bulletin.is_empty() {
                return;
            }
            let version = followed.version + 1;
            let news = News::Bulletin { version, bulletin: bulletin.clone() };
            if self.remote.tell_guest(node, &self.tenant, followed.visit, news).is_err() {
                return followed.to_guest.put_back(bulletin);
            }
            followed.version = version;
            followed.is_whole |= bulletin.is_whole;
        }
    }
}
