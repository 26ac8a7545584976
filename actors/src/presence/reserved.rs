//! What a home reserved lately, as documents: the next home must not give these slots away before
//! the log has told what became of them (P11). Written among nodes only.
//!
//! A reservation that is not written was not made, and each is only answered while the home is
//! held, so that the next one reads all that were answered.

use std::sync::Arc;

use switchboard_domain::ids::{AgentId, ConversationId, TenantId, Timestamp};
use switchboard_domain::limit::RESERVATION_MS;
use switchboard_store::{Document, DocumentKey, Expect, Fault, Store};

use crate::maps::HashMap;

/// The kind of these documents.
const KIND: &str = "reserved";
/// The first line of this form.
const VERSION: &str = "reserved 1";
/// Documents read at once.
const PAGE: usize = 500;
/// How far the clocks of two homes may be apart, in milliseconds. A clock that is further ahead
/// would take a reservation for an old one.
const CLOCKS_APART_MS: i64 = 20_000;

/// What was reserved lately, by agent.
#[derive(Debug, Default)]
pub(super) struct Reserved(HashMap<AgentId, Lately>);

#[derive(Debug, Default)]
struct Lately {
    slots: Vec<(ConversationId, Timestamp)>,
    /// Of the document, 0 for none; `None` when that is not known.
    version: Option<u64>,
}

impl Lately {
    /// Forgets what has expired by any clock.
    fn forget(&mut self, now: Timestamp) {
        self.slots.retain(|(_, at)| is_recent(*at, now));
    }
}

fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.ms_since(at) < RESERVATION_MS + CLOCKS_APART_MS
}

impl Reserved {
    pub(super) async fn read(store: &dyn Store, tenant: &TenantId) -> Result<Self, Fault> {
        let mut reserved = Self::default();
        let mut after = None;
        loop {
            let page = store.documents(tenant, KIND, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(reserved) };
            after = Some(Arc::clone(&last.id));
            for document in &page {
                let (agent, slots) = decode(document).ok_or_else(|| damaged(document))?;
                reserved.0.insert(agent, Lately { slots, version: Some(document.version) });
            }
        }
    }

    /// What may not have been decided yet.
    pub(super) fn recent(&self, now: Timestamp) -> Vec<(AgentId, ConversationId)> {
        let all = self.0.iter().flat_map(|(agent, it)| {
            it.slots.iter().map(|(conversation, at)| (*agent, *conversation, *at))
        });
        let recent = all.filter(|(_, _, at)| is_recent(*at, now));
        recent.map(|(agent, conversation, _)| (agent, conversation)).collect()
    }

    /// Writes down one more. When that fails nobody may rely on it; it may be read all the same.
    pub(super) async fn write(
        &mut self,
        store: &dyn Store,
        tenant: &TenantId,
        (agent, conversation): (AgentId, ConversationId),
        now: Timestamp,
    ) -> Result<(), Fault> {
        let lately = self.0.entry(agent).or_insert(Lately { slots: Vec::new(), version: Some(0) });
        lately.forget(now);
        lately.slots.retain(|(it, _)| *it != conversation);
        lately.slots.push((conversation, now));
        let key = DocumentKey { tenant: tenant.clone(), kind: KIND, id: agent.to_string().into() };
        // A home before this one that does not know it yet must not write over it.
        let version = match lately.version.take() {
            Some(version) => version,
            None => store.document(&key).await?.map_or(0, |document| document.version),
        };
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        let bytes = encode(&lately.slots).into_bytes();
        lately.version = Some(store.put_document(key, expect, bytes).await?);
        Ok(())
    }
}

fn damaged(document: &Document) -> Fault {
    Fault::Damaged { what: format!("reservations of agent {}", document.id).into() }
}

fn encode(slots: &[(ConversationId, Timestamp)]) -> String {
    let mut lines = vec![VERSION.to_owned()];
    lines.extend(slots.iter().map(|(conversation, at)| format!("{conversation} {}", at.0)));
    lines.join("\n")
}

fn decode(document: &Document) -> Option<(AgentId, Vec<(ConversationId, Timestamp)>)> {
    let mut lines = std::str::from_utf8(&document.bytes).ok()?.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let slots = lines.map(|line| {
        let (conversation, at) = line.split_once(' ')?;
        Some((conversation.parse().ok()?, Timestamp(at.parse().ok()?)))
    });
    Some((document.id.parse().ok()?, slots.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use switchboard_store::memory::Memory;

    use super::*;
    use crate::testing::tenant;

    fn slot(agent: u128, conversation: u128) -> (AgentId, ConversationId) {
        (AgentId::from_u128(agent), ConversationId::from_u128(conversation))
    }

    #[tokio::test]
    async fn the_next_home_reads_what_the_last_one_wrote_lately() {
        let (store, tenant) = (Memory::default(), tenant());
        let mut home = Reserved::read(&store, &tenant).await.unwrap();
        for (one, at) in [(slot(1, 1), 0), (slot(1, 2), 25_000), (slot(2, 3), 26_000)] {
            home.write(&store, &tenant, one, Timestamp(at)).await.unwrap();
        }
        let next = Reserved::read(&store, &tenant).await.unwrap();
        let mut recent = next.recent(Timestamp(30_000));
        recent.sort();
        assert_eq!(recent, [slot(1, 2), slot(2, 3)]);
        assert_eq!(next.recent(Timestamp(60_000)), []);
    }

    #[tokio::test]
    async fn a_home_that_is_over_writes_over_nothing() {
        let (store, tenant) = (Memory::default(), tenant());
        let mut home = Reserved::read(&store, &tenant).await.unwrap();
        home.write(&store, &tenant, slot(1, 1), Timestamp(0)).await.unwrap();
        let mut next = Reserved::read(&store, &tenant).await.unwrap();
        next.write(&store, &tenant, slot(1, 2), Timestamp(1)).await.unwrap();
        let stale = home.write(&store, &tenant, slot(1, 3), Timestamp(2)).await;
        assert!(matches!(stale, Err(Fault::Changed)), "{stale:?}");
        let all = Reserved::read(&store, &tenant).await.unwrap();
        assert_eq!(all.recent(Timestamp(3)).len(), 2);
        // It reads anew before it writes again, should it still be asked to.
        next.write(&store, &tenant, slot(1, 4), Timestamp(4)).await.unwrap();
    }

    #[test]
    fn what_is_not_ours_is_damaged() {
        for bytes in ["", "reserved 9", "reserved 1\nx 1", "reserved 1\nwhat"] {
            let id = AgentId::from_u128(9).to_string().into();
            let document = Document { id, version: 1, bytes: bytes.into() };
            assert!(decode(&document).is_none(), "{bytes:?}");
        }
    }
}
