//! Requests under way for one client. There is mostly one and never many, so they are a list that
//! is asked in order: answers that are ready together leave in the order of their requests.

use std::future::poll_fn;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Answer;

/// The requests of one client.
#[derive(Default)]
pub(super) struct UnderWay(Vec<BoxFuture<'static, Answer>>);

impl UnderWay {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, request: BoxFuture<'static, Answer>) {
        // Clients wait for their answers: do not begin with room for four.
        self.0.reserve_exact(usize::from(self.0.is_empty()));
        self.0.push(request);
    }

    /// The next answer. Waits for ever while nothing is under way. Cancel safe.
    pub(super) async fn next(&mut self) -> Answer {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// An answer, if there is one now.
    pub(super) async fn try_next(&mut self) -> Option<Answer> {
        poll_fn(|context| match self.poll_next(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Answer> {
        let answered = self.0.iter_mut().enumerate().find_map(|(idx, request)| {
            match request.poll_unpin(context) {
                Poll::Ready(answer) => Some((idx, answer)),
                Poll::Pending => None,
            }
        });
        let Some((idx, answer)) = answered else { return Poll::Pending };
        drop(self.0.remove(idx));
        if self.0.is_empty() && self.0.capacity() > 1 {
            // An idle client keeps little.
            self.0 = Vec::new();
        }
        Poll::Ready(answer)
    }
}
