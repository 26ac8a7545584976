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
use crate::notices::{Notice, Teller};

/// All authenticated sockets of this node.
#[derive(Debug, Default)]
pub struct Connections {
    sockets: Mutex<Sockets>,
    teller: Teller,
}

#[derive(Debug, Default)]
struct Sockets {
    /// By their outlet.
    all: HashMap<u64, (Outlet, Arc<Identity>)>,
    /// Those of visitors whose site says what their mail address is, by it.
    verified: HashMap<Verified, Vec<(u64, VisitorId)>>,
    /// The same of other nodes, each with its node.
    verified_there: HashMap<Verified, Vec<(Arc<str>, VisitorId)>>,
}

/// A mail address within a tenant, in small letters.
type Verified = (TenantId, Box<str>);

impl Connections {
    /// None so far; other nodes are told through that.
    #[must_use]
    pub fn new(teller: Teller) -> Self {
        Self { teller, ..Self::default() }
    }

    /// Enters a socket, or again when it has renewed its credential.
    pub fn enter(&self, outlet: &Outlet, identity: &Arc<Identity>) {
        let mut sockets = self.sockets.lock();
        // A renewed token may say another address.
        self.tell(sockets.remove(outlet.id()));
        if let Some((address, visitor)) = verified(identity) {
            let same = sockets.verified.entry(address.clone()).or_default();
            let is_news = same.iter().all(|(_, known)| *known != visitor);
            same.push((outlet.id(), visitor));
            self.tell(is_news.then_some((address, visitor, true)));
        }
        sockets.all.insert(outlet.id(), (outlet.clone(), Arc::clone(identity)));
    }

    /// Removes a socket.
    pub fn leave(&self, outlet_id: u64) {
        let mut sockets = self.sockets.lock();
        self.tell(sockets.remove(outlet_id));
        // After a burst the tables give their memory back.
        give_back(&mut sockets.all);
        give_back(&mut sockets.verified);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sockets.lock().all.len()
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
        let (sockets, address) = (self.sockets.lock(), address(tenant, email));
        let here = sockets.verified.get(&address).into_iter().flatten().map(|(_, it)| *it);
        let there = sockets.verified_there.get(&address).into_iter().flatten().map(|(_, it)| *it);
        let mut all = here.chain(there);
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }

    /// A visitor with a verified address came to another node, or has left it.
    pub fn heard(
        &self,
        node: &Arc<str>,
        tenant: &TenantId,
        email: &str,
        visitor: VisitorId,
        is_there: bool,
    ) {
        let (mut sockets, address) = (self.sockets.lock(), address(tenant, email));
        let there = sockets.verified_there.entry(address.clone()).or_default();
        there.retain(|(of, known)| of != node || *known != visitor);
        if is_there {
            there.push((Arc::clone(node), visitor));
        }
        if there.is_empty() {
            sockets.verified_there.remove(&address);
        }
    }

    /// A node is gone, and whoever was there.
    pub fn gone(&self, node: &Arc<str>) {
        self.sockets.lock().verified_there.retain(|_, there| {
            there.retain(|(of, _)| of != node);
            !there.is_empty()
        });
    }

    /// What a node that knows nothing is to be told.
    #[must_use]
    pub fn stands(&self) -> Vec<Notice> {
        let sockets = self.sockets.lock();
        let all = sockets.verified.iter();
        all.flat_map(|(address, visitors)| {
            visitors.iter().map(|(_, visitor)| notice(address, *visitor, true))
        })
        .collect()
    }

    fn tell(&self, news: Option<(Verified, VisitorId, bool)>) {
        if let Some((address, visitor, is_here)) = news {
            self.teller.tell(&notice(&address, visitor, is_here));
        }
    }

    /// Tells every socket when to connect again, spread evenly over `spread_ms` (P9).
    pub fn drain(&self, spread_ms: u32) {
        let outlets = &self.sockets.lock().all;
        let n_outlets = u64::try_from(outlets.len()).unwrap_or(u64::MAX).max(1);
        for (idx, (outlet, _)) in (0u64..).zip(outlets.values()) {
            let reconnect_in_ms =
                u32::try_from(idx * u64::from(spread_ms) / n_outlets).unwrap_or(spread_ms);
            outlet.push(Delivery::Drain { reconnect_in_ms });
        }
    }
}

impl Sockets {
    /// Removes a socket; answers whose last one it was, if their address is verified.
    fn remove(&mut self, outlet_id: u64) -> Option<(Verified, VisitorId, bool)> {
        let (_, identity) = self.all.remove(&outlet_id)?;
        let (address, visitor) = verified(&identity)?;
        let same = self.verified.get_mut(&address)?;
        same.retain(|(id, _)| *id != outlet_id);
        let is_last = same.iter().all(|(_, known)| *known != visitor);
        if same.is_empty() {
            self.verified.remove(&address);
        }
        is_last.then_some((address, visitor, false))
    }
}

fn notice((tenant, email): &Verified, visitor: VisitorId, is_here: bool) -> Notice {
    Notice::Verified {
        tenant: Arc::clone(&tenant.0),
        email: (**email).into(),
        visitor: visitor.uuid().as_u128(),
        is_here,
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
        assert!(connections.sockets.lock().verified.is_empty());
    }
}
