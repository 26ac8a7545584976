//! Time and fresh ids, passed in so that tests turn the clock by hand.

use std::fmt;

use switchboard_domain::ids::Timestamp;
use uuid::Uuid;

/// Where wall-clock time and fresh ids come from. Time-outs use tokio's clock, which tests pause.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time of day. It informs and never orders.
    fn now(&self) -> Timestamp;

    /// A fresh UUIDv7.
    fn fresh_id(&self) -> Uuid;
}
