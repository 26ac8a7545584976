//! Reading logs, up to where it is certain what they hold.

use std::ops::ControlFlow;

use switchboard_domain::conversation::{Event, Heads, Sent, Stream};
use switchboard_domain::ids::{DeviceId, Seq};
use switchboard_domain::person::Principal;

use super::cut::Rule;
use super::{Logs, Record, Stretch, Tables, number, partition};
use crate::port::{ConversationKey, Fault, Page, Range, SendLookup};
use crate::record::{EventPlace, damaged, decode_event};

impl<T: Tables> Logs<T> {
    /// What may be read of a log: the rule, and how far. The owner knows; for others it is the
    /// last checkpoint, which may be old but covers only what was acknowledged.
    async fn readable(&self, key: &ConversationKey) -> Result<Option<(Rule, Heads)>, Fault> {
        if let Some(served) = self.known(key).and_then(|log| log.served()) {
            return Ok(Some((served.rule, served.heads)));
        }
        let Some(heads) = self.tables.covered(key).await? else { return Ok(None) };
        let head = self.tables.head_as_read(key).await?;
        Ok(head.map(|rule| (rule, heads)))
    }

    /// A stretch of one stream.
    ///
    /// # Errors
    ///
    /// As [`Store::read`](crate::port::Store::read).
    pub async fn read(&self, page: &Page) -> Result<Vec<Event>, Fault> {
        let Some((rule, heads)) = self.readable(&page.key).await? else { return Ok(Vec::new()) };
        let head = heads.of(page.stream);
        let limit = u64::try_from(page.limit).unwrap_or(u64::MAX);
        // Positions are dense, so that a number of events is a stretch of positions.
        let (first, last) = match page.range {
            Range::After(seq) => {
                (Seq(seq.0.saturating_add(1)), Seq(seq.0.saturating_add(limit).min(head.0)))
            }
            Range::Before(seq) => {
                let last = Seq(seq.0.saturating_sub(1).min(head.0));
                (Seq(last.0.saturating_sub(limit).saturating_add(1)), last)
            }
        };
        self.stretch(&page.key, page.stream, rule, first, last).await
    }

    /// The events from `first` to `last`, all of them.
    pub(super) async fn stretch(
        &self,
        key: &ConversationKey,
        stream: Stream,
        rule: Rule,
        first: Seq,
        last: Seq,
    ) -> Result<Vec<Event>, Fault> {
        let mut events = Vec::new();
        if first > last || last.0 == 0 {
            return Ok(events);
        }
        let mut expected = first;
        for partition in partition(first)..=partition(last) {
            let stretch = Stretch { stream, partition, first, last };
            let records = self.tables.events(key, stretch).await?;
            for Record { seq, epoch, bytes, .. } in rule.choose(stream, records, place) {
                let place = EventPlace { key, stream, seq, epoch: number(epoch) };
                // What is kept for a time only goes away from its beginning on.
                let is_expired = self.expires && events.is_empty();
                if place.seq != expected && !is_expired {
                    let missing = EventPlace { seq: expected, ..place };
                    return Err(damaged(&missing, &"it is not there"));
                }
                expected = place.seq.next();
                events.push(decode_event(place, &bytes)?);
            }
        }
        if expected <= last && !self.expires {
            let missing = EventPlace { key, stream, seq: expected, epoch: number(rule.epoch) };
            return Err(damaged(&missing, &"it is not there"));
        }
        Ok(events)
    }

    /// Looks a send up in the log itself, newest first. The slow path: no index is written for it
    /// with each message.
    ///
    /// # Errors
    ///
    /// As [`Store::find_send`](crate::port::Store::find_send).
    pub async fn find_send(
        &self,
        key: &ConversationKey,
        asked: (Principal, DeviceId, u64),
    ) -> Result<SendLookup, Fault> {
        let mut found = SendLookup::default();
        let Some((rule, heads)) = self.readable(key).await? else { return Ok(found) };
        for stream in [Stream::Public, Stream::Internal] {
            let head = heads.of(stream);
            if head.0 == 0 {
                continue;
            }
            for partition in (0..=partition(head)).rev() {
                let searched =
                    self.search(key, (stream, partition, head), rule, asked, &mut found).await?;
                if searched.is_break() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Searches one partition; breaks once what lies before it tells nothing new.
    async fn search(
        &self,
        key: &ConversationKey,
        (stream, partition, head): (Stream, i64, Seq),
        rule: Rule,
        (principal, device, n): (Principal, DeviceId, u64),
        found: &mut SendLookup,
    ) -> Result<ControlFlow<()>, Fault> {
        let stretch = Stretch { stream, partition, first: Seq(0), last: head };
        let records = self.tables.sends(key, stretch).await?;
        for record in rule.choose(stream, records, place).into_iter().rev() {
            let (of, row_n) = record.outbox;
            if of != Some(device.uuid()) {
                continue;
            }
            let place = EventPlace { key, stream, seq: record.seq, epoch: number(record.epoch) };
            let event = decode_event(place, &record.bytes)?;
            let Some(send) = event.key.filter(|_| event.from.principal == principal) else {
                continue;
            };
            found.last_n = found.last_n.max(send.n);
            if send.n == n {
                let digest = send.digest;
                found.sent = Some(Sent { n, digest, stream, seq: event.seq });
            }
            // Numbers of an outbox rise along a stream.
            if row_n.map_or(0, i64::cast_unsigned) <= n {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn place(record: &Record) -> (Seq, i64) {
    (record.seq, record.epoch)
}
