//! A socket that keeps the time of its turns: how long a request's head may take, and how long the
//! client may read nothing. It holds its places until it is dropped, also after an upgrade.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::Rules;
use super::gate::{AddressPlace, Place};
use super::wire::Wire;
use crate::metrics::Refused;

/// Whose turn it is. Written by the service and the socket of one connection, whose task runs on
/// one thread at a time.
#[derive(Debug)]
pub(super) struct Turns {
    turn: AtomicU8,
    /// Held for the client behind a proxy while the socket is an upgraded one of its own.
    upgraded_for: Mutex<Option<AddressPlace>>,
    rules: Arc<Rules>,
}

/// A request's head is on its way.
const HEAD: u8 = 0;
/// A request is being answered.
const BUSY: u8 = 1;
/// The answer is out; the next request has not begun.
const IDLE: u8 = 2;
/// Not HTTP any more.
const UPGRADED: u8 = 3;

impl Turns {
    pub(super) fn new(rules: Arc<Rules>) -> Arc<Self> {
        Arc::new(Self { turn: AtomicU8::new(HEAD), upgraded_for: Mutex::new(None), rules })
    }

    /// The head of a request is complete.
    pub(super) fn begin(&self) {
        self.turn.store(BUSY, Ordering::Relaxed);
    }

    /// The answer is out, or given up. An upgraded socket stays one.
    pub(super) fn end(&self) {
        let _was_busy =
            self.turn.compare_exchange(BUSY, IDLE, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The socket is handed to something that is not HTTP, on behalf of a client.
    pub(super) fn upgrade(&self, place: Option<AddressPlace>) {
        self.turn.store(UPGRADED, Ordering::Relaxed);
        *self.upgraded_for.lock() = place;
    }

    fn is(&self, turn: u8) -> bool {
        self.turn.load(Ordering::Relaxed) == turn
    }
}

/// The bytes beneath.
#[derive(Debug)]
pub(super) enum Stream {
    /// As they are; others may write as well.
    Plain(OwnedReadHalf, Wire),
    /// Encrypted; boxed, because it is a kilobyte.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn plain(stream: TcpStream) -> Self {
        let (reading, writing) = stream.into_split();
        Self::Plain(reading, Wire::new(writing))
    }

    /// Where frames may be sent past the socket's task.
    pub(super) fn wire(&self) -> Option<&Wire> {
        match self {
            Self::Plain(_, wire) => Some(wire),
            Self::Tls(_) => None,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Self::Plain(_, wire) = self {
            wire.cut();
        }
    }
}

#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    turns: Arc<Turns>,
    /// Runs while a head is on its way and has not come with one read.
    head_timer: Option<Pin<Box<Sleep>>>,
    /// Runs while a write waits.
    write_timer: Option<Pin<Box<Sleep>>>,
    _place: Place,
    _address: Option<AddressPlace>,
}

impl Socket {
    pub(super) fn new(
        stream: Stream,
        turns: Arc<Turns>,
        place: Place,
        address: Option<AddressPlace>,
    ) -> Self {
        Self {
            stream,
            turns,
            head_timer: None,
            write_timer: None,
            _place: place,
            _address: address,
        }
    }

    fn too_slow(&self) -> io::Error {
        self.turns.rules.metrics.connections.refuse(Refused::Slow);
        io::Error::from(io::ErrorKind::TimedOut)
    }

    /// A write that goes on ends the wait; one that does not may take only so long.
    fn watch_write<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_timer = None;
            return written;
        }
        let bound = self.turns.rules.config.write_timeout();
        if expired(&mut self.write_timer, bound, context) {
            return Poll::Ready(Err(self.too_slow()));
        }
        Poll::Pending
    }
}

/// Whether a timer has run out; it is started when it is not there.
fn expired(
    timer: &mut Option<Pin<Box<Sleep>>>,
    bound: Duration,
    context: &mut Context<'_>,
) -> bool {
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(bound)));
    timer.as_mut().poll(context).is_ready()
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let filled_before = buffer.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(reading, _) => Pin::new(reading).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        if !self.turns.is(HEAD) {
            self.head_timer = None;
        }
        match read {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > filled_before && self.turns.is(IDLE) {
                    self.turns.turn.store(HEAD, Ordering::Relaxed);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if self.turns.is(HEAD) => {
                let bound = self.turns.rules.config.head_timeout();
                if expired(&mut self.head_timer, bound, context) {
                    return Poll::Ready(Err(self.too_slow()));
                }
                Poll::Pending
            }
            other => other,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(_, wire) => wire.poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        self.watch_write(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(_, wire) => wire.poll_write_vectored(context, pieces),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        };
        self.watch_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(..) => true,
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.stream {
            Stream::Plain(_, wire) => wire.poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        };
        self.watch_write(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = match &mut self.stream {
            Stream::Plain(_, wire) => wire.poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        };
        self.watch_write(context, closed)
    }
}
