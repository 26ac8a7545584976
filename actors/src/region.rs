//! Conversations by key.

use std::sync::Arc;

use switchboard_domain::conversation::{Request, Stream};
use switchboard_domain::ids::Seq;
use switchboard_domain::person::Caller;
use switchboard_store::{ConversationKey, Range};

use crate::answer::{Done, History, Refusal, View};
use crate::delivery::Outlet;
use crate::published::Published;

/// Talks to conversations wherever they live. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle;

impl Handle {
    /// Carries a request out. For an unseen conversation `Create` begins it.
    ///
    /// # Errors
    ///
    /// Nothing was changed, except that [`Refusal::Unknown`] leaves it open; then the same key
    /// may be sent again.
    pub async fn ask(&self, _key: &ConversationKey, _request: Request) -> Result<Done, Refusal> {
        Err(Refusal::Unknown)
    }

    /// The state as the caller may see it.
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn state(&self, _key: &ConversationKey, _caller: &Caller) -> Result<View, Refusal> {
        Err(Refusal::Unknown)
    }

    /// Reads a stretch of a stream, at most `limit` events, bounded by the durable head.
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn history(
        &self,
        _key: &ConversationKey,
        _caller: &Caller,
        _stream: Stream,
        _range: Range,
        _limit: usize,
    ) -> Result<History, Refusal> {
        Err(Refusal::Unknown)
    }

    /// One event; `None` beyond the head.
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn event(
        &self,
        _key: &ConversationKey,
        _caller: &Caller,
        _stream: Stream,
        _seq: Seq,
    ) -> Result<Option<Arc<Published>>, Refusal> {
        Err(Refusal::Unknown)
    }

    /// Enters a subscription. When this answers, a [`Delivery::Subscribed`] with `ref_id` is in
    /// the outlet, and every later event of the stream follows it there.
    ///
    /// [`Delivery::Subscribed`]: crate::delivery::Delivery::Subscribed
    ///
    /// # Errors
    ///
    /// What the caller may not see is not found.
    pub async fn subscribe(
        &self,
        _key: &ConversationKey,
        _caller: &Caller,
        _stream: Stream,
        _ref_id: u64,
        _outlet: &Outlet,
    ) -> Result<(), Refusal> {
        Err(Refusal::Unknown)
    }

    /// Ends a subscription, if there is one.
    pub fn unsubscribe(&self, _key: &ConversationKey, _stream: Stream, _outlet_id: u64) {}

    /// Raises the caller's receipt in the public stream.
    pub fn receipt(
        &self,
        _key: &ConversationKey,
        _caller: &Caller,
        _received: Option<Seq>,
        _read: Option<Seq>,
    ) {
    }

    /// Tells the other subscribers that the caller types. Lossy.
    pub fn typing(
        &self,
        _key: &ConversationKey,
        _caller: &Caller,
        _on: bool,
        _preview: Option<Arc<str>>,
    ) {
    }
}
