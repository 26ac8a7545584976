//! Which agents look at which conversation, and type in it. A connection looks at one at most, and
//! its entry ends with it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_actors::inbox::{self, Companion};
use switchboard_domain::person::AgentRef;
use switchboard_store::ConversationKey;

use crate::notices::{Notice, Teller};

/// Everybody who looks at something, by what they look at.
#[derive(Debug, Default)]
pub struct Viewers {
    all: Mutex<All>,
    teller: Teller,
    /// Whose lists show them; `None` in tests.
    inbox: Option<inbox::Handle>,
}

#[derive(Debug, Default)]
struct All {
    here: HashMap<ConversationKey, Vec<Viewer>>,
    /// Those of other nodes, each with its node.
    there: HashMap<ConversationKey, Vec<(Arc<str>, Companion)>>,
}

#[derive(Debug)]
struct Viewer {
    outlet_id: u64,
    who: Companion,
}

impl Viewers {
    /// Nobody so far; other nodes are told through that, and lists by the inbox.
    #[must_use]
    pub fn new(teller: Teller, inbox: inbox::Handle) -> Self {
        Self { teller, inbox: Some(inbox), ..Self::default() }
    }

    /// A connection begins to look; answers who looks now.
    pub fn enter(&self, key: &ConversationKey, outlet_id: u64, agent: AgentRef) -> Arc<[AgentRef]> {
        let mut all = self.all.lock();
        let viewers = all.here.entry(key.clone()).or_default();
        viewers.retain(|viewer| viewer.outlet_id != outlet_id);
        viewers.push(Viewer { outlet_id, who: Companion { agent, types: false } });
        self.tell(&all, key);
        all.of(key)
    }

    /// A connection looks no more; answers who still does.
    pub fn leave(&self, key: &ConversationKey, outlet_id: u64) -> Arc<[AgentRef]> {
        let mut all = self.all.lock();
        if let Some(viewers) = all.here.get_mut(key) {
            viewers.retain(|viewer| viewer.outlet_id != outlet_id);
            if viewers.is_empty() {
                all.here.remove(key);
            }
            self.tell(&all, key);
        }
        all.of(key)
    }

    /// Whoever looks there begins or stops to type; who does not look is not shown.
    pub fn types(&self, key: &ConversationKey, outlet_id: u64, on: bool) {
        let mut all = self.all.lock();
        let mut viewers = all.here.get_mut(key).into_iter().flatten();
        let Some(viewer) = viewers.find(|viewer| viewer.outlet_id == outlet_id) else { return };
        if std::mem::replace(&mut viewer.who.types, on) != on {
            self.tell(&all, key);
        }
    }

    /// Who looks now.
    #[must_use]
    pub fn of(&self, key: &ConversationKey) -> Arc<[AgentRef]> {
        self.all.lock().of(key)
    }

    /// These look on another node, and no others. Answers whether somebody looks here too.
    pub fn heard(&self, node: &Arc<str>, key: &ConversationKey, agents: Vec<Companion>) -> bool {
        let mut all = self.all.lock();
        let there = all.there.entry(key.clone()).or_default();
        there.retain(|(of, _)| of != node);
        there.extend(agents.into_iter().map(|agent| (Arc::clone(node), agent)));
        if there.is_empty() {
            all.there.remove(key);
        }
        self.show(&all, key);
        all.here.contains_key(key)
    }

    /// A node is gone; answers at what somebody looked there.
    pub fn gone(&self, node: &Arc<str>) -> Vec<ConversationKey> {
        let mut all = self.all.lock();
        let mut looked_at = Vec::new();
        all.there.retain(|key, there| {
            let before = there.len();
            there.retain(|(of, _)| of != node);
            if there.len() < before {
                looked_at.push(key.clone());
            }
            !there.is_empty()
        });
        for key in &looked_at {
            self.show(&all, key);
        }
        looked_at
    }

    /// What a node that knows nothing is to be told.
    #[must_use]
    pub fn stands(&self) -> Vec<Notice> {
        let all = self.all.lock();
        all.here.keys().map(|key| Notice::viewing(key, &all.here(key))).collect()
    }

    /// Under the lock, as what follows: the last that is told is how it is.
    fn tell(&self, all: &All, key: &ConversationKey) {
        self.teller.tell(&Notice::viewing(key, &all.here(key)));
        self.show(all, key);
    }

    fn show(&self, all: &All, key: &ConversationKey) {
        if let Some(inbox) = &self.inbox {
            inbox.company(key, &all.everybody(key));
        }
    }
}

impl All {
    fn here(&self, key: &ConversationKey) -> Vec<Companion> {
        let here = self.here.get(key).into_iter().flatten();
        once_each(here.map(|viewer| &viewer.who))
    }

    fn everybody(&self, key: &ConversationKey) -> Vec<Companion> {
        let here = self.here.get(key).into_iter().flatten().map(|viewer| &viewer.who);
        let there = self.there.get(key).into_iter().flatten().map(|(_, who)| who);
        once_each(here.chain(there))
    }

    fn of(&self, key: &ConversationKey) -> Arc<[AgentRef]> {
        self.everybody(key).into_iter().map(|who| who.agent).collect()
    }
}

/// Each once, however many tabs they have; who types in one of them types.
fn once_each<'a>(viewers: impl Iterator<Item = &'a Companion>) -> Vec<Companion> {
    let mut all: Vec<Companion> = Vec::new();
    for viewer in viewers {
        match all.iter_mut().find(|known| known.agent.id == viewer.agent.id) {
            Some(known) => known.types |= viewer.types,
            None => all.push(viewer.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use switchboard_domain::ids::{AgentId, ConversationId, TenantId};

    use super::*;

    fn agent(n: u128) -> AgentRef {
        AgentRef { id: AgentId::from_u128(n), name: format!("Agent {n}").into() }
    }

    fn who(n: u128, types: bool) -> Companion {
        Companion { agent: agent(n), types }
    }

    #[test]
    fn who_looks_with_two_tabs_looks_until_both_are_gone() {
        let viewers = Viewers::default();
        let key = |tenant: &str| ConversationKey {
            tenant: TenantId(tenant.into()),
            conversation: ConversationId::from_u128(1),
        };
        let acme = key("acme");
        assert_eq!(*viewers.enter(&acme, 1, agent(1)), [agent(1)]);
        assert_eq!(*viewers.enter(&acme, 2, agent(1)), [agent(1)]);
        assert_eq!(*viewers.enter(&acme, 3, agent(2)), [agent(1), agent(2)]);
        assert!(viewers.of(&key("other")).is_empty());
        assert_eq!(*viewers.leave(&acme, 1), [agent(1), agent(2)]);
        assert_eq!(*viewers.leave(&acme, 2), [agent(2)]);
        assert!(viewers.leave(&acme, 3).is_empty());
        assert!(viewers.leave(&acme, 3).is_empty());
        assert!(viewers.all.lock().here.is_empty());
    }

    #[test]
    fn who_looks_on_another_node_looks_until_that_node_says_otherwise_or_is_gone() {
        let viewers = Viewers::default();
        let conversation = ConversationId::from_u128(1);
        let key = ConversationKey { tenant: TenantId("acme".into()), conversation };
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        assert!(!viewers.heard(&one, &key, vec![who(1, false), who(2, false)]));
        assert_eq!(*viewers.enter(&key, 1, agent(2)), [agent(2), agent(1)]);
        assert!(viewers.heard(&two, &key, vec![who(3, true)]));
        assert_eq!(
            viewers.stands(),
            [Notice::viewing(&key, &[who(2, false)])],
            "of this node alone"
        );
        assert!(viewers.heard(&one, &key, vec![who(1, false)]));
        assert_eq!(*viewers.of(&key), [agent(2), agent(3), agent(1)]);
        assert_eq!(*viewers.leave(&key, 1), [agent(3), agent(1)]);
        assert_eq!(viewers.gone(&one), std::slice::from_ref(&key));
        assert!(viewers.gone(&one).is_empty());
        viewers.heard(&two, &key, Vec::new());
        assert!(viewers.of(&key).is_empty() && viewers.all.lock().there.is_empty());
    }

    #[test]
    fn who_types_with_one_tab_types_until_that_one_stops_or_leaves() {
        let viewers = Viewers::default();
        let conversation = ConversationId::from_u128(1);
        let key = ConversationKey { tenant: TenantId("acme".into()), conversation };
        let all = || viewers.all.lock().everybody(&key);
        viewers.types(&key, 1, true);
        assert!(all().is_empty(), "who does not look is not shown");
        viewers.enter(&key, 1, agent(1));
        viewers.enter(&key, 2, agent(1));
        viewers.types(&key, 2, true);
        viewers.types(&key, 1, false);
        assert_eq!(all(), [who(1, true)]);
        viewers.types(&key, 2, false);
        assert_eq!(all(), [who(1, false)]);
        viewers.types(&key, 2, true);
        viewers.leave(&key, 2);
        assert_eq!(all(), [who(1, false)]);
        viewers.heard(&"one".into(), &key, vec![who(1, true)]);
        assert_eq!(all(), [who(1, true)], "on another node, too");
    }
}
