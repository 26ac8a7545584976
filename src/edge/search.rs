//! The search box: all words among the open conversations and the pages that their visitors are on,
//! and among those that ended last; and a number, an id or a mail address among all.

use std::cmp::Reverse;
use std::sync::Arc;

use switchboard_domain::card::Card;
use switchboard_domain::conversation::Status;
use switchboard_domain::ids::ConversationId;
use switchboard_domain::intake::is_mail_address;
use switchboard_domain::search::Query;
use switchboard_store::{List, ListScope};

use super::caller::sees;
use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// Conversations that one search gives; more are not read.
pub const FOUND_MAX: usize = 50;
/// Cards looked at before other work gets its turn: about half a millisecond.
const CARDS_PER_TURN: usize = 256;
/// Conversations that ended last, among which words are looked for: they are read from the store,
/// a page after the other.
const CLOSED_PAGES_MAX: usize = 5;
const CLOSED_PAGE: usize = 200;
/// Conversations that are read of each.
const OF_WRITER_MAX: usize = 200;
/// Visitors of one address whose conversations the search box reads.
const WRITERS_READ_MAX: usize = 8;

/// What is found, newest activity first.
///
/// # Errors
///
/// [`Code::Invalid`] for what cannot be looked for.
pub async fn search(
    doors: &Doors,
    identity: &Identity,
    text: &str,
    limit: usize,
) -> Result<Vec<Arc<Card>>, Problem> {
    let Some(query) = Query::new(text) else {
        return Err(Problem {
            field: Some("q".into()),
            ..Problem::with(Code::Invalid, "`q` must be one to eight words, at most 200 bytes")
        });
    };
    let (tenant, now) = (&identity.tenant, doors.clock.now());
    let mut found = Vec::new();
    for (idx, card) in doors.inbox.open_cards(tenant).into_iter().enumerate() {
        if idx % CARDS_PER_TURN == CARDS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
        if !sees(doors, identity, card.sight()) {
            continue;
        }
        let page = doors.trails.page(tenant, card.visitor, now);
        if query.finds(&card, page.as_ref()) {
            found.push(card);
        }
    }
    let limit = limit.min(FOUND_MAX);
    for card in ended(doors, identity, &query, limit.saturating_sub(found.len())).await? {
        // What was reopened a moment ago is in both.
        if found.iter().all(|known| known.id != card.id) {
            found.push(card);
        }
    }
    for card in named(doors, identity, text.trim()).await? {
        if sees(doors, identity, card.sight()) && found.iter().all(|known| known.id != card.id) {
            found.push(card);
        }
    }
    found.sort_by_key(|card| Reverse((card.last_at, card.id)));
    found.truncate(limit);
    Ok(found)
}

/// Of those that ended last, the first so many that have every word.
async fn ended(
    doors: &Doors,
    identity: &Identity,
    query: &Query,
    limit: usize,
) -> Result<Vec<Arc<Card>>, Problem> {
    let mut found = Vec::new();
    let mut after = None;
    for _ in 0..CLOSED_PAGES_MAX {
        if found.len() >= limit {
            break;
        }
        let list = List {
            tenant: identity.tenant.clone(),
            statuses: vec![Status::Closed, Status::Archived],
            department: None,
            scope: ListScope::All,
            after,
            limit: CLOSED_PAGE,
        };
        let states = doors.store.list(list).await?;
        after = states.last().map(|state| (state.last_at, state.id));
        let cards = states.iter().map(|state| Arc::new(Card::of(state)));
        let fits =
            |card: &Arc<Card>| sees(doors, identity, card.sight()) && query.finds(card, None);
        found.extend(cards.filter(fits));
        if states.len() < CLOSED_PAGE {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// What the whole text names exactly, open or not.
async fn named(doors: &Doors, identity: &Identity, text: &str) -> Result<Vec<Arc<Card>>, Problem> {
    let tenant = &identity.tenant;
    let by_number = match text.trim_start_matches('#').parse() {
        Ok(number) => doors.store.by_number(tenant, number).await?,
        Err(_) => None,
    };
    let id = by_number.or_else(|| text.parse::<ConversationId>().ok());
    if let Some(id) = id {
        // What the caller does not see is not found, like what never was.
        let view = doors.conversations.state(&doors.key(tenant, id), &identity.caller).await;
        return Ok(view.map(|view| vec![Arc::new(Card::of(&view.state))]).unwrap_or_default());
    }
    if is_mail_address(text) {
        of_address(doors, identity, text, WRITERS_READ_MAX).await
    } else {
        Ok(Vec::new())
    }
}

/// Conversations of the last so many visitors who said a mail address, open or not, as far as the
/// caller sees them.
///
/// # Errors
///
/// When the lists cannot be read.
pub async fn of_address(
    doors: &Doors,
    identity: &Identity,
    text: &str,
    n_visitors: usize,
) -> Result<Vec<Arc<Card>>, Problem> {
    let tenant = &identity.tenant;
    let mut cards = Vec::new();
    let writers = doors.directory.writers(tenant, text).await?;
    for visitor in writers.into_iter().take(n_visitors) {
        let list = List {
            tenant: tenant.clone(),
            statuses: Vec::new(),
            department: None,
            scope: ListScope::Visitor(visitor),
            after: None,
            limit: OF_WRITER_MAX,
        };
        let states = doors.store.list(list).await?;
        let is_it = |email: Option<&str>| {
            email.is_some_and(|email| email.to_lowercase() == text.to_lowercase())
        };
        // It may have been left after the conversation began.
        let known = doors.directory.known_visitor(tenant, visitor).await?;
        let left = is_it(known.as_ref().and_then(|known| known.contact.email.as_deref()));
        let under = states.iter().filter(|state| left || is_it(state.visitor.email.as_deref()));
        let seen = under.map(|state| Arc::new(Card::of(state)));
        cards.extend(seen.filter(|card| sees(doors, identity, card.sight())));
    }
    Ok(cards)
}
