//! Which sends are stored already: the memory behind safe retries (P3).
//!
//! Numbers are dense per device, so one counter per device tells old from new. The positions of
//! the newest few are kept for the answer; older ones, and devices that were forgotten to keep
//! this bounded, are looked up in the log, which has the key on each event.

use std::collections::VecDeque;

use super::event::{SendKey, Stream};
use crate::ids::{DeviceId, Seq};
use crate::person::Principal;

/// The devices that wrote, most recently heard last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dedupe {
    /// At most [`crate::limit::DEVICES_KEPT_MAX`].
    pub devices: VecDeque<Device>,
    /// Whether a device was ever forgotten; only then must an unknown one be looked up.
    pub forgotten: bool,
}

/// One outbox of one principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Whose outbox.
    pub principal: Principal,
    /// Which outbox.
    pub device: DeviceId,
    /// The newest number stored.
    pub last_n: u64,
    /// The newest sends, oldest first; at most [`crate::limit::SENDS_KEPT_MAX`].
    pub recent: VecDeque<Sent>,
}

/// A send that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub n: u64,
    /// Digest of its content.
    pub digest: u64,
    /// The stream of its event.
    pub stream: Stream,
    /// The position of its event.
    pub seq: Seq,
}

/// What is known of a key before a command is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Not stored, and next in its outbox: decide it.
    Fresh,
    /// Stored: answer with this position again and store nothing.
    Duplicate(Sent),
    /// Stored with other content: refuse.
    Conflict,
    /// A number was left out: refuse.
    Gap {
        /// The number expected next.
        expect: u64,
    },
    /// Stored or not, only the log knows: look it up, [`Dedupe::remember`] what it says and ask again.
    LookUp,
}

impl Dedupe {
    /// What is known of `key` of `principal`.
    #[must_use]
    pub fn check(&self, principal: Principal, key: SendKey) -> Known {
        let Some(device) = self.find(principal, key.device) else {
            return match (self.forgotten, key.n) {
                (true, _) => Known::LookUp,
                (false, 1) => Known::Fresh,
                (false, _) => Known::Gap { expect: 1 },
            };
        };
        if key.n == device.last_n + 1 {
            return Known::Fresh;
        }
        if key.n > device.last_n {
            return Known::Gap { expect: device.last_n + 1 };
        }
        match device.recent.iter().find(|sent| sent.n == key.n) {
            Some(sent) if sent.digest == key.digest => Known::Duplicate(*sent),
            Some(_) => Known::Conflict,
            None => Known::LookUp,
        }
    }

    fn find(&self, principal: Principal, device: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|known| known.principal == principal && known.device == device)
    }
}
