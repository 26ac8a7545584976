//! The writing half of a plain socket, for more than its own task.
//!
//! A WebSocket's task sleeps most of the time. To tell its client one event, waking it costs more
//! than the event; so whoever has the event may put a whole frame on the wire itself
//! ([`Wire::send`]), as long as nothing else is half written there. Who may do so, and in which
//! order, is the connection's affair; here is only made sure that frames stay whole.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;

/// A handle of the writing half. It keeps no socket open: that is its task's affair.
#[derive(Clone)]
pub struct Wire(Arc<Mutex<Half>>);

struct Half {
    /// `None` once the socket's task has dropped it.
    socket: Option<OwnedWriteHalf>,
    /// What the socket did not take of a frame that was sent past its task.
    rest: Vec<u8>,
    /// Whether the task's own last write was cut short, so that its next one goes on with it.
    is_cut_short: bool,
}

/// How much of a frame was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// All of it.
    Whole,
    /// Its beginning; the socket's task sends the rest with its next flush.
    Begun,
    /// Nothing.
    Nothing,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(socket: OwnedWriteHalf) -> Self {
        let half = Half { socket: Some(socket), rest: Vec::new(), is_cut_short: false };
        Self(Arc::new(Mutex::new(half)))
    }

    /// Sends a whole frame now, if the socket takes it and is not in the middle of another.
    #[must_use]
    pub fn send(&self, frame: &[u8]) -> Sent {
        let mut half = self.0.lock();
        if half.is_cut_short || !half.rest.is_empty() {
            return Sent::Nothing;
        }
        let Some(socket) = &half.socket else { return Sent::Nothing };
        match socket.try_write(frame) {
            Ok(n) if n == frame.len() => Sent::Whole,
            // Full, or broken, which its task finds out when it writes.
            Ok(0) | Err(_) => Sent::Nothing,
            Ok(n) => {
                half.rest = frame[n..].to_vec();
                Sent::Begun
            }
        }
    }

    /// Puts whole frames on the wire, for the socket's own task: what the socket does not take now
    /// leaves with the task's next flush, before anything else.
    ///
    /// # Errors
    ///
    /// The frames, when the task's own last write was cut short and has to be flushed first.
    pub fn put(&self, frames: Vec<u8>) -> Result<(), Vec<u8>> {
        let mut half = self.0.lock();
        if half.is_cut_short {
            return Err(frames);
        }
        if !half.rest.is_empty() {
            half.rest.extend_from_slice(&frames);
            return Ok(());
        }
        // Full, or broken, which the flush finds out.
        let n = half.socket.as_ref().map_or(0, |socket| socket.try_write(&frames).unwrap_or(0));
        if n < frames.len() {
            half.rest = frames[n..].to_vec();
        }
        Ok(())
    }

    /// The socket's task is gone, and with it the socket.
    pub(super) fn cut(&self) {
        let socket = self.0.lock().socket.take();
        drop(socket);
    }

    pub(super) fn poll_write(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0
            .lock()
            .poll_write(context, bytes.len(), |socket, context| socket.poll_write(context, bytes))
    }

    pub(super) fn poll_write_vectored(
        &self,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        self.0.lock().poll_write(context, length, |socket, context| {
            socket.poll_write_vectored(context, pieces)
        })
    }

    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_rest(context)
    }

    pub(super) fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut half = self.0.lock();
        ready!(half.poll_rest(context))?;
        match &mut half.socket {
            Some(socket) => Pin::new(socket).poll_shutdown(context),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Half {
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        length: usize,
        write: impl FnOnce(Pin<&mut OwnedWriteHalf>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_rest(context))?;
        let Some(socket) = &mut self.socket else { return Poll::Ready(Err(gone())) };
        let n = ready!(write(Pin::new(socket), context))?;
        self.is_cut_short = n < length;
        Poll::Ready(Ok(n))
    }

    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let Some(socket) = &mut self.socket else { return Poll::Ready(Err(gone())) };
            let n = ready!(Pin::new(socket).poll_write(context, &self.rest))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.drain(..n);
        }
        // An idle socket keeps nothing.
        self.rest = Vec::new();
        Poll::Ready(Ok(()))
    }
}

fn gone() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt;
    use tokio::net::tcp::OwnedReadHalf;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A wire, what keeps its socket open, and the client at its end.
    async fn wire() -> (Wire, OwnedReadHalf, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (reading, writing) = listener.accept().await.unwrap().0.into_split();
        let wire = Wire::new(writing);
        // The system says that a new socket can be written to.
        poll_fn(|context| wire.poll_write(context, b"")).await.unwrap();
        (wire, reading, client)
    }

    /// Sends a frame again and again, until its end does not fit; answers how often.
    fn fill(wire: &Wire, frame: &[u8]) -> usize {
        let whole = std::iter::repeat_with(|| wire.send(frame)).take_while(|sent| {
            assert_ne!(*sent, Sent::Nothing, "the buffer ends between two frames");
            *sent == Sent::Whole
        });
        whole.count() + 1
    }

    #[tokio::test]
    async fn what_the_socket_does_not_take_leaves_before_anything_else() {
        let (wire, _reading, mut client) = wire().await;
        let frame = vec![b'a'; 100_003];
        let n_frames = fill(&wire, &frame);
        assert_eq!(wire.send(b"between"), Sent::Nothing, "a frame is half sent");
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.map(|_| all)
        });
        poll_fn(|context| wire.poll_write(context, b"b")).await.unwrap();
        assert_eq!(wire.send(b"c"), Sent::Whole);
        wire.cut();
        assert_eq!(wire.send(b"d"), Sent::Nothing, "the socket is gone");
        let all = reader.await.unwrap().unwrap();
        assert_eq!(all.len(), n_frames * frame.len() + 2, "no byte is lost");
        assert_eq!(&all[all.len() - 3..], b"abc");
    }

    #[tokio::test]
    async fn what_its_task_puts_leaves_whole_and_in_order() {
        let (wire, _reading, mut client) = wire().await;
        wire.put(b"0".to_vec()).unwrap();
        let frame = vec![b'a'; 100_003];
        let n_frames = fill(&wire, &frame);
        for byte in *b"123" {
            wire.put(vec![byte; 1_000]).unwrap();
        }
        assert_eq!(wire.send(b"between"), Sent::Nothing, "more waits");
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.map(|_| all)
        });
        poll_fn(|context| wire.poll_flush(context)).await.unwrap();
        wire.cut();
        let all = reader.await.unwrap().unwrap();
        let put = [vec![b'1'; 1_000], vec![b'2'; 1_000], vec![b'3'; 1_000]].concat();
        assert_eq!(all.len(), 1 + n_frames * frame.len() + put.len(), "no byte is lost");
        assert!(all.starts_with(b"0a") && all.ends_with(&put));
    }

    #[tokio::test]
    async fn a_write_that_was_cut_short_lets_nothing_between() {
        let (wire, _reading, mut client) = wire().await;
        let frame = vec![b'a'; 16 << 20];
        let written = poll_fn(|context| wire.poll_write(context, &frame)).await.unwrap();
        assert!(written < frame.len(), "no socket takes so much at once");
        assert_eq!(wire.send(b"between"), Sent::Nothing);
        assert_eq!(wire.put(b"between".to_vec()), Err(b"between".to_vec()));
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.map(|_| all)
        });
        let mut rest = &frame[written..];
        while !rest.is_empty() {
            let n = poll_fn(|context| wire.poll_write(context, rest)).await.unwrap();
            rest = &rest[n..];
        }
        assert_eq!(wire.send(b"b"), Sent::Whole);
        wire.cut();
        let all = reader.await.unwrap().unwrap();
        assert_eq!(all.len(), frame.len() + 1);
        assert!(all.ends_with(b"ab"));
    }
}
