//! A disk that is full: nobody comes in by what was not stored, and nobody goes who was in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{BoxFuture, FutureExt};
use switchboard_actors::clock::Clock;
use switchboard_domain::conversation::{Conversation, Event};
use switchboard_domain::ids::{ConversationId, DeviceId, TenantId, Timestamp};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;
use switchboard_store::memory::Memory;
use switchboard_store::{
    Append, ConversationKey, Document, DocumentKey, Expect, Fault, List, Page, Reading, Reply,
    SendLookup, Store,
};

use super::{EMAIL, PASSWORD};
use crate::accounts::credential::SEEN_LAG_MS;
use crate::accounts::{Accounts, Error, From};
use crate::auth::Authenticator;
use crate::auth::testing::keys;
use crate::directory::testing::{HandClock, tenant};
use crate::directory::{self, Directory};

/// The memory engine, on a disk that may be full.
#[derive(Debug, Default)]
struct Disk {
    memory: Memory,
    is_full: AtomicBool,
}

impl Store for Disk {
    fn put_document(&self, key: DocumentKey, expect: Expect, bytes: Vec<u8>) -> Reply<u64> {
        if self.is_full.load(Ordering::Relaxed) {
            return async { Err(Fault::Full) }.boxed();
        }
        self.memory.put_document(key, expect, bytes)
    }

    fn append(&self, append: Append) -> Reply<()> {
        self.memory.append(append)
    }

    fn read(&self, page: Page) -> Reply<Vec<Event>> {
        self.memory.read(page)
    }

    fn find_send(
        &self,
        key: &ConversationKey,
        principal: Principal,
        device: DeviceId,
        n: u64,
    ) -> Reply<SendLookup> {
        self.memory.find_send(key, principal, device, n)
    }

    fn checkpoint(&self, key: &ConversationKey) -> Reply<Option<Conversation>> {
        self.memory.checkpoint(key)
    }

    fn put_checkpoints(&self, checkpoints: Vec<(ConversationKey, Conversation)>) -> Reply<()> {
        self.memory.put_checkpoints(checkpoints)
    }

    fn dirty(&self, limit: usize) -> Reply<Vec<ConversationKey>> {
        self.memory.dirty(limit)
    }

    fn list(&self, list: List) -> Reply<Vec<Conversation>> {
        self.memory.list(list)
    }

    fn by_number(&self, tenant: &TenantId, number: u64) -> Reply<Option<ConversationId>> {
        self.memory.by_number(tenant, number)
    }

    fn put_receipts(&self, receipts: Vec<(ConversationKey, Principal, Receipt)>) -> Reply<()> {
        self.memory.put_receipts(receipts)
    }

    fn receipts(&self, key: &ConversationKey) -> Reply<Vec<(Principal, Receipt)>> {
        self.memory.receipts(key)
    }

    fn readings(&self, key: &ConversationKey) -> Reply<Vec<Reading>> {
        self.memory.readings(key)
    }

    fn document(&self, key: &DocumentKey) -> Reply<Option<Document>> {
        self.memory.document(key)
    }

    fn delete_document(&self, key: DocumentKey, expect: Expect) -> Reply<()> {
        self.memory.delete_document(key, expect)
    }

    fn documents(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        after: Option<Arc<str>>,
        limit: usize,
    ) -> Reply<Vec<Document>> {
        self.memory.documents(tenant, kind, after, limit)
    }

    fn take_numbers(&self, tenant: &TenantId, count: u64) -> Reply<u64> {
        self.memory.take_numbers(tenant, count)
    }

    fn purge_closed(&self, tenant: &TenantId, before: Timestamp, limit: usize) -> Reply<usize> {
        self.memory.purge_closed(tenant, before, limit)
    }

    fn failed(&self) -> BoxFuture<'static, Fault> {
        self.memory.failed()
    }
}

#[tokio::test]
async fn a_full_disk_lets_nobody_in_and_signs_nobody_out() {
    let disk = Arc::new(Disk::default());
    let hand = Arc::new(HandClock::default());
    let (store, clock) = (Arc::clone(&disk) as Arc<dyn Store>, Arc::clone(&hand) as Arc<dyn Clock>);
    let acme = tenant("acme");
    let opened = Directory::open(store, Arc::clone(&clock), [acme.clone()]).await;
    let directory = opened.unwrap();
    let auth = Authenticator::new(keys(), directory.clone(), Arc::clone(&clock));
    let accounts = Accounts::new(directory.clone(), auth.clone(), clock, true, true);
    let made = directory.make_setup(&acme, None).await.unwrap().unwrap();
    let set_up = || accounts.set_up(&made.token, "Grace", EMAIL, PASSWORD.into());
    let log_in = || {
        let from = From { address: [192, 0, 2, 1].into(), device: None };
        accounts.log_in(&acme, EMAIL, PASSWORD.into(), from)
    };
    let is_full =
        |error: &Error| matches!(error, Error::Directory(directory::Error::Store(Fault::Full)));

    disk.is_full.store(true, Ordering::Relaxed);
    assert!(is_full(&set_up().await.unwrap_err()));
    disk.is_full.store(false, Ordering::Relaxed);
    let entered = set_up().await.expect("the link was not used up");

    disk.is_full.store(true, Ordering::Relaxed);
    for _ in 0..12 {
        let refused = log_in().await.unwrap_err();
        assert!(is_full(&refused), "not the person's fault: {refused}");
    }
    hand.turn_ms(2 * SEEN_LAG_MS);
    assert!(auth.authenticate_cookie(&entered.secret).await.is_ok(), "reading goes on");
    assert!(is_full(&accounts.log_out(&entered.identity).await.unwrap_err()));
    disk.is_full.store(false, Ordering::Relaxed);
    assert!(log_in().await.is_ok());
    accounts.log_out(&entered.identity).await.unwrap();
    assert!(auth.authenticate_cookie(&entered.secret).await.is_err());
}
