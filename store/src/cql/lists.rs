//! Lists of conversations: which entries a card has, and reading a page of them.
//!
//! Entries lie in stretches of time, so that no partition grows for ever. An entry is a hint: it
//! counts when the card says the same, and the card is read in any case.

use std::cmp::Reverse;
use std::sync::Arc;

use futures_util::future::try_join_all;
use switchboard_domain::conversation::{Conversation, Status};
use switchboard_domain::ids::{AgentId, ConversationId, DepartmentId, Id, TenantId, Timestamp};
use uuid::Uuid;

use super::Engine;
use crate::port::{self, ConversationKey, Fault, ListScope};

const DAY_MS: i64 = 86_400_000;
/// A person's conversations are few: a hundred days of an agent are some thousands.
const PERSON_MS: i64 = 100 * DAY_MS;
/// Entries read at once: most pages are shorter, and a long page reads on.
const PAGE_ENTRIES: usize = 100;

const STATUSES: [Status; 4] = [Status::Waiting, Status::Active, Status::Closed, Status::Archived];

const fn status_name(status: Status) -> &'static str {
    match status {
        Status::Waiting => "waiting",
        Status::Active => "active",
        Status::Closed => "closed",
        Status::Archived => "archived",
    }
}

/// The name of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List(pub(super) Arc<str>);

impl List {
    fn status(status: Status) -> Self {
        Self(format!("status:{}", status_name(status)).into())
    }

    fn agent(agent: AgentId) -> Self {
        Self(format!("agent:{agent}").into())
    }

    fn visitor(visitor: switchboard_domain::ids::VisitorId) -> Self {
        Self(format!("visitor:{visitor}").into())
    }

    /// What was closed, by when.
    pub(super) fn closed() -> Self {
        Self("closed".into())
    }

    /// The milliseconds of one stretch.
    fn stretch_ms(&self) -> i64 {
        let is_of_person = self.0.starts_with("agent:") || self.0.starts_with("visitor:");
        if is_of_person { PERSON_MS } else { DAY_MS }
    }

    /// The stretch that a time lies in.
    fn bucket(&self, at: i64) -> i32 {
        let bucket = at.div_euclid(self.stretch_ms());
        i32::try_from(bucket).unwrap_or(if bucket < 0 { i32::MIN } else { i32::MAX })
    }

    /// When a stretch begins.
    pub(super) fn begins(&self, bucket: i32) -> i64 {
        i64::from(bucket).saturating_mul(self.stretch_ms())
    }
}

/// Where a conversation stands in a list, and what the page is filtered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) list: List,
    pub(super) bucket: i32,
    pub(super) at: i64,
    pub(super) conversation: ConversationId,
    pub(super) status: &'static str,
    pub(super) agent: Option<AgentId>,
    pub(super) department: Option<DepartmentId>,
}

impl Entry {
    /// Whether it stands at the same place as the other.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        (&self.list, self.at, self.conversation) == (&other.list, other.at, other.conversation)
    }
}

/// Every entry that a card has.
pub(super) fn entries_of(card: &Conversation) -> Vec<Entry> {
    let agent = card.agent.as_ref().map(|agent| agent.id);
    let mut places = vec![
        (List::status(card.status), card.last_at.0),
        (List::visitor(card.visitor.id), card.last_public_at.0),
    ];
    places.extend(agent.map(|agent| (List::agent(agent), card.last_at.0)));
    places.extend(card.closed_at.map(|at| (List::closed(), at.0)));
    let entry = |(list, at): (List, i64)| Entry {
        bucket: list.bucket(at),
        list,
        at,
        conversation: card.id,
        status: status_name(card.status),
        agent,
        department: card.department.clone(),
    };
    places.into_iter().map(entry).collect()
}

type Position = (Timestamp, ConversationId);

impl Engine {
    /// A page of a list.
    pub(super) async fn list(&self, list: &port::List) -> Result<Vec<Conversation>, Fault> {
        if list.limit == 0 {
            return Ok(Vec::new());
        }
        let is_wanted =
            |status: &Status| list.statuses.is_empty() || list.statuses.contains(status);
        let names: Vec<List> = match list.scope {
            ListScope::Agent(agent) => vec![List::agent(agent)],
            ListScope::Visitor(visitor) => vec![List::visitor(visitor)],
            ListScope::All | ListScope::Unassigned => {
                STATUSES.into_iter().filter(is_wanted).map(List::status).collect()
            }
        };
        let parts: Vec<_> = names.iter().map(|name| self.part(list, name)).collect();
        let parts = try_join_all(parts).await?;
        let mut page: Vec<Conversation> = parts.into_iter().flatten().collect();
        page.sort_by_key(|card| Reverse(list.position(card)));
        // One that moved from list to list between two reads stands in both.
        page.dedup_by_key(|card| card.id);
        page.truncate(list.limit);
        Ok(page)
    }

    /// The first cards of one of the lists that a page is made of.
    async fn part(&self, list: &port::List, name: &List) -> Result<Vec<Conversation>, Fault> {
        let newest = (Timestamp(i64::MAX), ConversationId::from_u128(u128::MAX));
        let mut after = list.after.unwrap_or(newest);
        let mut found = Vec::new();
        for bucket in self.buckets(&list.tenant, name, name.bucket(after.0.0)).await? {
            loop {
                let (candidates, last) = self.candidates(list, name, bucket, after).await?;
                let cards: Vec<_> =
                    candidates.into_iter().map(|position| self.listed(list, position)).collect();
                found.extend(try_join_all(cards).await?.into_iter().flatten());
                if found.len() >= list.limit {
                    found.truncate(list.limit);
                    return Ok(found);
                }
                let Some(last) = last else { break };
                after = last;
            }
        }
        Ok(found)
    }

    /// The card of an entry, if it says the same.
    async fn listed(
        &self,
        list: &port::List,
        position: Position,
    ) -> Result<Option<Conversation>, Fault> {
        let tenant = list.tenant.clone();
        let key = ConversationKey { tenant, conversation: position.1 };
        let card = match self.card(&key).await {
            // It is shown by nodes that understand it. The others of the page are shown here.
            Err(fault @ Fault::TooNew { .. }) => {
                tracing::warn!(conversation = %key.conversation, %fault, "left out of a list");
                None
            }
            card => card?,
        };
        Ok(card.filter(|it| list.position(it) == position && list.holds(it)))
    }

    /// Some entries of a stretch that pass the filters, and from where to read on; `None` at its
    /// end.
    async fn candidates(
        &self,
        list: &port::List,
        name: &List,
        bucket: i32,
        after: Position,
    ) -> Result<(Vec<Position>, Option<Position>), Fault> {
        type Row = (i64, Vec<u8>, String, Option<Uuid>, Option<String>);
        let limit = list.limit.clamp(1, PAGE_ENTRIES);
        let id = after.1.uuid();
        let count = i32::try_from(limit).unwrap_or(i32::MAX);
        let tenant = &*list.tenant.0;
        let values = (tenant, &*name.0, bucket, after.0.0, &id.as_bytes()[..], count);
        let rows: Vec<Row> = self.database.rows(&self.database.of.entries, values).await?;
        let is_last = rows.len() < limit;
        let mut candidates = Vec::with_capacity(rows.len());
        let mut last = None;
        for (at, id, status, agent, department) in rows {
            let Ok(id) = Uuid::from_slice(&id) else { continue };
            let position = (Timestamp(at), Id::new(id));
            last = Some(position);
            let has_status = list.statuses.is_empty()
                || list.statuses.iter().any(|wanted| status_name(*wanted) == status);
            let has_department = list
                .department
                .as_ref()
                .is_none_or(|wanted| department.as_deref() == Some(&*wanted.0));
            let has_owner = list.scope != ListScope::Unassigned || agent.is_none();
            if has_status && has_department && has_owner {
                candidates.push(position);
            }
        }
        Ok((candidates, last.filter(|_| !is_last)))
    }

    /// The stretches of a list that hold anything, newest first.
    pub(super) async fn buckets(
        &self,
        tenant: &TenantId,
        name: &List,
        newest: i32,
    ) -> Result<Vec<i32>, Fault> {
        let values = (&*tenant.0, &*name.0, newest);
        let rows: Vec<(i32,)> = self.database.rows(&self.database.of.buckets, values).await?;
        Ok(rows.into_iter().map(|(bucket,)| bucket).collect())
    }

    /// Some entries of a stretch of what was closed before that time, oldest first.
    pub(super) async fn oldest(
        &self,
        tenant: &TenantId,
        bucket: i32,
        after: &(i64, Vec<u8>),
        before: Timestamp,
    ) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
        let none: &[u8] = &[];
        let count = i32::try_from(PAGE_ENTRIES).unwrap_or(i32::MAX);
        let list = List::closed();
        let after = (after.0, after.1.as_slice());
        let values = (&*tenant.0, &*list.0, bucket, after.0, after.1, before.0, none, count);
        self.database.rows(&self.database.of.oldest_entries, values).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_go_on_without_a_gap_before_and_after_the_epoch() {
        let list = List::closed();
        for (at, bucket) in [(0, 0), (DAY_MS - 1, 0), (DAY_MS, 1), (-1, -1), (-DAY_MS, -1)] {
            assert_eq!(list.bucket(at), bucket, "{at}");
            assert!(list.begins(bucket) <= at && at < list.begins(bucket + 1), "{at}");
        }
        assert_eq!(list.bucket(i64::MAX), i32::MAX);
        assert_eq!(List::agent(AgentId::from_u128(1)).bucket(PERSON_MS), 1);
    }
}
