//! What goes on around a conversation and is never stored: where the visitor is, and which agents
//! look.

use std::sync::Arc;

use switchboard_actors::delivery::Delivery;
use switchboard_domain::ids::ConversationId;
use switchboard_domain::person::Principal;
use switchboard_domain::trail::Page;

use super::Connection;
use crate::edge::native::caller;

/// Conversations of one visitor whose agents are told of a page: more than anybody has open.
const TOLD_MAX: usize = 8;

impl Connection {
    /// A visitor is on a page, and may have done something there: remembered, and told to the
    /// agents who see it.
    pub(super) fn page(&self, url: &str, title: &str, did: &str) {
        let Principal::Visitor(visitor) = self.identity.caller.author.principal else { return };
        let Some(page) = Page::new(url, title, self.doors.clock.now()) else { return };
        let page = page.doing(did);
        let tenant = &self.identity.tenant;
        if !self.doors.trails.follow(tenant, visitor, page.clone()) {
            return;
        }
        let page = Arc::new(page);
        for conversation in self.subscriptions.public().take(TOLD_MAX) {
            let key = self.doors.key(tenant, conversation);
            self.doors.conversations.page(&key, &self.identity.caller, &page);
        }
    }

    /// An agent looks at a conversation, or at none; colleagues who hear it are told. Nobody learns
    /// anything by it of a conversation that they do not see.
    pub(super) fn viewing(&mut self, conversation: Option<ConversationId>) {
        if let Some(before) = self.looks_at.take() {
            let key = self.doors.key(&self.identity.tenant, *before);
            let left = self.doors.viewers.leave(&key, self.outlet.id());
            self.doors.conversations.viewing(&key, &left);
        }
        let (Some(conversation), Ok(agent)) = (conversation, caller::agent(&self.identity)) else {
            return;
        };
        self.looks_at = Some(Box::new(conversation));
        let key = self.doors.key(&self.identity.tenant, conversation);
        let looking = self.doors.viewers.enter(&key, self.outlet.id(), agent);
        self.doors.conversations.viewing(&key, &looking);
    }

    /// Tells this client who looks at a conversation that it hears from now on.
    pub(super) fn tell_viewers(&self, conversation: ConversationId) {
        let key = self.doors.key(&self.identity.tenant, conversation);
        let agents = self.doors.viewers.of(&key);
        if !agents.is_empty() {
            self.outlet.push(Delivery::Viewing { conversation, agents });
        }
    }
}
