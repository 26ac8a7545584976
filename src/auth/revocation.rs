//! Open connections by person, so that whoever is disabled is out at once and not at the end of
//! a token. Costs a connection nothing while it is idle: no timer, no wake-up.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_actors::{Delivery, Outlet};
use switchboard_domain::ids::TenantId;
use switchboard_domain::person::Role;
use uuid::Uuid;

use super::Via;

/// Who, in which tenant.
type Whom = (TenantId, Uuid);

/// All open connections of a node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Revocations(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    by_person: HashMap<Whom, Vec<Entry>>,
    /// How many came with each key of a widget, by its name.
    by_site_key: HashMap<Arc<str>, usize>,
    n_entered: u64,
}

/// What a connection came with, and what was known of its person then.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) via: Via,
    /// The bound of the role and the name; `None` for whoever has no account.
    pub(super) person: Option<(Option<Role>, Arc<str>)>,
}

/// How a connection stands, now that what is known of it may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    /// It speaks under a name of before.
    Renamed,
    Over,
}

/// One connection.
#[derive(Clone, Debug)]
struct Entry {
    /// Tells it from the entry that a renewal puts in its place.
    id: u64,
    came: Came,
    outlet: Outlet,
}

/// One connection's entry; ends with it.
#[derive(Debug)]
#[must_use = "the connection is revocable only as long as this lives"]
pub struct Registration {
    open: Revocations,
    whom: Whom,
    id: u64,
}

impl Revocations {
    /// Enters a connection.
    pub(super) fn register(
        &self,
        tenant: TenantId,
        person: Uuid,
        came: Came,
        outlet: &Outlet,
    ) -> Registration {
        let whom = (tenant, person);
        let mut open = self.0.lock();
        open.n_entered += 1;
        let id = open.n_entered;
        if let Via::Site(name) = &came.via {
            *open.by_site_key.entry(Arc::clone(name)).or_default() += 1;
        }
        let entry = Entry { id, came, outlet: outlet.clone() };
        // As a rule it stays the only one.
        open.by_person.entry(whom.clone()).or_insert_with(|| Vec::with_capacity(1)).push(entry);
        Registration { open: self.clone(), whom, id }
    }

    /// Tells every open connection of a person that its credential is no longer good; answers
    /// how many there were.
    pub(super) fn revoke(&self, tenant: &TenantId, person: Uuid) -> usize {
        self.revoke_where(tenant, person, |_| true)
    }

    /// The same for those of the person's connections that came with what has ended.
    pub(super) fn revoke_where(
        &self,
        tenant: &TenantId,
        person: Uuid,
        is_ended: impl Fn(&Via) -> bool,
    ) -> usize {
        tell(self.of(tenant, person).iter().filter(|entry| is_ended(&entry.came.via)))
    }

    /// The same for everybody's of a tenant. It looks at every connection of the node: for what
    /// happens as rarely as the replacement of a key.
    pub(super) fn revoke_everywhere(
        &self,
        tenant: &TenantId,
        is_ended: impl Fn(&Via) -> bool,
    ) -> usize {
        let open = self.0.lock();
        let of_tenant = open.by_person.iter().filter(|((of, _), _)| of == tenant);
        tell(of_tenant.flat_map(|(_, entries)| entries).filter(|entry| is_ended(&entry.came.via)))
    }

    /// The names of the widgets' keys that open connections came with.
    pub(super) fn site_keys(&self) -> Vec<Arc<str>> {
        self.0.lock().by_site_key.keys().cloned().collect()
    }

    /// Tells every open connection of a person something; answers how many hear it.
    pub(super) fn tell(&self, tenant: &TenantId, person: Uuid, delivery: &Delivery) -> usize {
        let entries = self.of(tenant, person);
        entries.iter().filter(|entry| entry.outlet.push(delivery.clone()).is_heard()).count()
    }

    /// Tells every open connection of a person to come again, because what it knows of the person
    /// is of before.
    pub(super) fn renew(&self, tenant: &TenantId, person: Uuid) {
        for entry in self.of(tenant, person) {
            entry.outlet.push(Delivery::Drain { reconnect_in_ms: 0 });
        }
    }

    /// Everybody who is connected.
    pub(super) fn everybody(&self) -> Vec<(TenantId, Uuid)> {
        self.0.lock().by_person.keys().cloned().collect()
    }

    /// Whoever of a tenant is connected by what is asked for.
    pub(super) fn those_by(&self, tenant: &TenantId, is_it: impl Fn(&Via) -> bool) -> Vec<Uuid> {
        let open = self.0.lock();
        let by_it = |entries: &[Entry]| entries.iter().any(|entry| is_it(&entry.came.via));
        let found = open.by_person.iter().filter(|((of, _), it)| of == tenant && by_it(it));
        found.map(|((_, person), _)| *person).collect()
    }

    /// What each connection of a person came with.
    pub(super) fn came(&self, tenant: &TenantId, person: Uuid) -> Vec<(Came, Outlet)> {
        self.of(tenant, person).into_iter().map(|entry| (entry.came, entry.outlet)).collect()
    }

    fn of(&self, tenant: &TenantId, person: Uuid) -> Vec<Entry> {
        self.0.lock().by_person.get(&(tenant.clone(), person)).cloned().unwrap_or_default()
    }
}

fn tell<'a>(ended: impl Iterator<Item = &'a Entry>) -> usize {
    let mut n_told = 0;
    for entry in ended {
        entry.outlet.push(Delivery::Revoked);
        n_told += 1;
    }
    n_told
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.open.0.lock();
        let Some(entries) = open.by_person.get_mut(&self.whom) else { return };
        let Some(idx) = entries.iter().position(|entry| entry.id == self.id) else { return };
        let entry = entries.remove(idx);
        if entries.is_empty() {
            open.by_person.remove(&self.whom);
        }
        if let Via::Site(name) = &entry.came.via
            && let Some(n_open) = open.by_site_key.get_mut(name)
        {
            *n_open -= 1;
            if *n_open == 0 {
                open.by_site_key.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use switchboard_actors::subscriber::queue;

    use super::*;

    fn came(via: Via) -> Came {
        Came { via, person: None }
    }

    fn acme() -> TenantId {
        TenantId("acme".into())
    }

    #[test]
    fn a_revocation_reaches_every_connection_of_that_person_and_no_other() {
        let revocations = Revocations::default();
        let (ada, ben) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first, mut first_queue) = queue();
        let (second, mut second_queue) = queue();
        let (third, mut third_queue) = queue();
        let _first = revocations.register(acme(), ada, came(Via::Token), &first);
        let _second =
            revocations.register(acme(), ada, came(Via::SignIn(Uuid::from_u128(7))), &second);
        let _third = revocations.register(acme(), ben, came(Via::Token), &third);
        let (elsewhere, mut elsewhere_queue) = queue();
        let _elsewhere =
            revocations.register(TenantId("other".into()), ada, came(Via::Token), &elsewhere);

        assert_eq!(revocations.revoke(&acme(), ada), 2);

        assert!(matches!(first_queue.try_next(), Some(Ok(Delivery::Revoked))));
        assert!(matches!(second_queue.try_next(), Some(Ok(Delivery::Revoked))));
        assert!(third_queue.try_next().is_none());
        assert!(elsewhere_queue.try_next().is_none());

        let ping = Delivery::Drain { reconnect_in_ms: 7 };
        assert_eq!(revocations.tell(&acme(), ada, &ping), 2);
        let is_it = |heard| matches!(heard, Some(Ok(Delivery::Drain { reconnect_in_ms: 7 })));
        assert!(is_it(first_queue.try_next()) && is_it(second_queue.try_next()));
        assert!(third_queue.try_next().is_none() && elsewhere_queue.try_next().is_none());
        drop(first_queue);
        assert_eq!(revocations.tell(&acme(), ada, &ping), 1, "one hears nothing any more");
    }

    #[test]
    fn the_end_of_a_sign_in_reaches_its_connections_alone() {
        let revocations = Revocations::default();
        let (ada, phone, desk) = (Uuid::from_u128(1), Uuid::from_u128(7), Uuid::from_u128(8));
        let (first, mut first_queue) = queue();
        let (second, mut second_queue) = queue();
        let (third, mut third_queue) = queue();
        let _first = revocations.register(acme(), ada, came(Via::SignIn(phone)), &first);
        let _second = revocations.register(acme(), ada, came(Via::SignIn(desk)), &second);
        let _third = revocations.register(acme(), ada, came(Via::Token), &third);

        assert_eq!(revocations.revoke_where(&acme(), ada, |via| *via == Via::SignIn(phone)), 1);

        assert!(matches!(first_queue.try_next(), Some(Ok(Delivery::Revoked))));
        assert!(second_queue.try_next().is_none());
        assert!(third_queue.try_next().is_none());
    }

    #[test]
    fn the_end_of_a_key_reaches_whoever_came_with_it_in_its_tenant() {
        let revocations = Revocations::default();
        let signed = |name: &str| Via::Site(name.into());
        let (ada, ben) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first, mut first_queue) = queue();
        let (second, mut second_queue) = queue();
        let (third, mut third_queue) = queue();
        let _first = revocations.register(acme(), ada, came(signed("old")), &first);
        let _second = revocations.register(acme(), ben, came(signed("new")), &second);
        let other = TenantId("other".into());
        let _third = revocations.register(other, ben, came(signed("old")), &third);

        let mut keys = revocations.site_keys();
        keys.sort_unstable();
        assert_eq!(keys, ["new".into(), "old".into()]);

        assert_eq!(revocations.revoke_everywhere(&acme(), |via| *via == signed("old")), 1);

        assert!(matches!(first_queue.try_next(), Some(Ok(Delivery::Revoked))));
        assert!(second_queue.try_next().is_none());
        assert!(third_queue.try_next().is_none());
    }

    #[test]
    fn a_renewed_connection_stands_under_what_it_came_with_last() {
        let revocations = Revocations::default();
        let (ada, phone, desk) = (Uuid::from_u128(1), Uuid::from_u128(7), Uuid::from_u128(8));
        let (outlet, mut queue) = queue();
        let before = revocations.register(acme(), ada, came(Via::SignIn(phone)), &outlet);
        let _now = revocations.register(acme(), ada, came(Via::SignIn(desk)), &outlet);
        drop(before);

        let of = |sign_in| move |via: &Via| *via == Via::SignIn(sign_in);
        assert_eq!(revocations.revoke_where(&acme(), ada, of(phone)), 0);
        assert!(queue.try_next().is_none());
        assert_eq!(revocations.revoke_where(&acme(), ada, of(desk)), 1);
        assert!(matches!(queue.try_next(), Some(Ok(Delivery::Revoked))));
    }

    #[test]
    fn a_connection_that_ended_leaves_nothing_behind() {
        let revocations = Revocations::default();
        let (outlet, _queue) = queue();
        let register =
            |via: Via| revocations.register(acme(), Uuid::from_u128(1), came(via), &outlet);
        let (first, second) = (register(Via::Site("key".into())), register(Via::Token));
        let third = register(Via::Site("key".into()));
        drop((first, second));
        assert_eq!(revocations.site_keys(), ["key".into()]);
        drop(third);
        let open = revocations.0.lock();
        assert!(open.by_person.is_empty() && open.by_site_key.is_empty());
    }
}
