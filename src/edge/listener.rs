//! The accept loop: who may connect, how long each step may take, and how it ends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config;

/// The section `[listener]`: bounds of the accept loop and of HTTP.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Sockets at a time. When the process may open fewer files, that counts.
    pub connections_max: usize,
    /// Sockets at a time from one address (an IPv6 network of 64 bits counts as one); only in
    /// `production`. Offices share an address, so it is not small.
    pub connections_per_address_max: usize,
    /// Milliseconds for the TLS handshake.
    pub handshake_timeout_ms: u64,
    /// Milliseconds from the first byte of a request to the end of its head; for the first
    /// request of a connection, from the connection's start.
    pub head_timeout_ms: u64,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Milliseconds that a connection may wait for its next request. Keep it above the same
    /// setting of a proxy before us, or the proxy will meet closed connections.
    pub idle_timeout_ms: u64,
    /// Milliseconds in which a body must bring 1 KiB a second on average, or end.
    pub body_timeout_ms: u64,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Milliseconds that a client may take without reading anything we have written.
    pub write_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            connections_per_address_max: 256,
            handshake_timeout_ms: 10_000,
            head_timeout_ms: 10_000,
            head_bytes_max: 16 * 1024,
            idle_timeout_ms: 75_000,
            body_timeout_ms: 10_000,
            body_bytes_max: 128 * 1024,
            write_timeout_ms: 30_000,
        }
    }
}

impl Config {
    /// The TLS handshake's bound.
    #[must_use]
    pub const fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }

    /// A request head's bound.
    #[must_use]
    pub const fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms)
    }

    /// The bound of waiting for a next request.
    #[must_use]
    pub const fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    /// The stretch of time a body's pace is measured over.
    #[must_use]
    pub const fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    /// The bound of a write that goes nowhere.
    #[must_use]
    pub const fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }

    /// Refuses what would let nobody in.
    ///
    /// # Errors
    ///
    /// [`config::Error::Value`].
    pub fn check(&self) -> Result<(), config::Error> {
        let bounds = [
            ("connections_max", as_u64(self.connections_max), 1),
            ("connections_per_address_max", as_u64(self.connections_per_address_max), 1),
            ("handshake_timeout_ms", self.handshake_timeout_ms, 1),
            ("head_timeout_ms", self.head_timeout_ms, 1),
            ("head_bytes_max", as_u64(self.head_bytes_max), 1_024),
            ("idle_timeout_ms", self.idle_timeout_ms, 1),
            ("body_timeout_ms", self.body_timeout_ms, 1),
            ("body_bytes_max", as_u64(self.body_bytes_max), 1_024),
            ("write_timeout_ms", self.write_timeout_ms, 1),
        ];
        for (key, value, least) in bounds {
            if value < least {
                let what = format!("must be at least {least}");
                return Err(config::value(&format!("listener.{key}"), &what));
            }
        }
        Ok(())
    }
}

fn as_u64(bound: usize) -> u64 {
    u64::try_from(bound).unwrap_or(u64::MAX)
}
