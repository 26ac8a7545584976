//! What one watcher has been shown of a list.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use switchboard_domain::card::Card;
use switchboard_domain::ids::{AgentId, ConversationId};

use super::list::{Filter, Live, Sight};
use super::{Change, Row, Rows, ViewDelta, Watch};
use crate::cards::Cards;
use crate::delivery::{Delivery, Outlet};
use crate::maps::{HashMap, HashSet};
use crate::meter::Meter;

/// Who watches which list. They outlive the inbox's actor.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<HashMap<(u64, u64), Arc<Watcher>>>);

/// One watch of one connection.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) watch: Watch,
    pub(super) sight: Sight,
    reader: Option<AgentId>,
    outlet: Outlet,
    /// Of the newest step that was put into the outlet.
    version: AtomicU64,
}

impl Watcher {
    pub(super) const fn new(
        watch: Watch,
        sight: Sight,
        reader: Option<AgentId>,
        outlet: Outlet,
    ) -> Self {
        Self { watch, sight, reader, outlet, version: AtomicU64::new(0) }
    }
}

impl Watches {
    pub(super) fn enter(&self, watcher: Watcher) {
        let name = (watcher.outlet.id(), watcher.watch.id);
        self.0.lock().insert(name, Arc::new(watcher));
    }

    /// Ends those watches of an outlet; answers whether there were any.
    pub(super) fn end(&self, outlet_id: u64, which: impl Fn(u64) -> bool) -> bool {
        let mut watches = self.0.lock();
        let before = watches.len();
        watches.retain(|(outlet, id), _| *outlet != outlet_id || !which(*id));
        watches.len() != before
    }

    pub(super) fn forget_closed(&self) {
        self.0.lock().retain(|_, watcher| !watcher.outlet.is_closed());
    }

    pub(super) fn get(&self, outlet_id: u64, id: u64) -> Option<Arc<Watcher>> {
        self.0.lock().get(&(outlet_id, id)).cloned()
    }

    /// All of them, by outlet and id.
    pub(super) fn all(&self) -> Vec<(u64, u64)> {
        self.0.lock().keys().copied().collect()
    }
}

/// What a watcher has been shown.
#[derive(Debug)]
pub(super) struct View {
    watcher: Arc<Watcher>,
    pub(super) filter: Filter,
    shown: HashMap<ConversationId, (Arc<Card>, u32)>,
    /// What was not shown before, until it was looked at who is with it.
    new: HashSet<ConversationId>,
    total: usize,
    has_begun: bool,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The watcher is told.
    Told,
    /// There was nothing to tell.
    Nothing,
    /// The watcher has not taken the last step yet.
    Waits,
    /// The watcher is gone.
    Ended,
}

impl View {
    pub(super) fn new(watcher: Arc<Watcher>, filter: Filter) -> Self {
        let (shown, new) = (HashMap::default(), HashSet::default());
        Self { watcher, filter, shown, new, total: 0, has_begun: false }
    }

    pub(super) fn outlet(&self) -> Outlet {
        self.watcher.outlet.clone()
    }

    pub(super) fn shows(&self, conversation: ConversationId) -> bool {
        self.shown.contains_key(&conversation)
    }

    pub(super) fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// What is shown since this was last asked for.
    pub(super) fn take_new(&mut self) -> HashSet<ConversationId> {
        std::mem::take(&mut self.new)
    }

    /// Tells the watcher what is otherwise than it was shown.
    pub(super) fn step(&mut self, list: &Live, cards: &Cards, meter: &dyn Meter) -> Step {
        let outlet = &self.watcher.outlet;
        if outlet.is_closed() {
            return Step::Ended;
        }
        if outlet.holds(Delivery::view_slot(self.watcher.watch.id)) {
            return Step::Waits;
        }
        let top = list.top(self.watcher.watch.limit);
        let unread = cards.unread(self.watcher.reader, top.iter());
        let rows: Vec<_> =
            top.into_iter().zip(unread).map(|(card, unread)| Row { card, unread }).collect();
        let rows = if self.has_begun {
            let changes = self.changes(&rows);
            if changes.is_empty() && self.total == list.total() {
                return Step::Nothing;
            }
            Rows::Changes(changes)
        } else {
            self.shown = rows.iter().map(|row| (row.card.id, shown(row))).collect();
            self.new = self.shown.keys().copied().collect();
            Rows::Snapshot(rows)
        };
        self.has_begun = true;
        self.total = list.total();
        self.push(rows, meter)
    }

    fn push(&self, rows: Rows, meter: &dyn Meter) -> Step {
        let version = self.watcher.version.fetch_add(1, Ordering::Relaxed) + 1;
        let delta = ViewDelta { id: self.watcher.watch.id, version, total: self.total, rows };
        let pushed = self.watcher.outlet.push(Delivery::View(delta));
        meter.pushed(pushed);
        if pushed.is_heard() { Step::Told } else { Step::Ended }
    }

    /// What makes the shown rows these rows.
    fn changes(&mut self, rows: &[Row]) -> Vec<Change> {
        let mut gone = std::mem::take(&mut self.shown);
        let mut changes = Vec::new();
        for row in rows {
            let before = gone.remove(&row.card.id);
            if before.is_none() {
                self.new.insert(row.card.id);
            }
            let is_shown = before.is_some_and(|(card, unread)| {
                unread == row.unread && (Arc::ptr_eq(&card, &row.card) || card == row.card)
            });
            if !is_shown {
                changes.push(Change::Put(row.clone()));
            }
            self.shown.insert(row.card.id, shown(row));
        }
        changes.extend(gone.into_keys().map(Change::Drop));
        changes
    }
}

fn shown(row: &Row) -> (Arc<Card>, u32) {
    (Arc::clone(&row.card), row.unread)
}
