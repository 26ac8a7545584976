//! Those who wait, in the order in which they are served, page by page.

use std::sync::Arc;

use axum::response::Response;
use switchboard_domain::card::{Card as DomainCard, Sort, SortKey};
use switchboard_domain::conversation::Status;
use switchboard_domain::ids::ConversationId;
use switchboard_domain::person::Role;
use uuid::Uuid;

use super::super::caller::{require, sees};
use super::{Filter, answer};
use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// A page of those that the caller sees.
pub(super) async fn waiting(
    doors: &Doors,
    identity: &Identity,
    filter: &Filter,
    limit: usize,
) -> Result<Response, Problem> {
    require(identity, Role::Agent)?;
    if filter.status.as_deref() != Some("waiting")
        || filter.agent.is_some()
        || filter.visitor.is_some()
    {
        let words = "`sort` goes with `status=waiting`, `department`, `cursor` and `limit` alone";
        return Err(Problem::with(Code::BadRequest, words));
    }
    let after = filter.cursor.as_deref().map(key_from).transpose()?;
    let in_department = |card: &DomainCard| {
        filter.department.as_deref().is_none_or(|wanted| card.department() == Some(wanted))
    };
    let mut waiting: Vec<(SortKey, Arc<DomainCard>)> = doors
        .inbox
        .open_cards(&identity.tenant)
        .into_iter()
        .filter(|card| card.status == Status::Waiting && in_department(card))
        .filter(|card| sees(doors, identity, card.sight()))
        .map(|card| (card.key(Sort::Waiting), card))
        .filter(|(key, _)| after.is_none_or(|after| *key > after))
        .collect();
    waiting.sort_unstable_by_key(|(key, _)| *key);
    let is_last = waiting.len() <= limit;
    waiting.truncate(limit);
    let next = waiting.last().filter(|_| !is_last).map(|(key, _)| cursor(*key));
    let cards: Vec<_> = waiting.into_iter().map(|(_, card)| card).collect();
    answer(doors, identity, &cards, next).await
}

fn cursor(key: SortKey) -> String {
    format!("{}.{}", key.place(), key.conversation().uuid().simple())
}

fn key_from(text: &str) -> Result<SortKey, Problem> {
    let parsed = text.split_once('.').and_then(|(place, id)| {
        Some(SortKey::new(place.parse().ok()?, ConversationId::new(Uuid::try_parse(id).ok()?)))
    });
    parsed.ok_or_else(|| Problem::with(Code::BadRequest, "`cursor` is none of ours"))
}
