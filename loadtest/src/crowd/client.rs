//! One connection of the crowd: a visitor in a conversation of their own, or an agent who listens to
//! hundreds. It comes back as the client of widget and console does: after a wait that is drawn anew
//! and grows, at any of the nodes, as behind a name that stands for all of them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::death::{Attempt, Lost};
use super::open::Room;
use super::{Crowd, Order};
use crate::client::frame::{Event, Frame, Refusal};
use crate::client::{Connection, Encoding, Error};
use crate::history::{Key, Op, Seen, Stream};
use crate::rng::Rng;

/// The first wait is drawn from this, each later one from twice as much.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// But no wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// From the attempt until the server is ready.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection that lived so long was good: waits begin small again.
const STABLE: Duration = Duration::from_secs(10);
/// The pause before a lost subscription is asked for again.
const LOST_AGAIN: Duration = Duration::from_millis(500);
/// The pause before a refused message is sent again, unless the server names one.
const BUSY_AGAIN: Duration = Duration::from_millis(500);
/// Subscriptions asked for at once: the server reads no more while sixteen wait.
const ASKED_MAX: usize = 8;

/// One connection, over all its sockets.
#[derive(Debug)]
pub(super) struct Client {
    crowd: Arc<Crowd>,
    /// As reader and as sender.
    number: u32,
    token: String,
    is_visitor: bool,
    /// The node that it comes to next.
    at: usize,
    places: Vec<Place>,
    by_id: HashMap<String, usize>,
    device: String,
    rng: Rng,
    /// Messages begun.
    n: u64,
    under_way: Option<UnderWay>,
}

/// Where it has got in one conversation.
#[derive(Debug)]
struct Place {
    room: Arc<Room>,
    last: u64,
    /// The position that the running request resumes after.
    asked_after: u64,
    stands: bool,
}

/// A message that is not acked.
#[derive(Clone, Debug)]
struct UnderWay {
    text: Arc<str>,
    /// When the newest attempt was made; `None` before the first and after a refusal.
    sent_us: Option<u64>,
}

/// What one socket has to do.
#[derive(Debug)]
struct Agenda {
    connection: u32,
    /// Which places are to be asked for, and when.
    asks: VecDeque<(Instant, usize)>,
    n_asked: usize,
    /// When the message that is under way is to be sent, or the next one is begun.
    talks_at: Option<Instant>,
}

enum End {
    /// The socket is gone, with this close code.
    Lost(u16),
    Over,
}

impl Client {
    /// A visitor who talks.
    pub(super) fn visitor(crowd: &Arc<Crowd>, at: usize, room: Arc<Room>) -> Self {
        let token = room.secret.clone().unwrap_or_default();
        Self::new(crowd, at, token, vec![(room, 0)], true)
    }

    /// An agent who listens to these.
    pub(super) fn agent(crowd: &Arc<Crowd>, at: usize, rooms: Vec<Arc<Room>>) -> Self {
        let places = rooms.into_iter().map(|room| {
            let head = room.head;
            (room, head)
        });
        Self::new(crowd, at, crowd.agent.clone(), places.collect(), false)
    }

    fn new(
        crowd: &Arc<Crowd>,
        at: usize,
        token: String,
        rooms: Vec<(Arc<Room>, u64)>,
        is_visitor: bool,
    ) -> Self {
        let number = crowd.next_number();
        let ids = rooms.iter().enumerate();
        let by_id = ids.map(|(idx, (room, _))| (room.id.clone(), idx)).collect();
        let place = |(room, last)| Place { room, last, asked_after: last, stands: false };
        Self {
            crowd: Arc::clone(crowd),
            number,
            token,
            is_visitor,
            at,
            places: rooms.into_iter().map(place).collect(),
            by_id,
            device: uuid::Uuid::new_v4().to_string(),
            rng: Rng::new(crowd.seed ^ (u64::from(number) << 20)),
            n: 0,
            under_way: None,
        }
    }

    /// Comes, and comes back, until it is over.
    pub(super) async fn run(mut self) {
        let mut orders = self.crowd.order.subscribe();
        let mut waits = 0;
        while *orders.borrow_and_update() != Order::Leave {
            let client = self.number;
            let at_us = self.crowd.recorder.now_us();
            self.crowd.tally.lock().attempts.push(Attempt { at_us, client });
            if let Ok(Ok(mut connection)) = timeout(HANDSHAKE, self.connect()).await {
                let node = self.at;
                self.crowd.tally.lock().came(node);
                let ready_at = Instant::now();
                let end = self.follow(&mut connection, &mut orders).await;
                self.fall();
                self.crowd.tally.lock().went(node);
                let End::Lost(code) = end else {
                    connection.close().await;
                    break;
                };
                let is_in_doubt = self.is_in_doubt();
                let at_us = self.crowd.recorder.now_us();
                self.crowd.tally.lock().lost.push(Lost { at_us, node, code, is_in_doubt });
                if ready_at.elapsed() > STABLE {
                    waits = 0;
                }
            } else {
                self.crowd.tally.lock().refused(self.at);
            }
            let longest = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.saturating_pow(waits));
            waits = (waits + 1).min(16);
            sleep(self.rng.between(Duration::ZERO, longest)).await;
            self.at = self.rng.index(self.crowd.cluster.len());
        }
        for Place { room, last, .. } in self.places.iter().filter(|it| it.room.is_judged()) {
            let (conversation, stream) = (room.number, Stream::Public);
            let reader = self.number;
            self.crowd.recorder.push(Op::Stopped { reader, conversation, stream, last: *last });
        }
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let at = self.crowd.cluster.get(self.at).copied();
        let at = at.ok_or_else(|| std::io::Error::other("no such node"))?;
        let mut connection = Connection::open(at, Encoding::Json).await?;
        connection.hello(&self.token, &self.device).await?;
        Ok(connection)
    }

    /// Subscribes, hears and talks over one socket.
    async fn follow(
        &mut self,
        connection: &mut Connection,
        orders: &mut watch::Receiver<Order>,
    ) -> End {
        let now = Instant::now();
        let mut agenda = Agenda {
            connection: self.crowd.next_number(),
            asks: (0..self.places.len()).map(|idx| (now, idx)).collect(),
            n_asked: 0,
            // What was not acked is sent again.
            talks_at: self.under_way.as_ref().map(|_| now),
        };
        let mut order = *orders.borrow_and_update();
        self.plan_talk(&mut agenda, order);
        loop {
            if order == Order::Leave {
                return End::Over;
            }
            if let Err(error) = self.act(connection, &mut agenda, order).await {
                return End::Lost(code(&error));
            }
            let ask_at = agenda.asks.front().filter(|_| agenda.n_asked < ASKED_MAX);
            let ask_at = ask_at.map(|(at, _)| *at);
            let wakes_at = ask_at.into_iter().chain(agenda.talks_at).min();
            let wakes_at = wakes_at.unwrap_or_else(|| Instant::now() + LONGEST_WAIT);
            tokio::select! {
                heard = connection.next() => match heard {
                    Ok(frame) => self.hear(&mut agenda, frame, order),
                    Err(error) => return End::Lost(code(&error)),
                },
                () = sleep_until(wakes_at) => {}
                _ = orders.changed() => {
                    order = *orders.borrow_and_update();
                    self.plan_talk(&mut agenda, order);
                }
            }
        }
    }

    /// Asks and sends what is due.
    async fn act(
        &mut self,
        connection: &mut Connection,
        agenda: &mut Agenda,
        order: Order,
    ) -> Result<(), Error> {
        let now = Instant::now();
        while let Some((at, idx)) = agenda.asks.front().copied()
            && at <= now
            && agenda.n_asked < ASKED_MAX
        {
            agenda.asks.pop_front();
            agenda.n_asked += 1;
            let Some(place) = self.places.get_mut(idx) else { continue };
            place.asked_after = place.last;
            self.crowd.tally.lock().n_asked += 1;
            let (id, log) = (&place.room.id, Some(&*place.room.log));
            connection.subscribe(id, Stream::Public, log, Some(place.last)).await?;
        }
        if agenda.talks_at.is_some_and(|at| at <= now) {
            agenda.talks_at = None;
            self.talk(connection, order).await?;
        }
        Ok(())
    }

    /// Sends the message that is under way, or the next.
    async fn talk(&mut self, connection: &mut Connection, order: Order) -> Result<(), Error> {
        let Some(place) = self.places.first() else { return Ok(()) };
        if self.under_way.is_none() {
            if order == Order::Hush {
                return Ok(());
            }
            self.n += 1;
            let text = format!("hello {} {} {}", place.room.number, self.number, self.n);
            self.under_way = Some(UnderWay { text: text.into(), sent_us: None });
            self.crowd.under_way.fetch_add(1, Ordering::AcqRel);
        }
        let key = self.key();
        let Some(under_way) = &mut self.under_way else { return Ok(()) };
        let at_us = self.crowd.recorder.now_us();
        under_way.sent_us = Some(at_us);
        let text = Arc::clone(&under_way.text);
        let frame = json!({
            "type": "send", "conversation": place.room.id, "n": self.n, "kind": "message",
            "body": {"text": &*text},
        });
        self.crowd.recorder.push(Op::Attempt { at_us, key, stream: Stream::Public, text });
        connection.send(&frame).await
    }

    fn hear(&mut self, agenda: &mut Agenda, frame: Frame, order: Order) {
        match frame {
            Frame::Subscribed { conversation, head, from, mode, log, .. } => {
                agenda.n_asked = agenda.n_asked.saturating_sub(1);
                let Some(place) = self.place(Some(&conversation)) else { return };
                place.stands = true;
                let (room, after) = (Arc::clone(&place.room), place.asked_after);
                self.crowd.stands();
                if log != room.log {
                    self.crowd.complain(format!("the log of {conversation} changed"));
                }
                if room.is_judged() {
                    self.crowd.recorder.push(Op::Subscribed {
                        reader: self.number,
                        connection: agenda.connection,
                        conversation: room.number,
                        stream: Stream::Public,
                        after,
                        from,
                        head,
                        snapshot: mode == "snapshot",
                    });
                }
            }
            Frame::Event(event) => {
                let conversation = event.conversation.clone();
                self.record(agenda.connection, conversation.as_deref(), &event);
            }
            Frame::Events { conversation, items, .. } => {
                for event in &items {
                    self.record(agenda.connection, Some(&conversation), event);
                }
            }
            Frame::Ack { n, seq, id } => {
                let (key, at_us) = (self.key(), self.crowd.recorder.now_us());
                self.crowd.recorder.push(Op::Acked { at_us, key, seq, id: id.into() });
                if n == self.n
                    && let Some(UnderWay { sent_us, .. }) = self.under_way.take()
                {
                    self.crowd.under_way.fetch_sub(1, Ordering::AcqRel);
                    if let (Some(place), Some(sent_us)) = (self.places.first(), sent_us) {
                        place.room.pulse.fetch_max(sent_us, Ordering::AcqRel);
                    }
                }
                self.plan_talk(agenda, if order == Order::Hush { order } else { Order::Talk });
            }
            Frame::Nack { code, retry_after_ms, .. } => {
                let key = self.key();
                if matches!(&*code, "gap" | "conflict") {
                    self.crowd.complain(format!("{key:?}: nack {code}"));
                }
                self.crowd.recorder.push(Op::Refused { key, code: code.into() });
                if let Some(under_way) = &mut self.under_way {
                    under_way.sent_us = None;
                }
                let after = retry_after_ms.map_or(BUSY_AGAIN, Duration::from_millis);
                agenda.talks_at = Some(Instant::now() + after);
            }
            Frame::Refused(refusal) => self.refused(agenda, &refusal),
            Frame::Error { code } => self.crowd.complain(format!("error {code}")),
            _ => {}
        }
    }

    /// A subscription was not to be had, or ended.
    fn refused(&mut self, agenda: &mut Agenda, refusal: &Refusal) {
        if !refusal.is_lost_subscription() {
            self.crowd.complain(format!("client {}: refused {refusal:?}", self.number));
        }
        let Some(id) = refusal.conversation.as_deref() else { return };
        let Some(idx) = self.by_id.get(id).copied() else { return };
        let Some(place) = self.places.get_mut(idx) else { return };
        if place.stands {
            place.stands = false;
            self.crowd.falls(1);
        } else {
            agenda.n_asked = agenda.n_asked.saturating_sub(1);
        }
        agenda.asks.push_back((Instant::now() + LOST_AGAIN, idx));
    }

    fn record(&mut self, connection: u32, conversation: Option<&str>, event: &Event) {
        let (reader, visitor) = (self.number, self.is_visitor);
        let Some(place) = self.place(conversation) else { return };
        place.last = event.seq.max(place.last);
        let room = Arc::clone(&place.room);
        let heard = if visitor { &room.heard } else { &room.heard_by_agent };
        heard.fetch_max(event.seq, Ordering::AcqRel);
        if room.is_judged() {
            let seen = Seen {
                conversation: room.number,
                stream: Stream::Public,
                seq: event.seq,
                id: event.id.as_str().into(),
                text: event.text().map(Into::into),
            };
            self.crowd.recorder.push(Op::Live { reader, connection, visitor, seen });
        }
    }

    /// The place of a conversation; of a visitor there is one.
    fn place(&mut self, conversation: Option<&str>) -> Option<&mut Place> {
        let idx = conversation.map_or(Some(0), |id| self.by_id.get(id).copied());
        if idx.is_none() {
            self.crowd.complain(format!("client {} heard of another's", self.number));
        }
        self.places.get_mut(idx?)
    }

    /// When to talk next; what is under way has a time of its own.
    fn plan_talk(&mut self, agenda: &mut Agenda, order: Order) {
        if !self.is_visitor || self.under_way.is_some() {
            return;
        }
        let longest = match order {
            Order::Talk => self.crowd.rest * 2,
            Order::TalkWithin(longest) => longest,
            Order::Hush | Order::Leave => {
                agenda.talks_at = None;
                return;
            }
        };
        agenda.talks_at = Some(Instant::now() + self.rng.between(Duration::ZERO, longest));
    }

    /// No subscription stands any more.
    fn fall(&mut self) {
        let standing = self.places.iter_mut().filter(|place| place.stands);
        let fallen = standing.map(|place| place.stands = false).count();
        self.crowd.falls(u64::try_from(fallen).unwrap_or(u64::MAX));
    }

    /// Whether nobody told what became of the last attempt; from now on that is on record.
    fn is_in_doubt(&mut self) -> bool {
        let key = self.key();
        let sent_us = self.under_way.as_mut().and_then(|under_way| under_way.sent_us.take());
        if sent_us.is_some() {
            self.crowd.recorder.push(Op::Unknown { key });
        }
        sent_us.is_some()
    }

    fn key(&self) -> Key {
        let conversation = self.places.first().map_or(0, |place| place.room.number);
        Key { conversation, sender: self.number, n: self.n }
    }
}

/// The close code; 1006 for a socket that just ended.
const fn code(error: &Error) -> u16 {
    match error {
        Error::Closed { code, .. } => *code,
        _ => 1006,
    }
}
