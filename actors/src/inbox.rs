//! The live lists of a tenant.

use std::sync::Arc;

use switchboard_domain::card::{Card, Sort};
use switchboard_domain::conversation::Status;
use switchboard_domain::ids::{ConversationId, DepartmentId, TenantId};
use switchboard_domain::person::Caller;
use switchboard_store::ListScope;

use crate::answer::Refusal;
use crate::delivery::Outlet;

/// Which list somebody watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Tells the watches of a connection apart.
    pub id: u64,
    /// Only conversations in one of these; empty means the open ones.
    pub statuses: Vec<Status>,
    /// Only those of one department.
    pub department: Option<DepartmentId>,
    /// Only those of one agent, or of nobody.
    pub scope: ListScope,
    /// In which order.
    pub sort: Sort,
    /// How many rows from the top, at most 200.
    pub limit: usize,
}

/// A row of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the list shows.
    pub card: Arc<Card>,
    /// Messages of the visitor after the watcher's read receipt.
    pub unread: u32,
}

/// One step of a list: a client that applies every step in turn has the list.
#[derive(Clone, Debug)]
pub struct ViewDelta {
    /// The watch.
    pub id: u64,
    /// One higher with every step, from 1.
    pub version: u64,
    /// How many conversations the list has, whether or not they fit the limit.
    pub total: usize,
    /// What changed.
    pub rows: Rows,
}

/// What a step of a list changes.
#[derive(Clone, Debug)]
pub enum Rows {
    /// All rows, in order.
    Snapshot(Vec<Row>),
    /// Single rows; the order follows from the sort.
    Changes(Vec<Change>),
}

impl ViewDelta {
    /// About how many bytes it will be on the wire.
    pub(crate) fn weight(&self) -> usize {
        /// What the names of the fields of a row take.
        const NAMES: usize = 256;
        let of_row = |row: &Row| NAMES + row.card.bytes();
        match &self.rows {
            Rows::Snapshot(rows) => rows.iter().map(of_row).sum(),
            Rows::Changes(changes) => changes
                .iter()
                .map(|change| match change {
                    Change::Put(row) => of_row(row),
                    Change::Drop(_) => 64,
                })
                .sum(),
        }
    }
}

/// A change of a row.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is there now, or looks otherwise.
    Put(Row),
    /// It is not among the rows any more.
    Drop(ConversationId),
}

/// Talks to the inbox of any tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle;

impl Handle {
    /// Watches a list: a snapshot at once, then changes, at most ten steps a second. The same id
    /// of the same outlet again replaces the watch.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the inbox does not answer.
    pub async fn watch(
        &self,
        _tenant: &TenantId,
        _caller: &Caller,
        _watch: Watch,
        _outlet: &Outlet,
    ) -> Result<(), Refusal> {
        Err(Refusal::Unknown)
    }

    /// Ends a watch.
    pub fn unwatch(&self, _tenant: &TenantId, _id: u64, _outlet_id: u64) {}

    /// Ends all watches of an outlet that is gone.
    pub fn unwatch_all(&self, _tenant: &TenantId, _outlet_id: u64) {}
}
