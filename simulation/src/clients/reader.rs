//! Those who listen: each to one stream of one conversation, by one connection after another, each of
//! which goes on after the last event that was heard.

use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::region;
use switchboard_actors::subscriber::queue;
use switchboard_actors::{Delivery, Published};
use switchboard_domain::conversation::{Body, Stream};
use switchboard_domain::ids::Seq;
use switchboard_domain::person::Caller;
use switchboard_loadtest::history::{self, Op, Seen};
use switchboard_store::{ConversationKey, Range};

use super::NOTICES_WITHIN;
use crate::node::{Effect, Outbox};
use crate::people;
use crate::world::World;

/// Events of one page of history.
const PAGE: usize = 20;
/// How long a door waits before it subscribes again.
const SUBSCRIBES_AGAIN: Duration = Duration::from_millis(200);
/// How often readers look whether their node is still there.
const LOOKS_EVERY: Duration = Duration::from_millis(500);
/// How long a reader hears nothing from a node that stands still before it turns to another.
const PATIENCE: u32 = 8;

#[derive(Debug)]
pub(super) struct Reader {
    conversation: u32,
    is_visitor: bool,
    stream: Stream,
    at: usize,
    /// The connection, and by which life of the node; `None` while there is none.
    connection: Option<(u32, u64)>,
    /// The last position that was heard.
    last: u64,
    /// For how many looks its node has stood still.
    silence: u32,
}

/// What a connection tells its reader.
enum Word {
    /// The subscription begins after this position, at this head.
    Begins {
        after: u64,
        head: u64,
    },
    Event(Arc<Published>),
    /// The connection is closed.
    Closed,
}

impl World {
    /// Lets a visitor and an agent listen.
    pub(super) fn begin_reading(&mut self, conversation: u32) {
        let all = [(true, Stream::Public), (false, Stream::Public), (false, Stream::Internal)];
        for (is_visitor, stream) in all {
            let (at, last, silence) = (self.rng.index(self.nodes()), 0, 0);
            let connection = None;
            let reader = Reader { conversation, is_visitor, stream, at, connection, last, silence };
            self.clients.readers.push(reader);
            self.connect(self.clients.readers.len() - 1);
        }
        if self.clients.readers.len() == 3 {
            self.look_every_so_often();
        }
    }

    fn look_every_so_often(&mut self) {
        for idx in 0..self.clients.readers.len() {
            self.look(idx);
        }
        self.after(LOOKS_EVERY, Self::look_every_so_often);
    }

    fn look(&mut self, idx: usize) {
        let Some(reader) = self.clients.readers.get(idx) else { return };
        let (at, Some((_, life))) = (reader.at, reader.connection) else { return };
        let is_there = self.life_of(at) == Some(life);
        let is_silent = !self.can_hear(at);
        let Some(reader) = self.clients.readers.get_mut(idx) else { return };
        reader.silence = if is_silent { reader.silence + 1 } else { 0 };
        if !is_there || reader.silence > PATIENCE {
            self.reconnect(idx);
        }
    }

    fn reconnect(&mut self, idx: usize) {
        let at = self.rng.index(self.nodes());
        let wait = self.rng.between(NOTICES_WITHIN.0, NOTICES_WITHIN.1);
        let Some(reader) = self.clients.readers.get_mut(idx) else { return };
        reader.connection = None;
        reader.silence = 0;
        reader.at = at;
        self.after(wait, move |world| world.connect(idx));
    }

    fn connect(&mut self, idx: usize) {
        self.clients.connections += 1;
        let connection = self.clients.connections;
        let Some(reader) = self.clients.readers.get(idx) else { return };
        let (at, stream, after) = (reader.at, reader.stream, reader.last);
        let caller =
            if reader.is_visitor { people::visitor(reader.conversation) } else { people::agent() };
        let key = people::key(reader.conversation);
        let of = Following { key, caller, stream, last: after };
        let is_there = self.visit(at, move |doors, outbox| async move {
            let tell = |word: Word| hand(&outbox, idx, connection, word);
            of.follow(&doors.conversations, &tell).await;
            tell(Word::Closed);
        });
        match self.life_of(at).filter(|_| is_there) {
            None => self.reconnect(idx),
            Some(life) => {
                if let Some(reader) = self.clients.readers.get_mut(idx) {
                    reader.connection = Some((connection, life));
                }
            }
        }
    }

    fn hear(&mut self, idx: usize, connection: u32, word: Word) {
        let Some(reader) = self.clients.readers.get_mut(idx) else { return };
        if reader.connection.is_none_or(|(it, _)| it != connection) {
            // It was closed meanwhile.
            return;
        }
        let number = u32::try_from(idx).unwrap_or(u32::MAX);
        let (conversation, visitor) = (reader.conversation, reader.is_visitor);
        let stream = stream_of(reader.stream);
        match word {
            Word::Begins { after, head } => {
                let (from, snapshot) = (reader.last + 1, false);
                let op = Op::Subscribed {
                    reader: number,
                    connection,
                    conversation,
                    stream,
                    after,
                    from,
                    head,
                    snapshot,
                };
                self.clients.history.push(op);
            }
            Word::Event(published) => {
                let seen = seen(conversation, &published);
                reader.last = seen.seq.max(reader.last);
                self.trace(format_args!("{idx} hears {} of {conversation} {stream:?}", seen.seq));
                self.clients.history.push(Op::Live { reader: number, connection, visitor, seen });
            }
            Word::Closed => self.reconnect(idx),
        }
    }

    /// Whether every reader has heard up to the end, as the final reads have it.
    pub(crate) fn are_caught_up(&self) -> bool {
        self.clients.readers.iter().all(|reader| {
            let head = self.clients.history.iter().rev().find_map(|op| match op {
                Op::FinalRead { conversation, stream, head }
                    if (*conversation, *stream)
                        == (reader.conversation, stream_of(reader.stream)) =>
                {
                    Some(*head)
                }
                _ => None,
            });
            head.is_none_or(|head| reader.last >= head)
        })
    }

    /// Takes down how far each reader came.
    pub(crate) fn stop_reading(&mut self) {
        for (idx, reader) in self.clients.readers.iter().enumerate() {
            self.clients.history.push(Op::Stopped {
                reader: u32::try_from(idx).unwrap_or(u32::MAX),
                conversation: reader.conversation,
                stream: stream_of(reader.stream),
                last: reader.last,
            });
        }
    }
}

fn hand(outbox: &Outbox, idx: usize, connection: u32, word: Word) {
    let tell = move |world: &mut World| world.hear(idx, connection, word);
    outbox.lock().push(Effect::Tell(Box::new(tell)));
}

pub(crate) const fn stream_of(stream: Stream) -> history::Stream {
    match stream {
        Stream::Public => history::Stream::Public,
        Stream::Internal => history::Stream::Internal,
    }
}

pub(crate) fn seen(conversation: u32, published: &Published) -> Seen {
    let event = &published.event;
    Seen {
        conversation,
        stream: stream_of(event.stream),
        seq: event.seq.0,
        id: event.id.uuid().to_string().into(),
        text: match &event.body {
            Body::Message { text, .. } | Body::Note { text, .. } => Some(Arc::clone(text)),
            _ => None,
        },
    }
}

/// What a door does for one subscription.
struct Following {
    key: ConversationKey,
    caller: Caller,
    stream: Stream,
    /// The last position that was told.
    last: u64,
}

impl Following {
    /// Subscribes, reads what came before, and tells what comes; begins anew when it is lost, and
    /// ends when something was not told.
    async fn follow(mut self, conversations: &region::Handle, tell: &impl Fn(Word)) {
        let (outlet, mut arriving) = queue();
        loop {
            let subscribed =
                conversations.subscribe(&self.key, &self.caller, self.stream, 1, &outlet);
            if Box::pin(subscribed).await.is_err() {
                tokio::time::sleep(SUBSCRIBES_AGAIN).await;
                continue;
            }
            loop {
                match arriving.next().await {
                    Ok(Delivery::Subscribed { subscribed, .. }) => {
                        tell(Word::Begins { after: self.last, head: subscribed.head.0 });
                        if !self.catch_up(conversations, subscribed.head.0, tell).await {
                            return;
                        }
                    }
                    Ok(Delivery::Event(published)) => self.told(published, tell),
                    Ok(Delivery::Unsubscribed { .. }) => break,
                    Ok(_) => {}
                    Err(_cut) => return,
                }
            }
        }
    }

    fn told(&mut self, published: Arc<Published>, tell: &impl Fn(Word)) {
        self.last = published.event.seq.0;
        tell(Word::Event(published));
    }

    /// Tells everything up to a head; whether that could be read.
    async fn catch_up(
        &mut self,
        conversations: &region::Handle,
        head: u64,
        tell: &impl Fn(Word),
    ) -> bool {
        while self.last < head {
            let after = Range::After(Seq(self.last));
            let page = conversations.history(&self.key, &self.caller, self.stream, after, PAGE);
            let Ok(page) = Box::pin(page).await else { return false };
            let before = self.last;
            for published in page.events {
                if published.event.seq.0 <= head {
                    self.told(published, tell);
                }
            }
            if self.last == before {
                return false;
            }
        }
        true
    }
}
