//! The threads that read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;

use super::queue::Queue;

/// Something to read; it answers its caller itself.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// One of the threads that share the queue of reads.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) queue: Arc<Queue<Read>>,
}

impl Reader {
    /// Works until the queue is closed and empty.
    pub(super) fn run(self) {
        let mut taken = Vec::with_capacity(1);
        while self.queue.take(&mut taken, 1).is_some() {
            for read in taken.drain(..) {
                // One poisonous read must not take the thread from all others. Its caller hears
                // of it, because the reply is dropped.
                let run = AssertUnwindSafe(|| read(&self.connection));
                if catch_unwind(run).is_err() {
                    tracing::error!("a read panicked");
                }
            }
        }
    }
}
