//! A connection that can be cut from outside, and that cuts itself when its peer reads nothing.
//!
//! The framework ends a session without closing the socket of a peer that does not read; cutting
//! it here frees the writer and all that waits in it.

use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// How long one write may make no progress.
const STALL: Duration = Duration::from_secs(5);
/// How long the kernel sends again what nobody acknowledges.
const USER_TIMEOUT: Duration = Duration::from_secs(8);

/// Ends a connection, once. Clones end the same one.
#[derive(Clone, Debug)]
pub(super) struct Cut(Arc<watch::Sender<bool>>);

impl Cut {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(super) fn cut(&self) {
        self.0.send_replace(true);
    }

    fn is_cut(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is cut.
    pub(super) async fn done(&self) {
        // The sender lives as long as this does.
        drop(self.0.subscribe().wait_for(|is_cut| *is_cut).await);
    }

    fn wait(&self) -> Waiting {
        let cut = self.clone();
        Box::pin(async move { cut.done().await })
    }
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A stream as the framework takes it.
pub(super) struct Socket<S> {
    pub(super) stream: S,
    pub(super) cut: Cut,
    /// Tells connections apart.
    pub(super) label: String,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> ClusterBidiStream for Socket<S> {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (read, write) = tokio::io::split(self.stream);
        let reader = Reader { inner: read, wait: self.cut.wait(), cut: self.cut.clone() };
        let wait = self.cut.wait();
        (Box::new(reader), Box::new(Writer { inner: write, cut: self.cut, wait, stall: None }))
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.label.clone())
    }
}

struct Reader<S> {
    inner: S,
    cut: Cut,
    wait: Waiting,
}

impl<S: AsyncRead + Unpin> AsyncRead for Reader<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        // Also of a peer that never stops sending nothing more is read.
        if self.cut.is_cut() {
            return Poll::Ready(Err(was_cut()));
        }
        if let ready @ Poll::Ready(_) = Pin::new(&mut self.inner).poll_read(context, buffer) {
            return ready;
        }
        self.wait.as_mut().poll(context).map(|()| Err(was_cut()))
    }
}

struct Writer<S> {
    inner: S,
    cut: Cut,
    wait: Waiting,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        if self.cut.is_cut() {
            return Poll::Ready(Err(was_cut()));
        }
        if let ready @ Poll::Ready(_) = write(Pin::new(&mut self.inner), context) {
            self.stall = None;
            return ready;
        }
        if self.wait.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(was_cut()));
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL)));
        if stall.as_mut().poll(context).is_ready() {
            self.stall = None;
            self.cut.cut();
            return Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the peer reads nothing")));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Writer<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.poll(context, |inner, context| inner.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll(context, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll(context, AsyncWrite::poll_shutdown)
    }
}

/// Sets a connection up to be quick, and to notice a peer that is gone.
pub(super) fn tune(stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(Duration::from_secs(5))
            .with_interval(Duration::from_secs(2))
            .with_retries(3),
    )?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

fn was_cut() -> Error {
    Error::new(ErrorKind::ConnectionAborted, "the link was cut")
}
