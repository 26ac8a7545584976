//! Who is connected: so that a drain reaches every socket at once, and an agent who writes to an
//! address whoever is here with it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_actors::delivery::{Delivery, Outlet};
use switchboard_domain::ids::{TenantId, VisitorId};
use switchboard_domain::person::Principal;

use crate::auth::Identity;

/// All authenticated sockets.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Sockets>);

#[derive(Debug, Default)]
struct Sockets {
    /// By their outlet.
    all: HashMap<u64, (Outlet, Arc<Identity>)>,
    /// Those of visitors whose site says what their mail address is, by it.
    verified: HashMap<Verified, Vec<(u64, VisitorId)>>,
}

/// A mail address within a tenant, in small letters.
type Verified = (TenantId, Box<str>);

impl Connections {
    /// Enters a socket, or again when it has renewed its credential.
    pub fn enter(&self, outlet: &Outlet, identity: &Arc<Identity>) {
        let mut sockets = self.0.lock();
        // A renewed token may say another address.
        sockets.remove(outlet.id());
        if let Some((address, visitor)) = verified(identity) {
            let same = sockets.verified.entry(address).or_default();
            same.push((outlet.id(), visitor));
        }
        sockets.all.insert(outlet.id(), (outlet.clone(), Arc::clone(identity)));
    }

    /// Removes a socket.
    pub fn leave(&self, outlet_id: u64) {
        let mut sockets = self.0.lock();
        sockets.remove(outlet_id);
        // After a burst the tables give their memory back.
        give_back(&mut sockets.all);
        give_back(&mut sockets.verified);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The visitor who is here and of whom the site says that this is their mail address; `None`
    /// also when it says so of several.
    #[must_use]
    pub fn verified_visitor(&self, tenant: &TenantId, email: &str) -> Option<VisitorId> {
        let sockets = self.0.lock();
        let ((_, first), others) = sockets.verified.get(&address(tenant, email))?.split_first()?;
        others.iter().all(|(_, other)| other == first).then_some(*first)
    }

    /// Tells every socket when to connect again, spread evenly over `spread_ms` (P9).
    pub fn drain(&self, spread_ms: u32) {
        let outlets = &self.0.lock().all;
        let n_outlets = u64::try_from(outlets.len()).unwrap_or(u64::MAX).max(1);
        for (idx, (outlet, _)) in (0u64..).zip(outlets.values()) {
            let reconnect_in_ms =
                u32::try_from(idx * u64::from(spread_ms) / n_outlets).unwrap_or(spread_ms);
            outlet.push(Delivery::Drain { reconnect_in_ms });
        }
    }
}

impl Sockets {
    fn remove(&mut self, outlet_id: u64) {
        let Some((_, identity)) = self.all.remove(&outlet_id) else { return };
        let Some((address, _)) = verified(&identity) else { return };
        if let Some(same) = self.verified.get_mut(&address) {
            same.retain(|(id, _)| *id != outlet_id);
            if same.is_empty() {
                self.verified.remove(&address);
            }
        }
    }
}

/// The visitor and their mail address, if the site says so.
fn verified(identity: &Identity) -> Option<(Verified, VisitorId)> {
    let Principal::Visitor(visitor) = identity.caller.author.principal else { return None };
    let email = identity.person.as_ref()?.value.email.as_deref()?;
    Some((address(&identity.tenant, email), visitor))
}

fn address(tenant: &TenantId, email: &str) -> Verified {
    (tenant.clone(), email.to_ascii_lowercase().into())
}

fn give_back<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    if table.capacity() > 1_024 && table.len() < table.capacity() / 8 {
        table.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use switchboard_actors::subscriber::{Receiver, queue};
    use switchboard_domain::person::{Author, Caller, Role};

    use super::*;
    use crate::auth::Via;
    use crate::directory::person::{Profile, Sight, Source};
    use crate::directory::testing::{Setup, tenant};

    /// Somebody of whom a site says this address, as a visitor or as an agent.
    async fn told(
        setup: &Setup,
        of: &str,
        subject: &str,
        email: &str,
        role: Role,
    ) -> Arc<Identity> {
        let profile = Profile { email: Some(email.into()), ..Profile::default() };
        let sight = Sight { profile, role, issued_at: setup.tick() };
        let source = Source::Key("k".into());
        let tenant = tenant(of);
        let person = setup.directory.provision(&tenant, &source, subject, &sight).await.unwrap();
        let id = person.value.id;
        let principal = match role {
            Role::Visitor => Principal::Visitor(VisitorId::new(id.uuid())),
            _ => Principal::Agent(id),
        };
        let caller = Caller { author: Author { principal, name: None }, role };
        let person = Some(person);
        Arc::new(Identity { tenant, caller, person, expires_at: None, via: Via::Token })
    }

    #[tokio::test]
    async fn the_only_visitor_of_whom_a_site_says_an_address_is_found_by_it() {
        let setup = Setup::new().await;
        let connections = Connections::default();
        let mut queues: Vec<Receiver<Delivery>> = Vec::new();
        let mut enter = |identity: &Arc<Identity>| {
            let (outlet, queue) = queue();
            connections.enter(&outlet, identity);
            queues.push(queue);
            outlet
        };
        let find = |of: &str, email: &str| connections.verified_visitor(&tenant(of), email);
        let id = |identity: &Identity| Some(VisitorId::new(identity.id()));
        const EVE: &str = "eve@example.com";

        let eve = told(&setup, "acme", "eve", "Eve@Example.com", Role::Visitor).await;
        let agent = told(&setup, "acme", "ada", EVE, Role::Agent).await;
        let foreign = told(&setup, "other", "eve", EVE, Role::Visitor).await;
        enter(&agent);
        assert_eq!(find("acme", EVE), None);
        let (here, there) = (enter(&eve), enter(&eve));
        let elsewhere = enter(&foreign);
        assert_eq!((find("acme", EVE), find("other", EVE)), (id(&eve), id(&foreign)));
        assert_eq!(find("acme", "ann@example.com"), None);

        // Of two with one address nobody can say which it is, until one has left.
        let twin = told(&setup, "acme", "twin", EVE, Role::Visitor).await;
        let other = enter(&twin);
        assert_eq!(find("acme", EVE), None);
        connections.leave(here.id());
        assert_eq!(find("acme", EVE), None);
        // The token that renews says that hers is another.
        let moved = told(&setup, "acme", "twin", "ann@example.com", Role::Visitor).await;
        connections.enter(&other, &moved);
        assert_eq!((find("acme", EVE), find("acme", "ANN@example.com")), (id(&eve), id(&twin)));

        for outlet in [&there, &elsewhere, &other, &other] {
            connections.leave(outlet.id());
        }
        assert_eq!((find("acme", EVE), find("other", EVE)), (None, None));
        assert_eq!(connections.len(), 1, "the agent");
        assert!(connections.0.lock().verified.is_empty());
    }
}
