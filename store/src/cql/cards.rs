//! Checkpoints, the marks that say they are behind, and what follows from them.

use futures_util::future::try_join_all;
use switchboard_domain::conversation::{Conversation, Heads, Stream};
use switchboard_domain::ids::{ConversationId, Id, TenantId, Timestamp};
use uuid::Uuid;

use super::Engine;
use super::column::{bigint, slice, stream as stream_column};
use super::lists::{Entry, List as Name, entries_of};
use crate::log::partition as partition_of;
use crate::port::{ConversationKey, Fault};
use crate::record::{CheckpointPlace, decode_checkpoint, encode_checkpoint};

/// Partitions that the marks are spread over. Stored: never to be changed.
const MARK_SLICES: u32 = 64;
/// Checkpoints written side by side: each takes about five requests, and messages come first.
const CARDS_AT_ONCE: usize = 16;

/// The time that a checkpoint is written with: it rises with each event, and with each new
/// beginning of the conversation. So the newest checkpoint stands, whoever wrote it and however
/// late, and no clock takes part.
fn stamp(checkpoint: &Conversation) -> i64 {
    let events = checkpoint.heads.public.0.saturating_add(checkpoint.heads.internal.0);
    checkpoint.created_at.0.saturating_mul(1_000).saturating_add(bigint(events))
}

fn covers(heads: Heads, other: Heads) -> bool {
    other.public <= heads.public && other.internal <= heads.internal
}

impl Engine {
    /// The stored checkpoint.
    pub(super) async fn card(&self, key: &ConversationKey) -> Result<Option<Conversation>, Fault> {
        let values = (&*key.tenant.0, key.conversation.uuid());
        let row: Option<(i64, i64, Vec<u8>)> =
            self.database.row(&self.database.of.card, values).await?;
        row.map(|(_, _, record)| decode_checkpoint(CheckpointPlace(key), &record)).transpose()
    }

    /// Writes checkpoints, some at a time.
    pub(super) async fn put_cards(
        &self,
        checkpoints: &[(ConversationKey, Conversation)],
    ) -> Result<(), Fault> {
        for some in checkpoints.chunks(CARDS_AT_ONCE) {
            let puts: Vec<_> = some.iter().map(|(key, card)| self.put_card(key, card)).collect();
            try_join_all(puts).await?;
        }
        Ok(())
    }

    /// Writes a checkpoint and takes the mark away, if that has caught up.
    async fn put_card(
        &self,
        key: &ConversationKey,
        checkpoint: &Conversation,
    ) -> Result<(), Fault> {
        let stored = match self.card(key).await {
            // A newer program has it by now. What it wrote stays, and holds no other card up.
            Err(Fault::TooNew { .. }) => return Ok(()),
            stored => stored?,
        };
        if stored.as_ref().is_none_or(|stored| covers(checkpoint.heads, stored.heads)) {
            self.replace_card(key, stored.as_ref(), checkpoint).await?;
        }
        self.logs.checkpointed(key, checkpoint.heads).await
    }

    /// New entries first, then the card that makes them count, then the old ones go: whenever it
    /// stops, lists hold the conversation as the card says.
    async fn replace_card(
        &self,
        key: &ConversationKey,
        stored: Option<&Conversation>,
        checkpoint: &Conversation,
    ) -> Result<(), Fault> {
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let record = encode_checkpoint(CheckpointPlace(key), checkpoint)?;
        let at = stamp(checkpoint);
        let of = &self.database.of;
        if stored.is_none_or(|stored| stored.number != checkpoint.number) {
            let values = (tenant, bigint(checkpoint.number.0), id, at);
            self.database.write(&of.put_number, values).await?;
        }
        let old = stored.map(entries_of).unwrap_or_default();
        let new = entries_of(checkpoint);
        let fresh = new.iter().filter(|entry| !old.contains(entry));
        let puts: Vec<_> = fresh.map(|entry| self.put_entry(tenant, entry, &old, at)).collect();
        try_join_all(puts).await?;
        let (public, internal) = (checkpoint.heads.public.0, checkpoint.heads.internal.0);
        let values = (tenant, id, bigint(public), bigint(internal), &record, at);
        self.database.write(&of.put_card, values).await?;
        let gone = old.iter().filter(|entry| !new.iter().any(|it| it.is_at(entry)));
        self.drop_entries(tenant, gone, at).await
    }

    /// Conversations that are marked, at most `limit`.
    pub(super) async fn marked(&self, limit: usize) -> Result<Vec<ConversationKey>, Fault> {
        let mut marked = Vec::new();
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        if limit == 0 {
            return Ok(marked);
        }
        let read = |slice| {
            let slice = i16::try_from(slice).unwrap_or(0);
            self.database.rows::<(String, Uuid)>(&self.database.of.marks, (slice, limit))
        };
        let slices: Vec<_> = (0..MARK_SLICES).map(read).collect();
        for (tenant, id) in try_join_all(slices).await?.into_iter().flatten() {
            let tenant = TenantId(tenant.into());
            marked.push(ConversationKey { tenant, conversation: Id::new(id) });
        }
        marked.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(marked)
    }

    async fn is_marked(&self, key: &ConversationKey) -> Result<bool, Fault> {
        let values = (mark_slice(key), &*key.tenant.0, key.conversation.uuid());
        let row: Option<(Uuid,)> = self.database.row(&self.database.of.is_marked, values).await?;
        Ok(row.is_some())
    }

    /// The conversation of a number.
    pub(super) async fn by_number(
        &self,
        tenant: &TenantId,
        number: u64,
    ) -> Result<Option<ConversationId>, Fault> {
        let values = (&*tenant.0, bigint(number));
        let row: Option<(Uuid,)> = self.database.row(&self.database.of.number, values).await?;
        Ok(row.map(|(id,)| Id::new(id)))
    }

    /// Deletes conversations that were closed before that time, the oldest first.
    pub(super) async fn purge(
        &self,
        tenant: &TenantId,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, Fault> {
        let mut purged = 0;
        let mut buckets = self.buckets(tenant, &Name::closed(), i32::MAX).await?;
        buckets.sort_unstable();
        for bucket in buckets {
            if purged == limit || Name::closed().begins(bucket) >= before.0 {
                break;
            }
            let mut after = (i64::MIN, Vec::new());
            while purged < limit {
                let page = self.oldest(tenant, bucket, &after, before).await?;
                let Some((at, id)) = page.last() else { break };
                after = (*at, id.clone());
                for (at, id) in page {
                    if purged == limit {
                        break;
                    }
                    let Ok(id) = Uuid::from_slice(&id) else { continue };
                    let key = ConversationKey { tenant: tenant.clone(), conversation: Id::new(id) };
                    purged += usize::from(self.purge_one(&key, Timestamp(at)).await?);
                }
            }
        }
        Ok(purged)
    }

    /// Deletes one conversation, if it was closed at that time and its checkpoint has caught up;
    /// whether it did. The head goes first and the list entry last: whatever is left half way is
    /// found again.
    async fn purge_one(&self, key: &ConversationKey, closed_at: Timestamp) -> Result<bool, Fault> {
        let log = self.logs.of(key);
        let _turn = log.turn.lock().await;
        let card = match self.card(key).await {
            // It is left to the next release.
            Err(Fault::TooNew { .. }) => return Ok(false),
            read => read?,
        };
        let Some(card) = card.filter(|card| card.closed_at == Some(closed_at)) else {
            return Ok(false);
        };
        if log.is_beyond(card.heads)
            || self.is_marked(key).await?
            || !self.logs.drop_head(key).await?
        {
            return Ok(false);
        }
        log.forget();
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let (of, now) = (&self.database.of, self.database.now());
        let mut drops = Vec::new();
        for stream in [Stream::Public, Stream::Internal] {
            // One more than the head's: rows of overtaken owners may lie beyond it.
            for partition in 0..=partition_of(card.heads.of(stream)) + 1 {
                let values = (now, tenant, id, stream_column(stream), partition);
                drops.push(self.database.write(&of.drop_events, values));
            }
        }
        try_join_all(drops).await?;
        self.database.write(&of.drop_receipts, (now, tenant, id)).await?;
        let at = stamp(&card);
        self.database.write(&of.drop_number, (at, tenant, bigint(card.number.0))).await?;
        let (closed, open): (Vec<_>, Vec<_>) =
            entries_of(&card).into_iter().partition(|entry| entry.list == Name::closed());
        self.drop_entries(tenant, open.iter(), at).await?;
        self.database.write(&of.drop_card, (at, tenant, id)).await?;
        self.drop_entries(tenant, closed.iter(), at).await?;
        Ok(true)
    }

    /// Writes an entry, and its stretch if none of the `old` ones lies in it.
    async fn put_entry(
        &self,
        tenant: &str,
        entry: &Entry,
        old: &[Entry],
        at: i64,
    ) -> Result<(), Fault> {
        if !old.iter().any(|it| (&it.list, it.bucket) == (&entry.list, entry.bucket)) {
            let values = (tenant, &*entry.list.0, entry.bucket);
            self.database.write(&self.database.of.put_bucket, values).await?;
        }
        let Entry { list, bucket, at: position, conversation, status, agent, department } = entry;
        let id = conversation.uuid();
        let (id, agent) = (&id.as_bytes()[..], agent.map(|agent| agent.uuid()));
        let department = department.as_ref().map(|department| &*department.0);
        let values = (tenant, &*list.0, bucket, position, id, status, agent, department, at);
        self.database.write(&self.database.of.put_entry, values).await
    }

    async fn drop_entries(
        &self,
        tenant: &str,
        entries: impl Iterator<Item = &Entry>,
        at: i64,
    ) -> Result<(), Fault> {
        let drops: Vec<_> = entries.map(|entry| self.drop_entry(tenant, entry, at)).collect();
        try_join_all(drops).await.map(drop)
    }

    async fn drop_entry(&self, tenant: &str, entry: &Entry, at: i64) -> Result<(), Fault> {
        let id = entry.conversation.uuid();
        let values = (at, tenant, &*entry.list.0, entry.bucket, entry.at, &id.as_bytes()[..]);
        self.database.write(&self.database.of.drop_entry, values).await
    }
}

pub(super) fn mark_slice(key: &ConversationKey) -> i16 {
    slice(key.conversation.uuid().as_bytes(), MARK_SLICES)
}
