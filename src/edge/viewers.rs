//! Which agents look at which conversation. A connection looks at one at most, and its entry ends
//! with it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_domain::person::AgentRef;
use switchboard_store::ConversationKey;

/// Everybody who looks at something, by what they look at.
#[derive(Debug, Default)]
pub struct Viewers(Mutex<HashMap<ConversationKey, Vec<Viewer>>>);

#[derive(Debug)]
struct Viewer {
    outlet_id: u64,
    agent: AgentRef,
}

impl Viewers {
    /// A connection begins to look; answers who looks now.
    pub fn enter(&self, key: &ConversationKey, outlet_id: u64, agent: AgentRef) -> Arc<[AgentRef]> {
        let mut all = self.0.lock();
        let viewers = all.entry(key.clone()).or_default();
        viewers.retain(|viewer| viewer.outlet_id != outlet_id);
        viewers.push(Viewer { outlet_id, agent });
        agents(viewers)
    }

    /// A connection looks no more; answers who still does.
    pub fn leave(&self, key: &ConversationKey, outlet_id: u64) -> Arc<[AgentRef]> {
        let mut all = self.0.lock();
        let Some(viewers) = all.get_mut(key) else { return Arc::default() };
        viewers.retain(|viewer| viewer.outlet_id != outlet_id);
        let left = agents(viewers);
        if viewers.is_empty() {
            all.remove(key);
        }
        left
    }

    /// Who looks now.
    #[must_use]
    pub fn of(&self, key: &ConversationKey) -> Arc<[AgentRef]> {
        self.0.lock().get(key).map(|viewers| agents(viewers)).unwrap_or_default()
    }
}

/// Each once, however many tabs they have.
fn agents(viewers: &[Viewer]) -> Arc<[AgentRef]> {
    let mut agents: Vec<AgentRef> = Vec::with_capacity(viewers.len());
    for viewer in viewers {
        if agents.iter().all(|known| known.id != viewer.agent.id) {
            agents.push(viewer.agent.clone());
        }
    }
    agents.into()
}

#[cfg(test)]
mod tests {
    use switchboard_domain::ids::{AgentId, ConversationId, TenantId};

    use super::*;

    fn agent(n: u128) -> AgentRef {
        AgentRef { id: AgentId::from_u128(n), name: format!("Agent {n}").into() }
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
        assert!(viewers.0.lock().is_empty());
    }
}
