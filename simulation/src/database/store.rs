//! The store of one life of a node, in the simulated database: logs as the CQL engine keeps them, and
//! the rest in the engine in memory, where each request goes the way to the database and back.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use switchboard_domain::conversation::{Conversation, Event};
use switchboard_domain::ids::{ConversationId, DeviceId, TenantId, Timestamp};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;
use switchboard_store::log::Logs;
use switchboard_store::memory::Memory;
use switchboard_store::{
    Append, ConversationKey, Document, DocumentKey, Expect, Fault, HandOn, List, Page, Reading,
    Reply, SendLookup, Store,
};

use super::ambush::Deed;
use super::tables::{PLAIN, of_read};
use super::{Line, SharedTables, Told, Truth};

/// The store as one life of a node has it.
#[derive(Debug)]
pub(crate) struct SharedStore {
    logs: Arc<Logs<SharedTables>>,
    line: Line,
}

impl Truth {
    pub(super) fn checkpoint(&self, key: &ConversationKey) -> Option<Conversation> {
        at_once(self.memory.checkpoint(key)).ok().flatten()
    }

    /// Conversations that are marked as behind their logs.
    fn behind(&self, limit: usize) -> Vec<ConversationKey> {
        let behind = self.marks.iter().filter(|(_, (_, is_behind))| *is_behind);
        behind.map(|(key, _)| key.clone()).take(limit).collect()
    }
}

/// The engine in memory waits for nothing.
fn at_once<T>(reply: Reply<T>) -> Result<T, Fault> {
    reply.now_or_never().unwrap_or(Err(Fault::Busy))
}

/// Carries a write out, also when nobody waits for it any more.
fn carry_out<T: Send + 'static>(
    write: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Reply<T> {
    let written = tokio::spawn(write.boxed());
    async { written.await.unwrap_or(Err(Fault::Unknown)) }.boxed()
}

impl SharedStore {
    pub(crate) fn new(tables: SharedTables, line: Line) -> Self {
        Self { logs: Arc::new(Logs::new(tables, false)), line }
    }

    fn read<T: Send + 'static>(
        &self,
        label: String,
        read: impl FnOnce(&Memory) -> Reply<T> + Send + 'static,
    ) -> Reply<T> {
        let line = self.line.clone();
        let find = move |truth: &mut Truth| at_once(read(&truth.memory));
        async move { of_read(line.one(label, PLAIN, find).await)? }.boxed()
    }

    fn glance<T: Send + 'static>(
        &self,
        key: &ConversationKey,
        label: String,
        read: impl FnOnce(&Memory, &ConversationKey) -> Reply<T> + Send + 'static,
    ) -> Reply<T> {
        let (line, key) = (self.line.clone(), key.clone());
        let of = (label, Deed::Glance(key.clone()));
        let find = move |truth: &mut Truth| at_once(read(&truth.memory, &key));
        async move { of_read(line.deed(of, PLAIN, find).await)? }.boxed()
    }

    fn write<T: Send + 'static>(
        &self,
        label: String,
        write: impl FnOnce(&Memory) -> Reply<T> + Send + 'static,
    ) -> Reply<T> {
        let line = self.line.clone();
        let write = move |truth: &mut Truth| at_once(write(&truth.memory));
        carry_out(async move {
            match line.one(label, PLAIN, write).await {
                Told::Answered(written) => written,
                Told::Refused => Err(Fault::Busy),
                Told::Nothing => Err(Fault::Unknown),
            }
        })
    }
}

impl Store for SharedStore {
    fn open(&self, key: &ConversationKey, epoch: u64) -> Reply<()> {
        let (logs, key) = (Arc::clone(&self.logs), key.clone());
        carry_out(async move { logs.open(&key, epoch).await })
    }

    fn is_begun(&self, key: &ConversationKey) -> Reply<bool> {
        let (logs, key) = (Arc::clone(&self.logs), key.clone());
        async move { logs.is_begun(&key).await }.boxed()
    }

    fn hand_on(&self, key: &ConversationKey, epoch: u64) -> Option<HandOn> {
        self.logs.hand_on(key, epoch)
    }

    fn open_warm(&self, key: &ConversationKey, epoch: u64, handed: HandOn) -> Reply<bool> {
        let (logs, key) = (Arc::clone(&self.logs), key.clone());
        carry_out(async move { logs.open_warm(&key, epoch, handed).await })
    }

    fn append(&self, append: Append) -> Reply<()> {
        let logs = Arc::clone(&self.logs);
        carry_out(async move { logs.append(&append).await })
    }

    fn read(&self, page: Page) -> Reply<Vec<Event>> {
        let logs = Arc::clone(&self.logs);
        async move { logs.read(&page).await }.boxed()
    }

    fn find_send(
        &self,
        key: &ConversationKey,
        principal: Principal,
        device: DeviceId,
        n: u64,
    ) -> Reply<SendLookup> {
        let (logs, key) = (Arc::clone(&self.logs), key.clone());
        async move { logs.find_send(&key, (principal, device, n)).await }.boxed()
    }

    fn checkpoint(&self, key: &ConversationKey) -> Reply<Option<Conversation>> {
        let label = format!("reads the card of {}", key.conversation);
        self.glance(key, label, Memory::checkpoint)
    }

    fn put_checkpoints(&self, checkpoints: Vec<(ConversationKey, Conversation)>) -> Reply<()> {
        let (logs, line) = (Arc::clone(&self.logs), self.line.clone());
        carry_out(async move {
            for (key, card) in checkpoints {
                let heads = card.heads;
                let label = format!("puts the card of {} {heads:?}", key.conversation);
                let put = vec![(key.clone(), card)];
                let put = move |truth: &mut Truth| at_once(truth.memory.put_checkpoints(put));
                match line.one(label, PLAIN, put).await {
                    Told::Answered(written) => written?,
                    Told::Refused => return Err(Fault::Busy),
                    Told::Nothing => return Err(Fault::Unknown),
                }
                logs.checkpointed(&key, heads).await?;
            }
            Ok(())
        })
    }

    fn dirty(&self, limit: usize) -> Reply<Vec<ConversationKey>> {
        let line = self.line.clone();
        let find = move |truth: &mut Truth| truth.behind(limit);
        let label = "reads what is behind".to_owned();
        async move { of_read(line.one(label, PLAIN, find).await) }.boxed()
    }

    fn list(&self, list: List) -> Reply<Vec<Conversation>> {
        self.read("lists".to_owned(), move |memory| memory.list(list))
    }

    fn by_number(&self, tenant: &TenantId, number: u64) -> Reply<Option<ConversationId>> {
        let tenant = tenant.clone();
        self.read(format!("finds {number}"), move |memory| memory.by_number(&tenant, number))
    }

    fn put_receipts(&self, receipts: Vec<(ConversationKey, Principal, Receipt)>) -> Reply<()> {
        self.write("puts receipts".to_owned(), move |memory| memory.put_receipts(receipts))
    }

    fn receipts(&self, key: &ConversationKey) -> Reply<Vec<(Principal, Receipt)>> {
        let label = format!("reads receipts of {}", key.conversation);
        self.glance(key, label, Memory::receipts)
    }

    fn readings(&self, key: &ConversationKey) -> Reply<Vec<Reading>> {
        let (label, key) = (format!("reads readings of {}", key.conversation), key.clone());
        self.read(label, move |memory| memory.readings(&key))
    }

    fn document(&self, key: &DocumentKey) -> Reply<Option<Document>> {
        let (label, key) = (format!("reads {} {}", key.kind, key.id), key.clone());
        self.read(label, move |memory| memory.document(&key))
    }

    fn put_document(&self, key: DocumentKey, expect: Expect, bytes: Vec<u8>) -> Reply<u64> {
        let label = format!("puts {} {} {expect:?}", key.kind, key.id);
        self.write(label, move |memory| memory.put_document(key, expect, bytes))
    }

    fn delete_document(&self, key: DocumentKey, expect: Expect) -> Reply<()> {
        let label = format!("deletes {} {} {expect:?}", key.kind, key.id);
        self.write(label, move |memory| memory.delete_document(key, expect))
    }

    fn documents(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Reply<Vec<Document>> {
        let tenant = tenant.clone();
        self.read(format!("reads all {kind}"), move |memory| {
            memory.documents(&tenant, kind, after, limit)
        })
    }

    fn take_numbers(&self, tenant: &TenantId, count: u64) -> Reply<u64> {
        let tenant = tenant.clone();
        self.write(format!("takes {count} numbers"), move |memory| {
            memory.take_numbers(&tenant, count)
        })
    }

    fn purge_closed(&self, tenant: &TenantId, before: Timestamp, limit: usize) -> Reply<usize> {
        // Nothing is closed long enough in a simulation, and rows of logs would stay.
        let _ = (tenant, before, limit);
        async { Ok(0) }.boxed()
    }

    fn failed(&self) -> BoxFuture<'static, Fault> {
        pending().boxed()
    }
}
