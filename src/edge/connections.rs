//! Who is connected: so that a drain reaches every socket at once.

use std::collections::HashMap;

use parking_lot::Mutex;
use switchboard_actors::delivery::{Delivery, Outlet};

/// All authenticated sockets, by their outlet.
#[derive(Debug, Default)]
pub struct Connections(Mutex<HashMap<u64, Outlet>>);

impl Connections {
    /// Enters a socket.
    pub fn enter(&self, outlet: &Outlet) {
        self.0.lock().insert(outlet.id(), outlet.clone());
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

    /// Tells every socket when to connect again, spread evenly over `spread_ms` (P9).
    pub fn drain(&self, spread_ms: u32) {
        let outlets = self.0.lock();
        let n_outlets = u64::try_from(outlets.len()).unwrap_or(u64::MAX).max(1);
        for (idx, outlet) in (0u64..).zip(outlets.values()) {
            let reconnect_in_ms =
                u32::try_from(idx * u64::from(spread_ms) / n_outlets).unwrap_or(spread_ms);
            outlet.push(Delivery::Drain { reconnect_in_ms });
        }
    }
}
