//! The conversation machine: requests become events, state is the fold of events.

mod event;
mod command;
mod rejection;
mod state;
mod dedupe;
mod decide;
mod stamp;
mod evolve;

pub use command::{Command, Request, Start, Target};
pub use decide::{Draft, decide};
pub use dedupe::{Dedupe, Device, Known, Sent};
pub use event::{
    AssignedBy, Body, Contact, Created, Event, Ordinals, Priority, Rating, Resolution, SendKey,
    Stream, TransferTarget,
};
pub use evolve::OutOfOrder;
pub use rejection::Rejection;
pub use stamp::stamp;
pub use state::{Conversation, Heads, Preview, Status, Transferred};

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod props;
