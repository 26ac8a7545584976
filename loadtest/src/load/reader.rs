//! One live reader: follows a conversation, reconnects, resumes after the last position it heard.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{Heads, Role, Room, World, device, pause, seen};
use crate::client::frame::{Event, Frame};
use crate::client::{Connection, Error};
use crate::history::{Op, Stream};

/// The pause before a lost subscription is asked for again.
const LOST_AGAIN: Duration = Duration::from_millis(100);

struct Reader<'a> {
    world: &'a World,
    room: &'a Room,
    role: Role,
    number: u32,
    last: HashMap<Stream, u64>,
    /// Servers that it has left.
    left: u32,
}

/// Reads until the heads are named, then until it heard them or its time is up.
pub(super) async fn run(
    world: Arc<World>,
    room: usize,
    role: Role,
    mut heads: watch::Receiver<Option<Heads>>,
) {
    let Some(room) = world.rooms.get(room) else { return };
    let number = world.next_reader.fetch_add(1, Ordering::SeqCst);
    let mut last = HashMap::from([(Stream::Public, 0)]);
    if role != Role::Visitor {
        last.insert(Stream::Internal, 0);
    }
    let mut reader = Reader { world: &world, room, role, number, last, left: 0 };
    let device = device();
    loop {
        if let Some(target) = heads.borrow().clone()
            && reader.reached(&target)
        {
            break;
        }
        if let Err(Stop::Done) = reader.follow(&device, &mut heads).await {
            break;
        }
        reader.left += 1;
        pause().await;
    }
    for (stream, last) in &reader.last {
        let (conversation, stream, last) = (room.number, *stream, *last);
        world.recorder.push(Op::Stopped { reader: number, conversation, stream, last });
    }
}

enum Stop {
    /// The connection ended: come again.
    Again,
    /// The heads were reached, or the time is up.
    Done,
}

impl Reader<'_> {
    fn reached(&self, target: &Heads) -> bool {
        self.last.iter().all(|(stream, last)| {
            target.get(&(self.room.number, *stream)).is_none_or(|head| last >= head)
        })
    }

    /// Follows over one connection.
    async fn follow(
        &mut self,
        device: &str,
        heads: &mut watch::Receiver<Option<Heads>>,
    ) -> Result<(), Stop> {
        let at = self.world.address(self.number, self.left);
        let opened = self.world.connect(at, self.room, self.role, device).await;
        let mut connection = opened.or(Err(Stop::Again))?;
        let number = self.world.next_connection.fetch_add(1, Ordering::SeqCst);
        let mut asked = HashMap::new();
        let streams: Vec<Stream> = self.last.keys().copied().collect();
        for stream in streams {
            self.subscribe(&mut connection, stream, &mut asked).await?;
        }
        let catch_up = self.world.terms.catch_up;
        let mut deadline = None;
        loop {
            let target = heads.borrow_and_update().clone();
            if let Some(target) = target {
                deadline = deadline.or(Some(Instant::now() + catch_up));
                if self.reached(&target) {
                    connection.close().await;
                    return Err(Stop::Done);
                }
            }
            let end = deadline.unwrap_or_else(|| Instant::now() + catch_up * 100);
            let next = tokio::select! {
                next = timeout_at(end, connection.next()) => next.or(Err(Stop::Done))?,
                _ = heads.changed() => continue,
            };
            if let Some(bytes) = connection.leaked() {
                self.world.recorder.push(Op::Leaked { conversation: self.room.number, bytes });
            }
            match next {
                // Its owner is just changing: the subscription is lost, the connection stays.
                Ok(Frame::Refused(refusal)) if refusal.is_lost_subscription() => {
                    let after = refusal.retry_after_ms.map_or(LOST_AGAIN, Duration::from_millis);
                    tokio::time::sleep(after).await;
                    self.subscribe(&mut connection, refusal.stream, &mut asked).await?;
                }
                Ok(frame) => self.hear(number, &asked, frame)?,
                Err(error) => {
                    // Among many, who was cut off for being slow or in doubt has only to come again.
                    let odd = if self.world.terms.must_answer { 4008 } else { 4500 };
                    let is_odd = match &error {
                        Error::Protocol(_) => true,
                        Error::Closed { code, .. } => *code >= odd,
                        _ => false,
                    };
                    if is_odd {
                        self.world.complain(format!("reader {}: {error}", self.number));
                    }
                    return Err(Stop::Again);
                }
            }
        }
    }

    /// Subscribes after the last position that was heard.
    async fn subscribe(
        &self,
        connection: &mut Connection,
        stream: Stream,
        asked: &mut HashMap<Stream, u64>,
    ) -> Result<(), Stop> {
        let last = self.last.get(&stream).copied().unwrap_or(0);
        asked.insert(stream, last);
        let log = Some(self.room.log.as_str());
        let sent = connection.subscribe(&self.room.id, stream, log, Some(last)).await;
        sent.or(Err(Stop::Again))
    }

    fn hear(
        &mut self,
        connection_number: u32,
        asked: &HashMap<Stream, u64>,
        frame: Frame,
    ) -> Result<(), Stop> {
        match frame {
            Frame::Subscribed { stream, log, head, mode, from, .. } => {
                if log != self.room.log {
                    self.world.complain(format!("the log changed from {} to {log}", self.room.log));
                }
                let after = asked.get(&stream).copied().unwrap_or(0);
                self.world.recorder.push(Op::Subscribed {
                    reader: self.number,
                    connection: connection_number,
                    conversation: self.room.number,
                    stream,
                    after,
                    from,
                    head,
                    snapshot: mode == "snapshot",
                });
            }
            Frame::Event(event) => self.record(connection_number, event.stream, &event),
            Frame::Events { stream, items, .. } => {
                for event in &items {
                    self.record(connection_number, stream, event);
                }
            }
            Frame::Error { code } => {
                self.world.complain(format!("reader {}: error {code}", self.number));
            }
            Frame::Refused(refusal) => {
                self.world.complain(format!("reader {}: refused {refusal:?}", self.number));
                return Err(Stop::Again);
            }
            _ => {}
        }
        Ok(())
    }

    fn record(&mut self, connection: u32, stream: Stream, event: &Event) {
        if event.conversation.as_ref().is_some_and(|id| *id != self.room.id) {
            self.world.complain(format!("reader {} heard of another conversation", self.number));
        }
        let visitor = self.role == Role::Visitor;
        let seen = seen(self.room, stream, event);
        if let Some(last) = self.last.get_mut(&stream) {
            *last = seen.seq.max(*last);
        }
        self.world.recorder.push(Op::Live { reader: self.number, connection, visitor, seen });
    }
}
