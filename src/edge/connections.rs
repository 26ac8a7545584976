//! Who is connected: so that a drain reaches every socket at once, and an agent who writes to a
//! visitor those of the visitor.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_actors::delivery::{Delivery, Outlet};
use switchboard_domain::ids::{TenantId, VisitorId};
use switchboard_domain::person::Principal;

use crate::auth::Identity;

/// All authenticated sockets, by their outlet.
#[derive(Debug, Default)]
pub struct Connections(Mutex<HashMap<u64, (Outlet, Arc<Identity>)>>);

impl Connections {
    /// Enters a socket, or again when it has renewed its credential.
    pub fn enter(&self, outlet: &Outlet, identity: &Arc<Identity>) {
        self.0.lock().insert(outlet.id(), (outlet.clone(), Arc::clone(identity)));
    }

    /// Removes a socket.
    pub fn leave(&self, outlet_id: u64) {
        let mut outlets = self.0.lock();
        outlets.remove(&outlet_id);
        // After a burst the table gives its memory back.
        if outlets.capacity() > 1_024 && outlets.len() < outlets.capacity() / 8 {
            outlets.shrink_to_fit();
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells every socket of a visitor; answers how many there were.
    pub fn tell_visitor(
        &self,
        tenant: &TenantId,
        visitor: VisitorId,
        delivery: &Delivery,
    ) -> usize {
        let principal = Principal::Visitor(visitor);
        let sockets = self.0.lock();
        let own = sockets.values().filter(|(_, identity)| {
            identity.tenant == *tenant && identity.caller.author.principal == principal
        });
        own.filter(|(outlet, _)| outlet.push(delivery.clone()).is_heard()).count()
    }

    /// The visitor who is here and of whom the site says that this is their mail address; `None`
    /// also when it says so of several.
    #[must_use]
    pub fn verified_visitor(&self, tenant: &TenantId, email: &str) -> Option<VisitorId> {
        let sockets = self.0.lock();
        let mut found = None;
        for (_, identity) in sockets.values().filter(|(_, identity)| identity.tenant == *tenant) {
            let Principal::Visitor(visitor) = identity.caller.author.principal else { continue };
            let told = identity.person.as_ref().and_then(|person| person.value.email.as_deref());
            if told.is_some_and(|told| told.eq_ignore_ascii_case(email))
                && found.replace(visitor).is_some_and(|other| other != visitor)
            {
                return None;
            }
        }
        found
    }

    /// Tells every socket when to connect again, spread evenly over `spread_ms` (P9).
    pub fn drain(&self, spread_ms: u32) {
        let outlets = self.0.lock();
        let n_outlets = u64::try_from(outlets.len()).unwrap_or(u64::MAX).max(1);
        for (idx, (outlet, _)) in (0u64..).zip(outlets.values()) {
            let reconnect_in_ms =
                u32::try_from(idx * u64::from(spread_ms) / n_outlets).unwrap_or(spread_ms);
            outlet.push(Delivery::Drain { reconnect_in_ms });
        }
    }
}
