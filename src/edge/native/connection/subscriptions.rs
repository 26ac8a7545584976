//! What a client hears, and how it is brought up to date first.

use futures_util::future::{BoxFuture, FutureExt};
use std::sync::Arc;
use switchboard_actors::answer::{History, Subscribed};
use switchboard_actors::{Published, Refusal};
use switchboard_domain::card::Card as DomainCard;
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::{ConversationId, LogId, Seq, WidgetId};
use switchboard_domain::person::Side;
use switchboard_store::Range;

use super::{Answer, Close, Code, Connection, Problem, event};
use crate::edge::native::wire::card::Card;
use crate::edge::native::wire::outgoing::{Frame, Mode};
use crate::edge::native::wire::stream_name;

/// Subscriptions of one connection: an agent's open conversations in both streams, many times.
const SUBSCRIPTIONS_MAX: usize = 512;
/// A client that missed more gets a snapshot: it has forgotten most of what it would be told.
const REPLAY_MAX: u64 = 1_000;
/// Events in a snapshot.
const SNAPSHOT: u64 = 50;
/// Events read for one step of a replay.
const PAGE: usize = 100;
/// Bytes of one replay frame, about. The socket's buffer keeps the size of its largest frame, so
/// this is also what an idle connection costs.
const FRAME_BYTES: usize = 1024;

/// The subscriptions of a connection, few enough for a list.
#[derive(Default)]
pub(super) struct Subscriptions {
    entries: Vec<Entry>,
    next_ref: u64,
}

struct Entry {
    ref_id: u64,
    conversation: ConversationId,
    stream: Stream,
    log: Option<LogId>,
    after: Option<Seq>,
    /// The widget that the conversation came through, as soon as the subscription stands.
    widget: Option<WidgetId>,
}

impl Subscriptions {
    fn enter(
        &mut self,
        conversation: ConversationId,
        stream: Stream,
        log: Option<LogId>,
        after: Option<Seq>,
    ) -> Option<u64> {
        self.remove(conversation, stream);
        if self.entries.len() >= SUBSCRIPTIONS_MAX {
            return None;
        }
        let ref_id = self.next_ref();
        // Visitors have one: do not let the list begin with room for four.
        self.entries.reserve_exact(usize::from(self.entries.is_empty()));
        self.entries.push(Entry { ref_id, conversation, stream, log, after, widget: None });
        Some(ref_id)
    }

    /// A number that this connection has not used.
    pub(super) const fn next_ref(&mut self) -> u64 {
        self.next_ref += 1;
        self.next_ref
    }

    pub(super) fn remove(&mut self, conversation: ConversationId, stream: Stream) {
        self.entries.retain(|entry| entry.conversation != conversation || entry.stream != stream);
    }

    fn has(&self, conversation: ConversationId, stream: Stream) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.conversation == conversation && entry.stream == stream)
    }

    /// Conversations whose public stream is heard, the oldest subscriptions first.
    pub(super) fn public(&self) -> impl Iterator<Item = ConversationId> + '_ {
        let public = self.entries.iter().filter(|entry| entry.stream == Stream::Public);
        public.map(|entry| entry.conversation)
    }

    /// The widget of a conversation that is heard; `None` also when it came through none.
    pub(super) fn widget(&self, conversation: ConversationId) -> Option<&WidgetId> {
        let mut of_it = self.entries.iter().filter(|entry| entry.conversation == conversation);
        of_it.find_map(|entry| entry.widget.as_ref())
    }

    fn find(&mut self, ref_id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.ref_id == ref_id)
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (ConversationId, Stream)> + use<> {
        std::mem::take(&mut self.entries)
            .into_iter()
            .map(|entry| (entry.conversation, entry.stream))
    }
}

/// A replay under way.
pub(super) struct Replay {
    conversation: ConversationId,
    stream: Stream,
    /// Everything up to here is written.
    done: Seq,
    /// Everything after it comes through the outlet.
    head: Seq,
    page: BoxFuture<'static, Result<History, Refusal>>,
}

/// The next page of the replay under way.
pub(super) async fn next_page(replay: &mut Option<Replay>) -> Option<Result<History, Refusal>> {
    match replay {
        Some(replay) => Some((&mut replay.page).await),
        None => None,
    }
}

impl Connection {
    pub(super) async fn subscribe(
        &mut self,
        conversation: ConversationId,
        stream: Stream,
        log: Option<LogId>,
        after: Option<Seq>,
    ) -> Result<(), Close> {
        let Some(ref_id) = self.subscriptions.enter(conversation, stream, log, after) else {
            let problem = Problem::new(Code::TooLarge);
            return self.write(self.refused_subscribe(conversation, stream, &problem)).await;
        };
        let doors = Arc::clone(&self.doors);
        let identity = Arc::clone(&self.identity);
        let outlet = self.outlet.clone();
        let codec = self.codec;
        self.start(
            async move {
                let key = doors.key(&identity.tenant, conversation);
                let entered = doors
                    .conversations
                    .subscribe(&key, &identity.caller, stream, ref_id, &outlet)
                    .await;
                match entered {
                    Ok(()) => Answer::Silent,
                    Err(refusal) => {
                        let problem = Problem::from(refusal);
                        Answer::Frame(codec.encode(&refused(conversation, stream, &problem)))
                    }
                }
            }
            .boxed(),
        );
        Ok(())
    }

    fn refused_subscribe(
        &self,
        conversation: ConversationId,
        stream: Stream,
        problem: &Problem,
    ) -> bytes::Bytes {
        self.codec.encode(&refused(conversation, stream, problem))
    }

    /// A subscription stands: say so, and bring the client up to its head.
    pub(super) async fn subscribed(
        &mut self,
        conversation: ConversationId,
        ref_id: u64,
        subscribed: Box<Subscribed>,
    ) -> Result<(), Close> {
        // Unsubscribed or subscribed again meanwhile: that answer counts.
        let Some(entry) = self.subscriptions.find(ref_id) else { return Ok(()) };
        entry.widget.clone_from(&subscribed.state.widget);
        let (stream, log, after) = (entry.stream, entry.log, entry.after);
        let head = subscribed.head;
        let replayed = after.filter(|after| {
            log == Some(subscribed.log) && *after <= head && head.0 - after.0 <= REPLAY_MAX
        });
        let (mode, done) = match replayed {
            Some(after) => (Mode::Replay, after),
            None => (Mode::Snapshot, Seq(head.0.saturating_sub(SNAPSHOT))),
        };
        let card = DomainCard::of(&subscribed.state);
        let faces = self.doors.directory.faces(&self.identity.tenant);
        let shown = Card::new(&card, self.side(), &subscribed.receipt).with_face(&faces);
        let frame = self.codec.encode(&Frame::Subscribed {
            conversation: conversation.uuid(),
            stream: stream_name(stream),
            log: subscribed.log.uuid(),
            head: head.0,
            mode,
            from: done.next().0,
            state: Some(Box::new(shown)),
        });
        self.write(frame).await?;
        self.flush().await?;
        if stream == Stream::Internal {
            self.tell_viewers(conversation);
        }
        if done < head {
            let page = self.read_page(conversation, stream, done);
            self.replay = Some(Replay { conversation, stream, done, head, page });
        }
        Ok(())
    }

    fn read_page(
        &self,
        conversation: ConversationId,
        stream: Stream,
        after: Seq,
    ) -> BoxFuture<'static, Result<History, Refusal>> {
        let doors = Arc::clone(&self.doors);
        let identity = Arc::clone(&self.identity);
        async move {
            let key = doors.key(&identity.tenant, conversation);
            doors
                .conversations
                .history(&key, &identity.caller, stream, Range::After(after), PAGE)
                .await
        }
        .boxed()
    }

    /// Writes a page of the replay and asks for the next.
    pub(super) async fn replay_page(
        &mut self,
        page: Option<Result<History, Refusal>>,
    ) -> Result<(), Close> {
        let (Some(page), Some(mut replay)) = (page, self.replay.take()) else { return Ok(()) };
        let Ok(mut history) = page else {
            // Half a replay followed by newer events would be a gap: the client begins afresh.
            return Err(Close::Void);
        };
        let (conversation, stream, head) = (replay.conversation, replay.stream, replay.head);
        history.events.retain(|published| published.event.seq <= head);
        let Some(last) = history.events.last() else { return Err(Close::Void) };
        replay.done = last.event.seq;
        let unfinished = replay.done < head;
        if self.subscriptions.has(conversation, stream) {
            let frames = self.batches(conversation, stream, &history.events, unfinished);
            for frame in frames {
                self.write(frame).await?;
                self.flush().await?;
            }
            if unfinished {
                replay.page = self.read_page(conversation, stream, replay.done);
                self.replay = Some(replay);
            }
        }
        Ok(())
    }

    fn batches(
        &self,
        conversation: ConversationId,
        stream: Stream,
        events: &[Arc<Published>],
        more: bool,
    ) -> Vec<bytes::Bytes> {
        let reader = self.identity.caller.author.principal;
        batches(self.codec, reader, conversation, stream, events, more, FRAME_BYTES)
    }

    pub(super) fn side(&self) -> Side {
        self.identity.caller.author.principal.side()
    }
}

/// `events` frames of about `bytes_max` each; the last says whether there is more.
pub(super) fn batches(
    codec: super::Codec,
    reader: switchboard_domain::person::Principal,
    conversation: ConversationId,
    stream: Stream,
    events: &[Arc<Published>],
    more: bool,
    bytes_max: usize,
) -> Vec<bytes::Bytes> {
    let mut frames = Vec::new();
    let mut items: Vec<bytes::Bytes> = Vec::new();
    let mut n_bytes = 0;
    for published in events {
        let item = event::encoded(published, codec, reader);
        if n_bytes + item.len() > bytes_max && !items.is_empty() {
            frames.push(event::batch(codec, conversation, stream_name(stream), &items, true));
            items.clear();
            n_bytes = 0;
        }
        n_bytes += item.len();
        items.push(item);
    }
    frames.push(event::batch(codec, conversation, stream_name(stream), &items, more));
    frames
}

fn refused(conversation: ConversationId, stream: Stream, problem: &Problem) -> Frame<'static> {
    Frame::Refused {
        reference: None,
        re: Some("subscribe"),
        conversation: Some(conversation.uuid()),
        stream: stream_name(stream),
        code: problem.code.as_str(),
        by: None,
        detail: None,
        retry_after_ms: problem.retry_after_ms,
    }
}
