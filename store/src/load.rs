//! Loading a conversation: its checkpoint, brought up to date from the tails of its two streams.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::try_join;
use switchboard_domain::conversation::{Conversation, Event, Stream};
use switchboard_domain::ids::Seq;

use crate::port::{ConversationKey, Fault, Page, Range, Store};

/// Events read at once. Most tails are shorter than this, because checkpoints follow within about
/// a second; long ones are read in several steps, so memory stays bounded.
const PAGE_EVENTS: usize = 256;

/// The present state of a conversation; `None` when nothing was ever stored of it.
///
/// Only its owner may take the answer for the truth: others may see it half a moment old.
///
/// # Errors
///
/// What the store answers, and [`Fault::Damaged`] when the log does not fold.
pub async fn load(store: &dyn Store, key: &ConversationKey) -> Result<Option<Conversation>, Fault> {
    let mut state = store.checkpoint(key).await?;
    let heads = state.as_ref().map(|state| state.heads).unwrap_or_default();
    let mut public = Tail::new(store, key, Stream::Public, heads.public);
    let mut internal = Tail::new(store, key, Stream::Internal, heads.internal);
    try_join(public.refill(), internal.refill()).await?;
    while let Some(event) = next(&mut public, &mut internal).await? {
        take_in(&mut state, key, &event)?;
    }
    Ok(state)
}

/// The next event of both streams in the one order that they have together.
async fn next<'store>(
    public: &mut Tail<'store>,
    internal: &mut Tail<'store>,
) -> Result<Option<Event>, Fault> {
    public.refill().await?;
    internal.refill().await?;
    let Some(first_public) = public.page.front() else { return Ok(internal.page.pop_front()) };
    let internal_is_first =
        internal.page.front().is_some_and(|first| first.order() < first_public.order());
    let tail = if internal_is_first { internal } else { public };
    Ok(tail.page.pop_front())
}

fn take_in(
    state: &mut Option<Conversation>,
    key: &ConversationKey,
    event: &Event,
) -> Result<(), Fault> {
    let damaged = |why: &dyn std::fmt::Display| Fault::Damaged {
        what: Arc::from(format!("log of {}/{}: {why}", key.tenant, key.conversation)),
    };
    match state {
        Some(state) => state.apply(event).map_err(|why| damaged(&why)),
        None => {
            *state = Conversation::begin(key.conversation, event);
            let begun = state.is_some();
            begun.then_some(()).ok_or_else(|| damaged(&"its first event does not begin it"))
        }
    }
}

/// What one stream holds after a position, read page by page.
struct Tail<'store> {
    store: &'store dyn Store,
    key: &'store ConversationKey,
    stream: Stream,
    /// The newest position read.
    read: Seq,
    page: VecDeque<Event>,
    ended: bool,
}

impl<'store> Tail<'store> {
    fn new(
        store: &'store dyn Store,
        key: &'store ConversationKey,
        stream: Stream,
        read: Seq,
    ) -> Self {
        Self { store, key, stream, read, page: VecDeque::new(), ended: false }
    }

    /// Reads the next page once the one before is used up.
    async fn refill(&mut self) -> Result<(), Fault> {
        if self.ended || !self.page.is_empty() {
            return Ok(());
        }
        let (key, stream) = (self.key.clone(), self.stream);
        let page = Page { key, stream, range: Range::After(self.read), limit: PAGE_EVENTS };
        self.page = self.store.read(page).await?.into();
        self.ended = self.page.len() < PAGE_EVENTS;
        self.read = self.page.back().map_or(self.read, |newest| newest.seq);
        Ok(())
    }
}
