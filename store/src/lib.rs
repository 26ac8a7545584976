//! What is remembered: one port, several engines, one suite that each engine passes.
//!
//! The log of events is the truth and the only thing written before a message is acknowledged
//! (P1). Checkpoints, and the lists read from them, are derived from it: written later, coalesced
//! by their single owner, and repaired from the log at start.

pub mod port;
pub mod record;
pub mod load;
pub mod log;
pub mod memory;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "cql")]
pub mod cql;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use port::{
    Append, ConversationKey, Document, DocumentKey, Expect, Fault, HandOn, List, ListScope, Page,
    Range, Reading, Reply, SendLookup, Store,
};
