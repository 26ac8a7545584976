//! Whether the engine still works. It fails once, for good, and remembers why.

use std::sync::Arc;

use tokio::sync::watch;

use crate::port::Fault;

/// Shared by everybody who must stop when the engine failed.
#[derive(Debug)]
pub(super) struct Health {
    failed: watch::Sender<Option<Arc<str>>>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { failed: watch::Sender::new(None) }
    }

    /// Fails the engine: from here on nothing is acknowledged. The first reason stays.
    pub(super) fn fail(&self, what: &str) {
        self.failed.send_if_modified(|failed| {
            if failed.is_some() {
                return false;
            }
            tracing::error!(reason = what, "the store failed; nothing more is acknowledged");
            *failed = Some(what.into());
            true
        });
    }

    /// Answers the fault once the engine failed.
    pub(super) fn check(&self) -> Result<(), Fault> {
        match &*self.failed.borrow() {
            None => Ok(()),
            Some(what) => Err(Fault::Failed { what: Arc::clone(what) }),
        }
    }

    /// The fault to answer when a thread went away without an answer.
    pub(super) fn fault(&self) -> Fault {
        self.check().err().unwrap_or_else(|| Fault::Failed { what: "the store is closed".into() })
    }

    /// Waits until the engine failed.
    pub(super) async fn failed(self: Arc<Self>) -> Fault {
        let mut failed = self.failed.subscribe();
        // The sender lives in `self`, so this only ends with a failure.
        drop(failed.wait_for(Option::is_some).await);
        self.fault()
    }
}
