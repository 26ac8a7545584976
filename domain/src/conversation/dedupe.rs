//! Which sends are stored already: the memory behind safe retries (P3).
//!
//! Numbers are dense per device, so one counter per device tells old from new. The positions of
//! the newest few are kept for the answer; older ones, and devices that were forgotten to keep
//! this bounded, are looked up in the log, which has the key on each event.

use std::collections::VecDeque;

use super::event::{SendKey, Stream};
use crate::ids::{DeviceId, Seq};
use crate::limit::{DEVICES_KEPT_MAX, SENDS_KEPT_MAX};
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
    /// Stored or not, only the log knows: look it up and let [`Dedupe::remember`] answer.
    LookUp,
}

impl Dedupe {
    /// What is known of `key` of `principal`.
    #[must_use]
    pub fn check(&self, principal: Principal, key: SendKey) -> Known {
        let Some(idx) = self.position(principal, key.device) else {
            return if self.forgotten { Known::LookUp } else { next_after(0, key.n) };
        };
        let device = &self.devices[idx];
        if key.n == 0 || key.n > device.last_n {
            return next_after(device.last_n, key.n);
        }
        match device.recent.iter().find(|sent| sent.n == key.n) {
            Some(sent) => told(*sent, key),
            None => Known::LookUp,
        }
    }

    /// Takes in what the log says after [`Known::LookUp`]: the newest number stored of that device
    /// (0 for none) and the send of that key, if it is stored. Answers what `check` could not;
    /// never [`Known::LookUp`] again.
    ///
    /// A device that never wrote is not kept: asking costs a hostile client a look-up each time
    /// and us no memory.
    pub fn remember(
        &mut self,
        principal: Principal,
        key: SendKey,
        last_n: u64,
        sent: Option<Sent>,
    ) -> Known {
        if last_n == 0 && self.position(principal, key.device).is_none() {
            return next_after(0, key.n);
        }
        let device = self.newest(principal, key.device);
        device.last_n = device.last_n.max(last_n);
        if key.n == 0 || key.n > device.last_n {
            return next_after(device.last_n, key.n);
        }
        // A number that was used but has no event any more can mean no send of today.
        sent.map_or(Known::Conflict, |sent| told(sent, key))
    }

    /// Takes in a send that was stored now.
    pub fn record(&mut self, principal: Principal, key: SendKey, stream: Stream, seq: Seq) {
        let device = self.newest(principal, key.device);
        device.last_n = device.last_n.max(key.n);
        if device.recent.len() == SENDS_KEPT_MAX {
            device.recent.pop_front();
        }
        device.recent.push_back(Sent { n: key.n, digest: key.digest, stream, seq });
    }

    fn position(&self, principal: Principal, device: DeviceId) -> Option<usize> {
        self.devices.iter().position(|it| it.principal == principal && it.device == device)
    }

    /// The device, now the one most recently heard; the one heard longest ago makes room.
    fn newest(&mut self, principal: Principal, device: DeviceId) -> &mut Device {
        let known = self.position(principal, device).and_then(|idx| self.devices.remove(idx));
        if known.is_none() && self.devices.len() == DEVICES_KEPT_MAX {
            self.devices.pop_front();
            self.forgotten = true;
        }
        self.devices.push_back(known.unwrap_or_else(|| Device {
            principal,
            device,
            last_n: 0,
            recent: VecDeque::new(),
        }));
        let idx = self.devices.len() - 1;
        &mut self.devices[idx]
    }
}

/// What a number that is not stored means after `last_n`.
fn next_after(last_n: u64, n: u64) -> Known {
    let expect = last_n.saturating_add(1);
    if n == expect { Known::Fresh } else { Known::Gap { expect } }
}

/// What a stored send means for a key with its number.
fn told(sent: Sent, key: SendKey) -> Known {
    if sent.digest == key.digest { Known::Duplicate(sent) } else { Known::Conflict }
}
