//! Sends that are not answered yet. Their answers go to the client without waking the connection,
//! which only has to know how many there are, and since when.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use tokio::time::Instant;

/// The sends of one client.
#[derive(Debug, Default)]
pub(super) struct Sends(Arc<Mutex<Unanswered>>);

#[derive(Debug, Default)]
struct Unanswered {
    /// Each by its number; mostly one and never many.
    since: Vec<(u64, Instant)>,
    last: u64,
    /// The connection's task, while it reads nothing because there are too many.
    waiting: Option<Waker>,
}

/// One send under way; dropped when it is answered.
#[derive(Debug)]
pub(super) struct Sending {
    sends: Arc<Mutex<Unanswered>>,
    number: u64,
}

impl Sends {
    pub(super) fn begin(&self, now: Instant) -> Sending {
        let mut unanswered = self.0.lock();
        unanswered.last += 1;
        let number = unanswered.last;
        // Clients wait for their answers: do not begin with room for four.
        let is_first = usize::from(unanswered.since.is_empty());
        unanswered.since.reserve_exact(is_first);
        unanswered.since.push((number, now));
        Sending { sends: Arc::clone(&self.0), number }
    }

    /// Since when the oldest one waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.0.lock().since.first().map(|(_, since)| *since)
    }

    /// Waits until there are fewer than so many. Cancel safe.
    pub(super) async fn fewer_than(&self, max: usize) {
        poll_fn(|context| {
            let mut unanswered = self.0.lock();
            if unanswered.since.len() < max {
                return Poll::Ready(());
            }
            unanswered.waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut unanswered = self.sends.lock();
        unanswered.since.retain(|(number, _)| *number != self.number);
        if unanswered.since.is_empty() && unanswered.since.capacity() > 1 {
            // An idle client keeps little.
            unanswered.since = Vec::new();
        }
        let waiting = unanswered.waiting.take();
        drop(unanswered);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn whoever_has_too_many_waits_until_one_is_answered() {
        let sends = Sends::default();
        let now = Instant::now();
        assert_eq!(sends.oldest(), None);
        let first = sends.begin(now);
        let later = now + tokio::time::Duration::from_secs(1);
        let second = sends.begin(later);
        assert_eq!(sends.oldest(), Some(now));
        let waits = sends.fewer_than(2);
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        drop(first);
        waits.await;
        assert_eq!(sends.oldest(), Some(later));
        drop(second);
        assert_eq!(sends.oldest(), None);
    }
}
