//! The reference engine: plain maps behind one lock.
//!
//! It is the shortest reading of what [`Store`] promises, and what the other engines are compared
//! with. It keeps everything in memory, so its promise of durability ends with the process; use
//! it in tests and simulations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending, ready};
use parking_lot::Mutex;
use switchboard_domain::conversation::{Conversation, Event, Sent, Stream};
use switchboard_domain::ids::{ConversationId, DeviceId, Seq, TenantId, Timestamp};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;

use crate::port::{
    Append, ConversationKey, Document, DocumentKey, Expect, Fault, List, NUMBERS_START, Page,
    Range, Reading, Reply, SendLookup, Store,
};

/// A store in memory. Clones share it, so a clone is what a restarted node would open.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    logs: BTreeMap<ConversationKey, Log>,
    checkpoints: BTreeMap<ConversationKey, Conversation>,
    dirty: BTreeSet<ConversationKey>,
    receipts: BTreeMap<(ConversationKey, Principal), Receipt>,
    readings: BTreeMap<(ConversationKey, Principal, Seq), Timestamp>,
    documents: BTreeMap<DocumentKey, Document>,
    /// The next number to give, per tenant.
    numbers: BTreeMap<TenantId, u64>,
}

#[derive(Debug, Default)]
struct Log {
    /// The highest epoch that it was opened under.
    epoch: u64,
    public: Vec<Event>,
    internal: Vec<Event>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn answer<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tables) -> Result<T, Fault>,
    ) -> Reply<T> {
        ready(run(&mut self.tables.lock())).boxed()
    }
}

impl Store for Memory {
    fn open(&self, key: &ConversationKey, epoch: u64) -> Reply<()> {
        self.answer(|tables| tables.logs.entry(key.clone()).or_default().open(epoch))
    }

    fn append(&self, append: Append) -> Reply<()> {
        self.answer(|tables| tables.append(&append))
    }

    fn read(&self, page: Page) -> Reply<Vec<Event>> {
        self.answer(|tables| Ok(tables.read(&page)))
    }

    fn find_send(
        &self,
        key: &ConversationKey,
        principal: Principal,
        device: DeviceId,
        n: u64,
    ) -> Reply<SendLookup> {
        self.answer(|tables| Ok(tables.find_send(key, principal, device, n)))
    }

    fn checkpoint(&self, key: &ConversationKey) -> Reply<Option<Conversation>> {
        self.answer(|tables| Ok(tables.checkpoints.get(key).cloned()))
    }

    fn put_checkpoints(&self, checkpoints: Vec<(ConversationKey, Conversation)>) -> Reply<()> {
        self.answer(|tables| {
            for (key, checkpoint) in checkpoints {
                tables.put_checkpoint(key, checkpoint);
            }
            Ok(())
        })
    }

    fn dirty(&self, limit: usize) -> Reply<Vec<ConversationKey>> {
        self.answer(|tables| Ok(tables.dirty.iter().take(limit).cloned().collect()))
    }

    fn list(&self, list: List) -> Reply<Vec<Conversation>> {
        self.answer(|tables| Ok(tables.list(&list)))
    }

    fn by_number(&self, tenant: &TenantId, number: u64) -> Reply<Option<ConversationId>> {
        self.answer(|tables| {
            let found = tables
                .checkpoints
                .iter()
                .find(|(key, checkpoint)| key.tenant == *tenant && checkpoint.number.0 == number);
            Ok(found.map(|(key, _)| key.conversation))
        })
    }

    fn put_receipts(&self, receipts: Vec<(ConversationKey, Principal, Receipt)>) -> Reply<()> {
        self.answer(|tables| {
            for (key, principal, receipt) in receipts {
                if let Some(at) = receipt.read_at {
                    let reading = (key.clone(), principal, receipt.read);
                    tables.readings.entry(reading).or_insert(at);
                }
                let stored = tables.receipts.entry((key, principal)).or_default();
                *stored = stored.furthest(receipt);
            }
            Ok(())
        })
    }

    fn receipts(&self, key: &ConversationKey) -> Reply<Vec<(Principal, Receipt)>> {
        self.answer(|tables| {
            let own = tables.receipts.iter().filter(|((of, _), _)| of == key);
            let known = |receipt: &Receipt| Receipt { read_at: None, ..*receipt };
            Ok(own.map(|((_, principal), receipt)| (*principal, known(receipt))).collect())
        })
    }

    fn readings(&self, key: &ConversationKey) -> Reply<Vec<Reading>> {
        self.answer(|tables| {
            let own = tables.readings.iter().filter(|((of, _, _), _)| of == key);
            Ok(own.map(|((_, by, upto), at)| Reading { by: *by, upto: *upto, at: *at }).collect())
        })
    }

    fn document(&self, key: &DocumentKey) -> Reply<Option<Document>> {
        self.answer(|tables| Ok(tables.documents.get(key).cloned()))
    }

    fn put_document(&self, key: DocumentKey, expect: Expect, bytes: Vec<u8>) -> Reply<u64> {
        self.answer(|tables| {
            let version = tables.check(&key, expect)?.unwrap_or(0) + 1;
            let id = Arc::clone(&key.id);
            tables.documents.insert(key, Document { id, version, bytes });
            Ok(version)
        })
    }

    fn delete_document(&self, key: DocumentKey, expect: Expect) -> Reply<()> {
        self.answer(|tables| {
            tables.check(&key, expect)?;
            tables.documents.remove(&key);
            Ok(())
        })
    }

    fn documents(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Reply<Vec<Document>> {
        self.answer(|tables| {
            let found = tables.documents.iter().filter(|(key, _)| {
                key.tenant == *tenant
                    && key.kind == kind
                    && after.as_ref().is_none_or(|after| key.id > *after)
            });
            Ok(found.map(|(_, document)| document.clone()).take(limit).collect())
        })
    }

    fn take_numbers(&self, tenant: &TenantId, count: u64) -> Reply<u64> {
        self.answer(|tables| {
            let next = tables.numbers.entry(tenant.clone()).or_insert(NUMBERS_START);
            let first = *next;
            *next += count;
            Ok(first)
        })
    }

    fn purge_closed(&self, tenant: &TenantId, before: Timestamp, limit: usize) -> Reply<usize> {
        self.answer(|tables| Ok(tables.purge_closed(tenant, before, limit)))
    }

    fn failed(&self) -> BoxFuture<'static, Fault> {
        pending().boxed()
    }
}

impl Tables {
    fn append(&mut self, append: &Append) -> Result<(), Fault> {
        let log = self.logs.entry(append.key.clone()).or_default();
        log.open(append.epoch)?;
        let fresh = log.check(&append.events)?;
        for event in fresh {
            log.stream_mut(event.stream).push(event.clone());
        }
        if append.mark_dirty {
            self.dirty.insert(append.key.clone());
        }
        Ok(())
    }

    fn read(&self, page: &Page) -> Vec<Event> {
        let Some(log) = self.logs.get(&page.key) else { return Vec::new() };
        let events = log.stream(page.stream);
        match page.range {
            Range::After(seq) => {
                events.iter().filter(|event| event.seq > seq).take(page.limit).cloned().collect()
            }
            Range::Before(seq) => {
                let end = events.partition_point(|event| event.seq < seq);
                let start = end.saturating_sub(page.limit);
                events.get(start..end).unwrap_or_default().to_vec()
            }
        }
    }

    fn find_send(
        &self,
        key: &ConversationKey,
        principal: Principal,
        device: DeviceId,
        n: u64,
    ) -> SendLookup {
        let mut found = SendLookup::default();
        let Some(log) = self.logs.get(key) else { return found };
        for event in log.public.iter().chain(&log.internal) {
            let Some(key) = event.key else { continue };
            if event.from.principal != principal || key.device != device {
                continue;
            }
            found.last_n = found.last_n.max(key.n);
            if key.n == n {
                found.sent =
                    Some(Sent { n, digest: key.digest, stream: event.stream, seq: event.seq });
            }
        }
        found
    }

    fn put_checkpoint(&mut self, key: ConversationKey, checkpoint: Conversation) {
        let behind = self.logs.get(&key).is_some_and(|log| {
            log.head(Stream::Public) > checkpoint.heads.public
                || log.head(Stream::Internal) > checkpoint.heads.internal
        });
        if !behind {
            self.dirty.remove(&key);
        }
        let older = self.checkpoints.get(&key).is_some_and(|stored| {
            stored.heads.public > checkpoint.heads.public
                || stored.heads.internal > checkpoint.heads.internal
        });
        if !older {
            self.checkpoints.insert(key, checkpoint);
        }
    }

    fn list(&self, list: &List) -> Vec<Conversation> {
        let mut found: Vec<_> = self
            .checkpoints
            .iter()
            .filter(|(key, checkpoint)| key.tenant == list.tenant && list.holds(checkpoint))
            .map(|(_, checkpoint)| checkpoint)
            .collect();
        found.sort_by_key(|checkpoint| std::cmp::Reverse(list.position(checkpoint)));
        found.into_iter().take(list.limit).cloned().collect()
    }

    /// The stored version, once `expect` holds.
    fn check(&self, key: &DocumentKey, expect: Expect) -> Result<Option<u64>, Fault> {
        let version = self.documents.get(key).map(|document| document.version);
        if expect.holds(version) { Ok(version) } else { Err(Fault::Changed) }
    }

    fn purge_closed(&mut self, tenant: &TenantId, before: Timestamp, limit: usize) -> usize {
        let closed: Vec<_> = self
            .checkpoints
            .iter()
            .filter(|(key, checkpoint)| {
                key.tenant == *tenant
                    && checkpoint.closed_at.is_some_and(|at| at < before)
                    && !self.dirty.contains(key)
            })
            .map(|(key, _)| key.clone())
            .take(limit)
            .collect();
        for key in &closed {
            self.logs.remove(key);
            self.checkpoints.remove(key);
            self.receipts.retain(|(of, _), _| of != key);
            self.readings.retain(|(of, _, _), _| of != key);
        }
        closed.len()
    }
}

impl Log {
    fn open(&mut self, epoch: u64) -> Result<(), Fault> {
        if epoch < self.epoch {
            return Err(Fault::Fenced);
        }
        self.epoch = epoch;
        Ok(())
    }

    fn stream(&self, stream: Stream) -> &[Event] {
        match stream {
            Stream::Public => &self.public,
            Stream::Internal => &self.internal,
        }
    }

    fn stream_mut(&mut self, stream: Stream) -> &mut Vec<Event> {
        match stream {
            Stream::Public => &mut self.public,
            Stream::Internal => &mut self.internal,
        }
    }

    fn head(&self, stream: Stream) -> Seq {
        self.stream(stream).last().map_or(Seq(0), |event| event.seq)
    }

    /// The events that are not stored yet, once all of them fit.
    fn check<'events>(&self, events: &'events [Event]) -> Result<Vec<&'events Event>, Fault> {
        let mut public = self.head(Stream::Public);
        let mut internal = self.head(Stream::Internal);
        let mut fresh = Vec::with_capacity(events.len());
        for event in events {
            let head = match event.stream {
                Stream::Public => &mut public,
                Stream::Internal => &mut internal,
            };
            if event.seq == head.next() {
                *head = event.seq;
                fresh.push(event);
                continue;
            }
            let (stream, seq) = (event.stream, event.seq);
            let stored = self.stream(stream).iter().chain(fresh.iter().copied());
            match stored.into_iter().find(|stored| (stored.stream, stored.seq) == (stream, seq)) {
                None => return Err(Fault::NotDense { stream, seq }),
                Some(stored) if stored != event => return Err(Fault::Occupied { stream, seq }),
                Some(_) => {}
            }
        }
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Memory;
    use crate::port::Store;
    use crate::testkit;

    #[tokio::test]
    async fn keeps_the_port() {
        testkit::run(async || Arc::new(Memory::new()) as Arc<dyn Store>).await;
    }

    #[tokio::test]
    async fn keeps_the_port_between_several_owners() {
        let shared = Memory::new();
        testkit::is_shared(async || Arc::new(shared.clone()) as Arc<dyn Store>).await;
    }
}
