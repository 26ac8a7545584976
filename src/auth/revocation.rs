//! Open connections by person, so that whoever is disabled is out at once and not at the end of
//! a token. Costs a connection nothing while it is idle: no timer, no wake-up.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_actors::{Delivery, Outlet};
use switchboard_domain::ids::TenantId;
use uuid::Uuid;

/// Who, in which tenant.
type Whom = (TenantId, Uuid);

/// All open connections of a node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Revocations(Arc<Mutex<HashMap<Whom, Vec<Entry>>>>);

/// One connection: the sign-in that it came with, if it did, and how to reach it.
type Entry = (Option<Uuid>, Outlet);

/// One connection's entry; ends with it.
#[derive(Debug)]
#[must_use = "the connection is revocable only as long as this lives"]
pub struct Registration {
    open: Revocations,
    whom: Whom,
    outlet_id: u64,
}

impl Revocations {
    /// Enters a connection.
    pub(super) fn register(
        &self,
        tenant: TenantId,
        person: Uuid,
        sign_in: Option<Uuid>,
        outlet: &Outlet,
    ) -> Registration {
        let whom = (tenant, person);
        self.0.lock().entry(whom.clone()).or_default().push((sign_in, outlet.clone()));
        Registration { open: self.clone(), whom, outlet_id: outlet.id() }
    }

    /// Tells every open connection of a person that its credential is no longer good; answers
    /// how many there were.
    pub(super) fn revoke(&self, tenant: &TenantId, person: Uuid) -> usize {
        self.revoke_where(tenant, person, |_| true)
    }

    /// The same for the connections of some of the person's sign-ins.
    pub(super) fn revoke_where(
        &self,
        tenant: &TenantId,
        person: Uuid,
        is_ended: impl Fn(Option<Uuid>) -> bool,
    ) -> usize {
        let mut open = self.0.lock().get(&(tenant.clone(), person)).cloned().unwrap_or_default();
        open.retain(|(sign_in, _)| is_ended(*sign_in));
        for (_, outlet) in &open {
            outlet.push(Delivery::Revoked);
        }
        open.len()
    }

    /// Tells every open connection of a person to come again, because what it knows of the person
    /// is of before.
    pub(super) fn renew(&self, tenant: &TenantId, person: Uuid) {
        let open = self.0.lock().get(&(tenant.clone(), person)).cloned().unwrap_or_default();
        for (_, outlet) in &open {
            outlet.push(Delivery::Drain { reconnect_in_ms: 0 });
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.open.0.lock();
        if let Some(outlets) = open.get_mut(&self.whom) {
            outlets.retain(|(_, outlet)| outlet.id() != self.outlet_id);
            if outlets.is_empty() {
                open.remove(&self.whom);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use switchboard_actors::subscriber::queue;

    use super::*;

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
        let _first = revocations.register(acme(), ada, None, &first);
        let _second = revocations.register(acme(), ada, Some(Uuid::from_u128(7)), &second);
        let _third = revocations.register(acme(), ben, None, &third);
        let (elsewhere, mut elsewhere_queue) = queue();
        let _elsewhere = revocations.register(TenantId("other".into()), ada, None, &elsewhere);

        assert_eq!(revocations.revoke(&acme(), ada), 2);

        assert!(matches!(first_queue.try_next(), Some(Ok(Delivery::Revoked))));
        assert!(matches!(second_queue.try_next(), Some(Ok(Delivery::Revoked))));
        assert!(third_queue.try_next().is_none());
        assert!(elsewhere_queue.try_next().is_none());
    }

    #[test]
    fn the_end_of_a_sign_in_reaches_its_connections_alone() {
        let revocations = Revocations::default();
        let (ada, phone, desk) = (Uuid::from_u128(1), Uuid::from_u128(7), Uuid::from_u128(8));
        let (first, mut first_queue) = queue();
        let (second, mut second_queue) = queue();
        let (third, mut third_queue) = queue();
        let _first = revocations.register(acme(), ada, Some(phone), &first);
        let _second = revocations.register(acme(), ada, Some(desk), &second);
        let _third = revocations.register(acme(), ada, None, &third);

        assert_eq!(revocations.revoke_where(&acme(), ada, |of| of == Some(phone)), 1);

        assert!(matches!(first_queue.try_next(), Some(Ok(Delivery::Revoked))));
        assert!(second_queue.try_next().is_none());
        assert!(third_queue.try_next().is_none());
    }

    #[test]
    fn a_connection_that_ended_leaves_nothing_behind() {
        let revocations = Revocations::default();
        let (outlet, _queue) = queue();
        let registration = revocations.register(acme(), Uuid::from_u128(1), None, &outlet);
        drop(registration);
        assert!(revocations.0.lock().is_empty());
    }
}
