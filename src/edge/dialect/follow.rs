//! What a connection hears that hears all it may: an agent every open conversation in sight, a
//! visitor the own ones.
//!
//! Whatever happens in them from the moment of the connection on is told once and in order,
//! whichever door or node it came through. An agent's live list says which conversations there
//! are. It shows the newest [`ROWS`]; whatever happens in another brings that one in, and what was
//! missed until then is read from its history. What has ended is heard no more: a second list says
//! when something still happens to it, and that is read from its history too.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use switchboard_actors::Published;
use switchboard_actors::answer::Subscribed;
use switchboard_actors::inbox::{Change, Rows, ViewDelta, Watch};
use switchboard_domain::card::Sort;
use switchboard_domain::conversation::{Status, Stream};
use switchboard_domain::ids::{ConversationId, Seq, Timestamp, VisitorId};
use switchboard_domain::person::Principal;
use switchboard_store::{List, ListScope, Range};

use super::seat::Seat;
use crate::edge::problem::Problem;

/// Conversations that are heard at once.
const ROWS: usize = 200;
/// Conversations that have ended and are looked at: those to which something happened last.
const ENDED_ROWS: usize = 50;
/// Conversations of which is remembered how far they were told.
const TOLD_MAX: usize = 1_024;
/// Events read at once.
const PAGE: usize = 100;

/// See the module.
#[derive(Debug)]
pub struct Follow {
    /// The agent's live list of what is open; `None` for visitors.
    open: Option<u64>,
    /// That of what has ended.
    ended: Option<u64>,
    told: Told,
}

/// How far each conversation was told.
#[derive(Debug)]
struct Told {
    /// Where nothing is remembered, what is not newer was told or is old.
    until: Timestamp,
    upto: HashMap<ConversationId, (Seq, Timestamp)>,
    order: VecDeque<ConversationId>,
}

impl Told {
    fn new(began_at: Timestamp) -> Self {
        let until = Timestamp(began_at.0 - 1);
        Self { until, upto: HashMap::new(), order: VecDeque::new() }
    }

    /// Remembers that all up to an event was told.
    fn remember(&mut self, conversation: ConversationId, seq: Seq, at: Timestamp) {
        if self.upto.insert(conversation, (seq, at)).is_none() {
            self.order.push_back(conversation);
        }
        if self.order.len() > TOLD_MAX
            && let Some(oldest) = self.order.pop_front()
            && let Some((_, at)) = self.upto.remove(&oldest)
        {
            self.until = self.until.max(at);
        }
    }

    /// Whether an event is to be told, as far as is remembered.
    fn is_news(&self, published: &Published) -> bool {
        match self.upto.get(&published.conversation) {
            Some((seq, _)) => published.event.seq > *seq,
            None => published.event.at > self.until,
        }
    }
}

impl Follow {
    /// Begins to hear.
    ///
    /// # Errors
    ///
    /// When the lists cannot be read.
    pub async fn begin(seat: &mut Seat) -> Result<Self, Problem> {
        let told = Told::new(seat.began_at);
        let mut follow = Self { open: None, ended: None, told };
        match seat.identity.caller.author.principal {
            Principal::Agent(_) => {
                let ended = vec![Status::Closed, Status::Archived];
                follow.ended = Some(watch(seat, ended, ENDED_ROWS).await?);
                let open = vec![Status::Waiting, Status::Active];
                follow.open = Some(watch(seat, open, ROWS).await?);
            }
            Principal::Visitor(visitor) => {
                let open = open_of(seat, visitor).await?;
                seat.hear_all(open).await;
            }
            Principal::Bot(_) | Principal::System => {}
        }
        Ok(follow)
    }

    /// A step of a live list: hears what came into that of what is open, and what left it no more.
    /// Answers what happened to what has ended, each in order.
    ///
    /// # Errors
    ///
    /// When the history cannot be read.
    pub async fn view(
        &mut self,
        seat: &mut Seat,
        delta: &ViewDelta,
    ) -> Result<Vec<Arc<Published>>, Problem> {
        if self.ended == Some(delta.id) {
            return self.ended(seat, delta).await;
        }
        if self.open != Some(delta.id) {
            return Ok(Vec::new());
        }
        match &delta.rows {
            Rows::Snapshot(rows) => {
                let shown: HashSet<_> = rows.iter().map(|row| row.card.id).collect();
                seat.quit_all_but(&shown);
                for conversation in shown {
                    drop(seat.hear(conversation));
                }
            }
            Rows::Changes(changes) => {
                for change in changes {
                    match change {
                        Change::Put(row) => drop(seat.hear(row.card.id)),
                        Change::Drop(conversation) => seat.quit(*conversation),
                    }
                }
            }
        }
        Ok(Vec::new())
    }

    /// A step of the list of what has ended. What is heard tells itself.
    async fn ended(
        &mut self,
        seat: &Seat,
        delta: &ViewDelta,
    ) -> Result<Vec<Arc<Published>>, Problem> {
        let mut news = Vec::new();
        for row in delta.rows.shown() {
            let card = &row.card;
            if seat.is_in(card.id) {
                continue;
            }
            match self.news(seat, card.id, card.heads.public, card.last_public_at).await {
                Ok(missed) => news.extend(missed),
                Err(problem) => seat.unread(delta.id, row, problem)?,
            }
        }
        Ok(news)
    }

    /// What is news of a conversation up to its head, in order; then it was told.
    async fn news(
        &mut self,
        seat: &Seat,
        conversation: ConversationId,
        head: Seq,
        last_at: Timestamp,
    ) -> Result<Vec<Arc<Published>>, Problem> {
        let known = self.told.upto.get(&conversation).map(|(seq, _)| *seq);
        let is_quiet = match known {
            Some(seq) => seq >= head,
            None => last_at <= self.told.until,
        };
        if is_quiet {
            return Ok(Vec::new());
        }
        let missed = self.missed(seat, conversation, head).await?;
        self.told.remember(conversation, head, last_at);
        Ok(missed)
    }

    /// A subscription stands: answers what was missed until then, in order.
    ///
    /// # Errors
    ///
    /// When the history cannot be read.
    pub async fn stands(
        &mut self,
        seat: &mut Seat,
        conversation: ConversationId,
        ref_id: u64,
        subscribed: &Subscribed,
    ) -> Result<Vec<Arc<Published>>, Problem> {
        let state = &subscribed.state;
        if !seat.joined(conversation, ref_id, state.number.0) {
            return Ok(Vec::new());
        }
        let missed = self.news(seat, conversation, subscribed.head, state.last_public_at).await?;
        self.told.remember(conversation, subscribed.head, state.last_public_at);
        Ok(missed)
    }

    /// What is news up to a position, in order.
    async fn missed(
        &self,
        seat: &Seat,
        conversation: ConversationId,
        head: Seq,
    ) -> Result<Vec<Arc<Published>>, Problem> {
        let key = seat.doors.key(&seat.identity.tenant, conversation);
        let caller = &seat.identity.caller;
        let mut missed = VecDeque::new();
        let mut before = head.next();
        loop {
            let range = Range::Before(before);
            let read =
                seat.doors.conversations.history(&key, caller, Stream::Public, range, PAGE).await?;
            let news = read.events.iter().rev().take_while(|event| self.told.is_news(event));
            let n_before = missed.len();
            news.for_each(|published| missed.push_front(Arc::clone(published)));
            match read.events.first() {
                Some(first) if read.more && missed.len() - n_before == read.events.len() => {
                    before = first.event.seq;
                }
                Some(_) | None => return Ok(missed.into()),
            }
        }
    }

    /// An event of what is heard: answers whether it is to be told.
    pub fn hears(&mut self, published: &Published) -> bool {
        let event = &published.event;
        // P13: whatever happens elsewhere, only the public stream is told.
        let is_told = event.stream == Stream::Public && self.told.is_news(published);
        if is_told {
            self.told.remember(published.conversation, event.seq, event.at);
        }
        is_told
    }
}

async fn watch(seat: &mut Seat, statuses: Vec<Status>, limit: usize) -> Result<u64, Problem> {
    let id = seat.next_ref();
    let scope = ListScope::All;
    let watch = Watch { id, statuses, department: None, scope, sort: Sort::Recent, limit };
    let (tenant, caller) = (&seat.identity.tenant, &seat.identity.caller);
    seat.doors.inbox.watch(tenant, caller, watch, &seat.outlet).await?;
    Ok(id)
}

/// A visitor's open conversations.
///
/// # Errors
///
/// When the list cannot be read.
pub async fn open_of(seat: &Seat, visitor: VisitorId) -> Result<HashSet<ConversationId>, Problem> {
    let tenant = seat.identity.tenant.clone();
    // What began within the last second is in memory alone.
    let cards = seat.doors.inbox.open_cards(&tenant);
    let mut open: HashSet<ConversationId> =
        cards.iter().filter(|card| card.visitor == visitor).map(|card| card.id).collect();
    let list = List {
        tenant,
        statuses: vec![Status::Waiting, Status::Active],
        department: None,
        scope: ListScope::Visitor(visitor),
        after: None,
        limit: ROWS,
    };
    open.extend(seat.doors.store.list(list).await?.iter().map(|state| state.id));
    Ok(open.into_iter().take(ROWS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_old() {
        let mut told = Told::new(Timestamp(1_000));
        assert_eq!(told.until, Timestamp(999));
        for n in 0..2 * TOLD_MAX {
            let at = Timestamp(1_000 + i64::try_from(n).unwrap());
            told.remember(ConversationId::from_u128(n as u128), Seq(1), at);
        }
        assert_eq!((told.upto.len(), told.order.len()), (TOLD_MAX, TOLD_MAX));
        assert_eq!(told.until, Timestamp(1_000 + i64::try_from(TOLD_MAX).unwrap() - 1));
        let newest = ConversationId::from_u128(2 * TOLD_MAX as u128 - 1);
        assert!(told.upto.contains_key(&newest));
    }
}
