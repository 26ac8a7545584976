//! One agent, as presence knows it.

use std::sync::Arc;

use switchboard_domain::capacity::Capacity;
use switchboard_domain::conversation::Rejection;
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, Timestamp};
use switchboard_domain::limit::{LABEL_BYTES_MAX, SKILLS_MAX};
use switchboard_domain::person::AgentRef;
use switchboard_domain::presence::Presence;
use switchboard_domain::queue::Candidate;

use super::{AgentPresence, Profile};

/// One agent.
#[derive(Clone, Debug, Default)]
pub(super) struct Agent {
    pub(super) name: Arc<str>,
    pub(super) presence: Presence,
    pub(super) capacity: Capacity,
    pub(super) skills: Arc<[Arc<str>]>,
    pub(super) departments: Arc<[DepartmentId]>,
    pub(super) desk: Option<DepartmentId>,
    /// What the watchers were told last.
    pub(super) told: Option<AgentPresence>,
}

impl Agent {
    /// One of whom only the name is known.
    pub(super) fn named(name: &Arc<str>) -> Self {
        Self { name: Arc::clone(name), ..Self::default() }
    }

    /// Takes in what the directory says; answers whether that is new.
    pub(super) fn take_in(&mut self, profile: &Profile) -> bool {
        let is_new = self.name != profile.name || self.departments != profile.departments;
        self.name = Arc::clone(&profile.name);
        self.departments = Arc::clone(&profile.departments);
        is_new
    }

    pub(super) fn set_skills(&mut self, mut skills: Vec<Arc<str>>) -> Result<(), Rejection> {
        if skills.len() > SKILLS_MAX {
            return Err(Rejection::TooLarge { what: "skills", max: SKILLS_MAX });
        }
        for skill in &skills {
            if skill.len() > LABEL_BYTES_MAX {
                return Err(Rejection::TooLarge { what: "skill", max: LABEL_BYTES_MAX });
            }
            if skill.is_empty() || skill.contains(char::is_control) {
                let why = "must not be empty or have control characters";
                return Err(Rejection::Invalid { what: "skill", why });
            }
        }
        skills.sort();
        skills.dedup();
        self.skills = skills.into();
        Ok(())
    }

    /// Owns these conversations and no others; reservations stay.
    pub(super) fn own_exactly(&mut self, owned: impl Iterator<Item = ConversationId>) {
        let before: Vec<_> = self.capacity.owned().collect();
        let owned: std::collections::BTreeSet<_> = owned.collect();
        for conversation in before {
            if !owned.contains(&conversation) {
                self.capacity.release(conversation);
            }
        }
        for conversation in owned {
            self.capacity.own(conversation);
        }
    }

    pub(super) fn show(&self, id: AgentId, now: Timestamp) -> AgentPresence {
        AgentPresence {
            agent: AgentRef { id, name: Arc::clone(&self.name) },
            effective: self.presence.effective(now),
            chosen: self.presence.chosen(),
            capacity: self.capacity.max(),
            active: self.capacity.n_owned(),
            skills: Arc::clone(&self.skills),
            departments: Arc::clone(&self.departments),
            desk: self.desk.clone(),
        }
    }

    pub(super) fn candidate(&self, id: AgentId, now: Timestamp) -> Candidate {
        Candidate {
            agent: id,
            takes_offers: self.presence.effective(now).takes_offers(),
            n_taken: self.capacity.n_taken(now),
            max: self.capacity.max(),
            skills: self.skills.to_vec(),
            departments: self.departments.to_vec(),
        }
    }
}
