//! The body of a request: how large it may be and how slowly it may come.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::Limited;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use prometheus_client::metrics::counter::Counter;
use tokio::time::{Instant, Sleep};

/// The slowest that a body may come, in bytes a second, over one stretch of time.
const PACE_BYTES_PER_SECOND: u64 = 1_024;

/// A body that fails when it is larger than `bytes_max`, or comes more slowly than 1 KiB a second
/// over a stretch of `window` while somebody waits for it.
pub(super) fn bounded(body: Incoming, bytes_max: usize, window: Duration, slow: &Counter) -> Body {
    // Most requests have none; they need no box and no clock.
    if body.is_end_stream() {
        return Body::empty();
    }
    let paced = Paced { body, window, timer: None, seen: 0, slow: slow.clone() };
    Body::new(Limited::new(paced, bytes_max))
}

struct Paced<B> {
    body: B,
    window: Duration,
    /// Ends the stretch of time under way. There is none until somebody had to wait.
    timer: Option<Pin<Box<Sleep>>>,
    /// Bytes since the stretch began.
    seen: u64,
    slow: Counter,
}

/// The body came too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the body came more slowly than {PACE_BYTES_PER_SECOND} bytes a second")]
pub(super) struct TooSlow;

impl<B: HttpBody<Data = Bytes> + Unpin> Paced<B> {
    fn poll_pace(&mut self, context: &mut Context<'_>) -> Poll<TooSlow> {
        let least = self.window.as_secs().max(1).saturating_mul(PACE_BYTES_PER_SECOND);
        let window = self.window;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(window)));
        loop {
            ready!(timer.as_mut().poll(context));
            if std::mem::take(&mut self.seen) < least {
                self.slow.inc();
                return Poll::Ready(TooSlow);
            }
            timer.as_mut().reset(Instant::now() + window);
        }
    }
}

impl<B> HttpBody for Paced<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.seen = self.seen.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.poll_pace(context).map(|slow| Some(Err(slow.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    /// A body whose frames come when the test sends them.
    struct Dripping(mpsc::Receiver<usize>);

    impl HttpBody for Dripping {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            self.0
                .poll_recv(context)
                .map(|size| size.map(|size| Ok(Frame::data(vec![0; size].into()))))
        }
    }

    /// Sends `size` bytes each `gap`, `count` times, and says whether the body arrived whole.
    async fn arrives(size: usize, gap: Duration, count: usize) -> bool {
        let (drip, body) = mpsc::channel(1);
        let slow = Counter::default();
        let window = Duration::from_secs(10);
        let body = Paced { body: Dripping(body), window, timer: None, seen: 0, slow: slow.clone() };
        let dripping = async {
            for _ in 0..count {
                tokio::time::sleep(gap).await;
                if drip.send(size).await.is_err() {
                    break;
                }
            }
            drop(drip);
        };
        let collected = body.collect();
        let ((), collected) = tokio::join!(dripping, collected);
        assert_eq!(slow.get(), u64::from(collected.is_err()));
        collected.is_ok_and(|whole| whole.to_bytes().len() == size * count)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_below_the_pace_is_cut_and_one_above_it_is_not() {
        let second = Duration::from_secs(1);
        assert!(arrives(2_048, second, 60).await);
        assert!(!arrives(512, second, 60).await);
        assert!(!arrives(1, second, 60).await);
        assert!(arrives(100, second, 5).await, "a short one may take its time");
        assert!(!arrives(100_000, 11 * second, 3).await, "nothing for a whole stretch");
    }
}
