//! What this node learned, and others must be told.

use std::sync::Arc;

use switchboard_cluster::ownership::NodeName;
use switchboard_domain::card::Card;
use switchboard_domain::ids::{AgentId, ConversationId};
use tokio::time::Instant;

use super::{ALIVE_EVERY, By, Link, Own, Role, State};
use crate::presence::AgentPresence;
use crate::remote::home::Place;
use crate::tenant::Policies;

impl Link {
    /// A conversation is as its card says now. What is pressing is told soon.
    pub(in crate::tenant) fn note_card(&self, card: &Arc<Card>, by: By<'_>, is_pressing: bool) {
        let State { role, own, to_home, .. } = &mut *self.state.lock();
        if let By::Own(epoch) = by {
            let ended_at = (!card.status.is_open()).then(Instant::now);
            own.insert(card.id, Own { card: Arc::clone(card), epoch, ended_at });
        }
        match role {
            Role::Home(home) => {
                for (node, followed) in &mut home.guests {
                    if !matches!(by, By::Node(told) if told == node) {
                        followed.to_guest.card(card);
                    }
                }
            }
            Role::Guest(guest) => {
                guest.unconfirmed.remove(&card.id);
                match by {
                    By::Own(_) | By::Answer => to_home.card(card),
                    By::Node(_) | By::Store => return,
                }
            }
            // A visit begins with what is own.
            Role::Adrift => return,
        }
        if is_pressing || matches!(by, By::Answer) {
            self.has_news();
        } else {
            self.remote.news.for_lists();
        }
    }

    /// Agents have read further in a conversation.
    pub(in crate::tenant) fn note_readers(&self, conversation: ConversationId, by: By<'_>) {
        let State { role, to_home, .. } = &mut *self.state.lock();
        match role {
            Role::Home(home) => {
                for (node, followed) in &mut home.guests {
                    if !matches!(by, By::Node(told) if told == node) {
                        followed.to_guest.readers(conversation);
                    }
                }
            }
            Role::Guest(_) if matches!(by, By::Own(_)) => to_home.readers(conversation),
            Role::Guest(_) | Role::Adrift => return,
        }
        self.remote.news.for_lists();
    }

    /// A department routes otherwise from now on.
    pub(in crate::tenant) fn note_policies(&self, policies: &Policies, by: By<'_>) {
        let State { role, to_home, .. } = &mut *self.state.lock();
        match role {
            Role::Home(home) => {
                for followed in home.guests.values_mut() {
                    followed.to_guest.policies(policies);
                }
            }
            // Kept until there is a home.
            Role::Guest(_) | Role::Adrift if !matches!(by, By::Node(_)) => {
                to_home.policies(policies);
            }
            Role::Guest(_) | Role::Adrift => return,
        }
        self.has_news();
    }

    /// An agent's connections opened or closed here.
    pub(in crate::tenant) fn note_desk(&self, agent: AgentId) {
        let State { role, to_home, .. } = &mut *self.state.lock();
        if let Role::Guest(_) = role {
            to_home.desk(agent);
            self.has_news();
        }
    }

    /// An agent gave a sign of life here.
    pub(in crate::tenant) fn note_alive(&self, agent: AgentId) {
        let State { role, to_home, alive, .. } = &mut *self.state.lock();
        let now = Instant::now();
        let is_due = alive.get(&agent).is_none_or(|at| now.duration_since(*at) >= ALIVE_EVERY);
        if is_due && let Role::Guest(_) = role {
            alive.insert(agent, now);
            to_home.alive(agent);
            self.has_news();
        }
    }

    /// A visitor here wants to hear the place of a conversation.
    pub(in crate::tenant) fn note_listening(&self, conversation: ConversationId) {
        let State { role, to_home, .. } = &mut *self.state.lock();
        if let Role::Guest(_) = role {
            to_home.listening(conversation);
            self.has_news();
        }
    }

    /// Nothing came of a reservation.
    pub(in crate::tenant) fn note_cancelled(&self, agent: AgentId, conversation: ConversationId) {
        let State { role, to_home, .. } = &mut *self.state.lock();
        if let Role::Guest(_) = role {
            to_home.cancelled(agent, conversation);
            self.has_news();
        }
    }

    /// An agent is shown like this from now on.
    pub(crate) fn note_agent(&self, shown: &AgentPresence) {
        self.agents.lock().insert(shown.agent.id, shown.clone());
        if let Role::Home(home) = &mut self.state.lock().role {
            for followed in home.guests.values_mut() {
                followed.to_guest.agent(shown);
            }
            self.has_news();
        }
    }

    /// These are all agents, and whether anybody is there: for a guest, or for all guests.
    pub(crate) fn note_all_agents(
        &self,
        node: Option<&NodeName>,
        all: &[AgentPresence],
        any: bool,
    ) {
        if let Role::Home(home) = &mut self.state.lock().role {
            let guests = home.guests.iter_mut();
            for (_, followed) in guests.filter(|(it, _)| node.is_none_or(|node| *it == node)) {
                for shown in all {
                    followed.to_guest.agent(shown);
                }
                followed.to_guest.anybody(any);
            }
            self.has_news();
        }
    }

    /// Whether anybody is there.
    pub(crate) fn note_anybody(&self, online: bool) {
        if let Role::Home(home) = &mut self.state.lock().role {
            for followed in home.guests.values_mut() {
                followed.to_guest.anybody(online);
            }
            self.has_news();
        }
    }

    /// Where a conversation of that node stands in its queue. Whether the node is told: only if a
    /// visitor may listen there, for most of a long line may be away.
    pub(in crate::tenant) fn note_place(
        &self,
        node: &NodeName,
        conversation: ConversationId,
        place: Place,
    ) -> bool {
        let Role::Home(home) = &mut self.state.lock().role else { return false };
        let Some(followed) = home.guests.get_mut(node) else { return false };
        if followed.listening.as_ref().is_some_and(|it| !it.contains(&conversation)) {
            return false;
        }
        followed.to_guest.place(conversation, place);
        self.has_news();
        true
    }
}
