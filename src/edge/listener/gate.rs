//! How many may be inside at a time: all together, and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

/// Counts those inside. Each holds a place and leaves by dropping it.
#[derive(Debug)]
pub(super) struct Gate {
    inside: AtomicUsize,
    inside_max: usize,
    shown: Gauge,
    /// `None` where addresses are not counted.
    per_address_max: Option<usize>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    emptied: Notify,
}

/// The right to be inside.
#[derive(Debug)]
pub(super) struct Place(Arc<Gate>);

/// The right of one address to be inside once more.
#[derive(Debug)]
pub(super) struct AddressPlace {
    gate: Arc<Gate>,
    network: IpAddr,
}

impl Gate {
    pub(super) fn new(
        inside_max: usize,
        per_address_max: Option<usize>,
        shown: Gauge,
    ) -> Arc<Self> {
        Arc::new(Self {
            inside: AtomicUsize::new(0),
            inside_max,
            shown,
            per_address_max,
            addresses: Mutex::new(HashMap::new()),
            emptied: Notify::new(),
        })
    }

    /// A place, unless all are taken.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        let entered = self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, |inside| {
            (inside < self.inside_max).then_some(inside + 1)
        });
        entered.ok()?;
        self.shown.inc();
        Some(Place(Arc::clone(self)))
    }

    /// A place for an address, unless it has taken all of its own. `Ok(None)` where addresses are
    /// not counted.
    pub(super) fn enter_from(
        self: &Arc<Self>,
        address: IpAddr,
    ) -> Result<Option<AddressPlace>, AddressFull> {
        let Some(most) = self.per_address_max else { return Ok(None) };
        let network = network(address);
        let mut addresses = self.addresses.lock();
        let taken = addresses.entry(network).or_default();
        if *taken >= most {
            return Err(AddressFull);
        }
        *taken += 1;
        drop(addresses);
        Ok(Some(AddressPlace { gate: Arc::clone(self), network }))
    }

    /// How many are inside.
    pub(super) fn inside(&self) -> usize {
        self.inside.load(Ordering::Acquire)
    }

    /// Waits until nobody is inside. Only sensible once nobody enters any more.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.inside() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

/// An address has taken all of its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressFull;

/// One person can have every address of an IPv6 network of 64 bits, so that it counts as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.shown.dec();
        if self.0.inside.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut addresses = self.gate.addresses.lock();
        if let Some(taken) = addresses.get_mut(&self.network) {
            *taken -= 1;
            if *taken == 0 {
                addresses.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_opens_again_when_one_leaves() {
        let gate = Gate::new(2, None, Gauge::default());
        let first = gate.enter().unwrap();
        let _second = gate.enter().unwrap();
        assert!(gate.enter().is_none());
        drop(first);
        assert!(gate.enter().is_some());
    }

    #[test]
    fn an_address_takes_no_more_than_its_own_and_others_none_of_its() {
        let gate = Gate::new(10, Some(2), Gauge::default());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = gate.enter_from(address("2001:db8::1")).unwrap();
        let _second = gate.enter_from(address("2001:db8::2")).unwrap();
        assert!(gate.enter_from(address("2001:db8::3")).is_err(), "one network of 64 bits");
        let _third = gate.enter_from(address("2001:db8:0:1::1")).unwrap();
        let _fourth = gate.enter_from(address("192.0.2.1")).unwrap();
        let _fifth = gate.enter_from(address("::ffff:192.0.2.1")).unwrap();
        assert!(gate.enter_from(address("192.0.2.1")).is_err(), "a mapped address is the same");
        drop(first);
        let _sixth = gate.enter_from(address("2001:db8::3")).unwrap();
    }

    #[test]
    fn an_address_that_left_is_forgotten() {
        let gate = Gate::new(10, Some(2), Gauge::default());
        drop(gate.enter_from("192.0.2.1".parse().unwrap()).unwrap());
        assert!(gate.addresses.lock().is_empty());
    }

    #[tokio::test]
    async fn a_gate_is_emptied_when_the_last_leaves() {
        let gate = Gate::new(10, None, Gauge::default());
        let place = gate.enter().unwrap();
        let emptied = gate.emptied();
        tokio::pin!(emptied);
        assert!(futures_util::poll!(&mut emptied).is_pending());
        drop(place);
        emptied.await;
    }
}
