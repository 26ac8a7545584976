//! What a log needs of the database that holds it.

use std::fmt;
use std::future::Future;

use switchboard_domain::conversation::{Heads, Stream};
use switchboard_domain::ids::Seq;
use uuid::Uuid;

use super::Rule;
use crate::port::{ConversationKey, Fault};

/// What came of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was carried out.
    Yes,
    /// It was not, and never will be.
    No,
    /// The row has to be read again, and by a serial read, which settles what is under way.
    Unknown,
}

/// Device and number of the outbox that an event came from, as 64 bits.
pub type Outbox = (Option<Uuid>, Option<i64>);

/// A row of a log, but for whose it is.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its stream.
    pub stream: Stream,
    /// Its position.
    pub seq: Seq,
    /// By whom it was written.
    pub epoch: i64,
    /// The heads after the whole append that it belongs to.
    pub upto: Heads,
    /// Which send it is, if it is one.
    pub outbox: Outbox,
    /// The event, as stored.
    pub record: Vec<u8>,
    /// When it was first written, in microseconds. Written again as it is, it keeps this.
    pub at: i64,
}

/// As much of a row as reading takes.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its position.
    pub seq: Seq,
    /// By whom it was written.
    pub epoch: i64,
    /// Which send it is; only where sends are looked for.
    pub outbox: Outbox,
    /// The event, as stored.
    pub bytes: Vec<u8>,
}

/// A stretch of one stream, within one partition.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Which stream.
    pub stream: Stream,
    /// Which partition.
    pub partition: i64,
    /// The first position.
    pub first: Seq,
    /// The last position.
    pub last: Seq,
}

/// The tables of logs. Rows are written without a condition and read at quorum, so that what was
/// written at quorum is read; heads are written by conditional writes alone. Rows of one stretch
/// come by rising position, and those of one position by falling epoch.
///
/// A read that is not answered is [`Fault::Busy`]. A plain write that is not is sent again as the
/// same row for a while; then it is [`Fault::Unknown`], or [`Fault::Busy`] when surely nothing of it
/// is stored.
pub trait Tables: fmt::Debug + Send + Sync + 'static {
    /// The head, with all that is under way settled (a serial read).
    fn head(
        &self,
        key: &ConversationKey,
    ) -> impl Future<Output = Result<Option<Rule>, Fault>> + Send;

    /// The head, as a plain read finds it.
    fn head_as_read(
        &self,
        key: &ConversationKey,
    ) -> impl Future<Output = Result<Option<Rule>, Fault>> + Send;

    /// Writes the first head, if there is none.
    fn begin_head(
        &self,
        key: &ConversationKey,
        head: Rule,
    ) -> impl Future<Output = Result<Applied, Fault>> + Send;

    /// Writes the head, if it is exactly `before`.
    fn move_head(
        &self,
        key: &ConversationKey,
        before: Rule,
        head: Rule,
    ) -> impl Future<Output = Result<Applied, Fault>> + Send;

    /// Takes the head away, if it is exactly `before`.
    fn drop_head(
        &self,
        key: &ConversationKey,
        before: Rule,
    ) -> impl Future<Output = Result<Applied, Fault>> + Send;

    /// The rows from a position on, of every epoch, within one partition.
    fn tail(
        &self,
        key: &ConversationKey,
        stream: Stream,
        partition: i64,
        first: Seq,
    ) -> impl Future<Output = Result<Vec<Row>, Fault>> + Send;

    /// The records of a stretch, of every epoch.
    fn events(
        &self,
        key: &ConversationKey,
        stretch: Stretch,
    ) -> impl Future<Output = Result<Vec<Record>, Fault>> + Send;

    /// The same with the outboxes that they came from.
    fn sends(
        &self,
        key: &ConversationKey,
        stretch: Stretch,
    ) -> impl Future<Output = Result<Vec<Record>, Fault>> + Send;

    /// Writes rows of one partition together.
    fn put(
        &self,
        key: &ConversationKey,
        partition: i64,
        rows: &[Row],
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// How far the stored checkpoint goes; what it covers was acknowledged or adopted.
    fn covered(
        &self,
        key: &ConversationKey,
    ) -> impl Future<Output = Result<Option<Heads>, Fault>> + Send;

    /// Marks a conversation as behind its log.
    fn mark(&self, key: &ConversationKey) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Takes the mark away.
    fn unmark(&self, key: &ConversationKey) -> impl Future<Output = Result<(), Fault>> + Send;

    /// A time for a write, in microseconds: later than every one given before.
    fn now(&self) -> i64;
}
