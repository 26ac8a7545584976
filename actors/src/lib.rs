//! Who acts: the supervised actors of a node, and the handles that the doors call.
//!
//! Calls go down one order and have a time-out: queue, presence, conversation, store. Everything
//! else is a cast. No handle exposes a mailbox: each admits through a bounded number of permits,
//! because the mailboxes themselves are unbounded.

pub mod answer;
pub mod published;
pub mod subscriber;
pub mod delivery;
pub mod clock;
pub mod meter;
pub mod sabotage;
mod mailbox;
mod maps;
mod supervisor;
mod world;
mod fanout;
mod conversation;
mod checkpoint;
mod remote;
pub mod region;
pub mod duties;
mod cards;
mod tenant;
pub mod presence;
pub mod inbox;
pub mod queue;
pub mod observe;
pub mod system;

#[cfg(test)]
mod testing;

pub use answer::{Done, History, Refusal, Stored, Subscribed, View};
pub use delivery::{Delivery, Outlet};
pub use published::Published;
pub use system::{Config, System};
