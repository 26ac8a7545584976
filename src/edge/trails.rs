//! Where visitors have been lately: nothing for a visitor whose widget told no page, and never
//! more than [`BYTES_MAX`] for all of them together.
//!
//! It outlives sockets, because a visitor who goes from page to page opens a new one each time. It
//! is kept in memory alone and for two hours at most: two generations, as the directory's caches.

use std::collections::HashMap;

use parking_lot::Mutex;
use switchboard_domain::conversation::Conversation;
use switchboard_domain::ids::{TenantId, Timestamp, VisitorId};
use switchboard_domain::trail::{Page, Trail};

use crate::notices::{Notice, Teller};

/// Bytes of all trails, about: some ten thousands of visitors on the move.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// What the entry of a visitor takes beside its pages, about.
const ENTRY_BYTES: usize = 128;
/// How long a generation is young, in milliseconds.
const YOUNG_MS: i64 = 60 * 60 * 1_000;

type Whom = (TenantId, VisitorId);

/// All trails, on every node the same.
#[derive(Debug, Default)]
pub struct Trails {
    generations: Mutex<Generations>,
    teller: Teller,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Whom, Trail>,
    old: HashMap<Whom, Trail>,
    young_bytes: usize,
    began_at: Timestamp,
}

impl Trails {
    /// None so far; other nodes are told through that.
    #[must_use]
    pub fn new(teller: Teller) -> Self {
        Self { teller, ..Self::default() }
    }

    /// A visitor goes to a page; answers whether that is news.
    pub fn follow(&self, tenant: &TenantId, visitor: VisitorId, page: Page) -> bool {
        let notice = Notice::page(tenant, visitor, &page);
        let is_news = self.heard(tenant, visitor, page);
        if is_news {
            self.teller.tell(&notice);
        }
        is_news
    }

    /// A visitor has just begun a conversation: they are on the page that its context names, if
    /// nothing is known of where they are.
    pub fn began(&self, tenant: &TenantId, state: &Conversation) {
        let visitor = state.visitor.id;
        if self.page(tenant, visitor, state.created_at).is_none()
            && let Some(page) = page_of(state)
        {
            self.follow(tenant, visitor, page);
        }
    }

    /// A visitor went to a page, here or on another node; answers whether that is news.
    pub fn heard(&self, tenant: &TenantId, visitor: VisitorId, page: Page) -> bool {
        let mut generations = self.generations.lock();
        generations.turn(page.at);
        let whom = (tenant.clone(), visitor);
        let mut trail = match generations.take_young(&whom) {
            Some(trail) => trail,
            None => generations.old.remove(&whom).unwrap_or_default(),
        };
        let is_news = trail.follow(page);
        generations.young_bytes += ENTRY_BYTES + trail.bytes();
        generations.young.insert(whom, trail);
        is_news
    }

    /// The last pages of a visitor, oldest first.
    #[must_use]
    pub fn pages(&self, tenant: &TenantId, visitor: VisitorId, now: Timestamp) -> Vec<Page> {
        self.look(tenant, visitor, now, <[Page]>::to_vec).unwrap_or_default()
    }

    /// The page that a visitor is on, or was lately.
    #[must_use]
    pub fn page(&self, tenant: &TenantId, visitor: VisitorId, now: Timestamp) -> Option<Page> {
        self.look(tenant, visitor, now, |pages| pages.last().cloned()).flatten()
    }

    fn look<T>(
        &self,
        tenant: &TenantId,
        visitor: VisitorId,
        now: Timestamp,
        pick: impl FnOnce(&[Page]) -> T,
    ) -> Option<T> {
        let mut generations = self.generations.lock();
        generations.turn(now);
        let whom = (tenant.clone(), visitor);
        let found = generations.young.get(&whom).or_else(|| generations.old.get(&whom));
        found.map(|trail| pick(trail.pages()))
    }
}

/// Where a conversation began, as far as its context says so.
#[must_use]
pub fn page_of(state: &Conversation) -> Option<Page> {
    let said = |name: &str| state.context.iter().find(|(of, _)| **of == *name);
    let title = said("title").map_or("", |(_, title)| title);
    said("page").and_then(|(_, url)| Page::new(url, title, state.created_at))
}

impl Generations {
    /// Forgets what is old when the young have had their time, or are too many.
    fn turn(&mut self, now: Timestamp) {
        let age_ms = now.ms_since(self.began_at);
        if age_ms >= YOUNG_MS || self.young_bytes >= BYTES_MAX / 2 {
            let young = std::mem::take(&mut self.young);
            // Nobody looked for a whole generation: the young are old enough to be forgotten too.
            self.old = if age_ms >= 2 * YOUNG_MS { HashMap::new() } else { young };
            self.young_bytes = 0;
            self.began_at = now;
        }
    }

    fn take_young(&mut self, whom: &Whom) -> Option<Trail> {
        let trail = self.young.remove(whom)?;
        self.young_bytes -= ENTRY_BYTES + trail.bytes();
        Some(trail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> TenantId {
        TenantId("acme".into())
    }

    fn page(n: u64, at: i64) -> Page {
        let url = format!("https://shop.example/{n}?{}", "x".repeat(1_500));
        Page::new(&url, "", Timestamp(at)).unwrap()
    }

    #[test]
    fn a_trail_is_its_visitors_and_its_tenants() {
        let trails = Trails::default();
        let eve = VisitorId::from_u128(1);
        assert!(trails.follow(&acme(), eve, page(1, 0)));
        assert!(!trails.follow(&acme(), eve, page(1, 1)));
        assert!(trails.follow(&acme(), eve, page(2, 2)));
        assert_eq!(trails.pages(&acme(), eve, Timestamp(3)).len(), 2);
        assert!(trails.pages(&acme(), VisitorId::from_u128(2), Timestamp(3)).is_empty());
        assert!(trails.pages(&TenantId("other".into()), eve, Timestamp(3)).is_empty());
    }

    #[test]
    fn all_trails_together_are_bounded() {
        let trails = Trails::default();
        for n in 0..50_000 {
            trails.follow(&acme(), VisitorId::from_u128(n), page(1, 0));
        }
        let generations = trails.generations.lock();
        let all = generations.young.values().chain(generations.old.values());
        let bytes: usize = all.map(|trail| ENTRY_BYTES + trail.bytes()).sum();
        assert!(bytes <= BYTES_MAX + 4_096, "{bytes}");
        assert!(bytes > BYTES_MAX / 3, "{bytes}");
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let trails = Trails::default();
        let eve = VisitorId::from_u128(1);
        let now = |ms: i64| Timestamp(YOUNG_MS + ms);
        trails.follow(&acme(), eve, page(1, now(0).0));
        assert_eq!(trails.pages(&acme(), eve, now(YOUNG_MS)).len(), 1);
        assert!(trails.pages(&acme(), eve, now(2 * YOUNG_MS)).is_empty());
        trails.follow(&acme(), eve, page(1, now(10 * YOUNG_MS).0));
        assert!(trails.pages(&acme(), eve, now(20 * YOUNG_MS)).is_empty());
    }
}
