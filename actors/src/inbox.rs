//! The live lists of a tenant.
//!
//! One actor a tenant owns who watches what, and the order of each watched list. Supervised by:
//! the tenants' supervisor. Ends: with the node. Open conversations come from their cards, which
//! outlive it, as do the watches; closed ones are read from the store when a list begins and
//! followed from then on.
//!
//! Changes are conflated: however busy the conversations are, a list moves at most ten times a
//! second, and only when its watcher has taken the step before.

mod handle;
mod list;
mod view;
mod company;

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use switchboard_domain::card::{Card, Sort};
use switchboard_domain::conversation::Status;
use switchboard_domain::ids::{ConversationId, DepartmentId};
use switchboard_store::{Fault, ListScope};
use tokio::time::Instant;

pub(crate) use self::company::Board;
pub use self::company::{Companion, Company};
pub use self::handle::Handle;
pub(crate) use self::view::Watches;

use self::company::Told;
use self::list::{Filter, Live};
use self::view::View;
use crate::mailbox::{Permit, Reply};
use crate::maps::{HashMap, HashSet};
use crate::observe;
use crate::tenant::Tenant;
use crate::world::World;

/// Rows of a list that one watcher is shown at most: a frame must fit its connection's queue.
pub const ROWS_MAX: usize = 200;
/// Time between two steps of a list at least.
const STEP_EVERY: Duration = Duration::from_millis(100);
/// Time between two tellings of who is with the conversations of a list.
const COMPANY_EVERY: Duration = Duration::from_millis(500);

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
    /// How many rows from the top, at most [`ROWS_MAX`].
    pub limit: usize,
}

/// A row of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the list shows.
    pub card: Arc<Card>,
    /// Messages of the visitor after the watcher's read receipt; 0 for what is closed.
    pub unread: u32,
}

/// One step of a list: a client that applies every step in turn has the list.
#[derive(Clone, Debug)]
pub struct ViewDelta {
    /// The watch.
    pub id: u64,
    /// One higher with every step, from 1.
    pub version: u64,
    /// How many conversations the list has, whether or not they fit the limit. Of lists with
    /// closed conversations: how many are known here.
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

/// A change of a row.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is there now, or looks otherwise.
    Put(Row),
    /// It is not among the rows any more.
    Drop(ConversationId),
}

impl Rows {
    /// The rows that are there now or look otherwise.
    pub fn shown(&self) -> impl Iterator<Item = &Row> {
        let (all, changes) = match self {
            Self::Snapshot(rows) => (rows.as_slice(), [].as_slice()),
            Self::Changes(changes) => ([].as_slice(), changes.as_slice()),
        };
        let put = changes.iter().filter_map(|change| match change {
            Change::Put(row) => Some(row),
            Change::Drop(_) => None,
        });
        all.iter().chain(put)
    }
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

/// The messages of the inbox.
pub(crate) enum Message {
    /// A watch was entered.
    Watch { outlet_id: u64, id: u64, _permit: Permit, reply: Reply<()> },
    /// Watches of an outlet ended.
    Unwatched,
    /// Take what changed from the cards.
    Wake,
    /// Tell the watchers; at most one is on its way.
    Step,
    /// Somebody is with another conversation.
    Company,
    /// Tell the watchers of it; at most one is on its way.
    TellCompany,
    /// Say how it stands.
    Observe(Reply<observe::Inbox>),
}

impl ractor::Message for Message {}

/// The behavior of the inbox.
#[derive(Clone, Copy)]
pub(crate) struct Behavior;

/// What the inbox owns.
pub(crate) struct State {
    world: Arc<World>,
    tenant: Arc<Tenant>,
    myself: ActorRef<Message>,
    lists: HashMap<Filter, Live>,
    views: HashMap<(u64, u64), View>,
    /// By outlet.
    told: HashMap<u64, Told>,
    steps: Pace,
    company: Pace,
    n_steps: u64,
}

/// How often something is done at most.
struct Pace {
    every: Duration,
    done_at: Option<Instant>,
    is_due: bool,
}

impl Pace {
    const fn new(every: Duration) -> Self {
        Self { every, done_at: None, is_due: false }
    }

    /// It is to be done: answers how long to wait, or `None` when somebody waits already.
    fn due(&mut self) -> Option<Duration> {
        if std::mem::replace(&mut self.is_due, true) {
            return None;
        }
        let at = self.done_at.map(|at| at + self.every);
        Some(at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now())))
    }

    fn done(&mut self) {
        self.is_due = false;
        self.done_at = Some(Instant::now());
    }
}

impl Actor for Behavior {
    type Msg = Message;
    type State = State;
    type Arguments = (Arc<World>, Arc<Tenant>);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (world, tenant): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let mut state = State {
            world,
            tenant,
            myself,
            lists: HashMap::default(),
            views: HashMap::default(),
            told: HashMap::default(),
            steps: Pace::new(STEP_EVERY),
            company: Pace::new(COMPANY_EVERY),
            n_steps: 0,
        };
        // Those who watched before a failure are shown everything afresh.
        let watches = state.tenant.watches.all();
        for (outlet_id, id) in watches {
            state.watch(outlet_id, id).await?;
        }
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Watch { outlet_id, id, reply, .. } => {
                let watched = state.watch(outlet_id, id).await;
                // Nobody waits any more when the answer cannot be sent.
                drop(reply.send(watched.map_err(crate::answer::Refusal::Store)));
            }
            Message::Unwatched => state.forget_ended(),
            Message::Wake => state.step_soon(),
            Message::Step => state.step(),
            Message::Company => state.company_soon(),
            Message::TellCompany => state.tell_company(),
            Message::Observe(reply) => drop(reply.send(Ok(state.observe()))),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Message>,
        _event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl State {
    /// Begins to show a list that was entered among the tenant's watches.
    async fn watch(&mut self, outlet_id: u64, id: u64) -> Result<(), Fault> {
        let Some(watcher) = self.tenant.watches.get(outlet_id, id) else { return Ok(()) };
        self.take_changes();
        let filter = Filter::of(&watcher.watch, watcher.sight.clone());
        if !self.lists.contains_key(&filter) {
            let list = Live::read(&filter, &self.tenant, &*self.world.store).await?;
            self.lists.insert(filter.clone(), list);
        }
        let mut view = View::new(watcher, filter);
        if let Some(list) = self.lists.get(&view.filter) {
            view.step(list, self.tenant.cards(), &*self.world.meter);
        }
        self.views.insert((outlet_id, id), view);
        self.forget_unwatched();
        self.company_soon();
        Ok(())
    }

    /// Sees to it that the watchers are told, now or when the last step is long enough ago.
    fn step_soon(&mut self) {
        if let Some(wait) = self.steps.due() {
            self.myself.send_after(wait, || Message::Step);
        }
    }

    fn step(&mut self) {
        self.steps.done();
        self.take_changes();
        let mut is_behind = false;
        let mut has_ended = false;
        let mut has_new = false;
        for view in self.views.values_mut() {
            let Some(list) = self.lists.get(&view.filter) else { continue };
            match view.step(list, self.tenant.cards(), &*self.world.meter) {
                view::Step::Told => self.n_steps += 1,
                view::Step::Nothing => {}
                view::Step::Waits => is_behind = true,
                view::Step::Ended => has_ended = true,
            }
            has_new |= view.has_new();
        }
        if has_ended {
            self.forget_ended();
        }
        if is_behind {
            self.step_soon();
        }
        if has_new {
            self.company_soon();
        }
    }

    /// The same for who is with the conversations.
    fn company_soon(&mut self) {
        if let Some(wait) = self.company.due() {
            self.myself.send_after(wait, || Message::TellCompany);
        }
    }

    fn tell_company(&mut self) {
        self.company.done();
        let changed = self.tenant.company.take_changed();
        for ((outlet_id, _), view) in &mut self.views {
            let told = self.told.entry(*outlet_id).or_insert_with(|| Told::new(view.outlet()));
            told.look_at(view.take_new());
            told.look_at(changed.iter().copied().filter(|id| view.shows(*id)));
        }
        for told in self.told.values_mut() {
            told.look_at_told(&changed);
        }
        // Only now: what has left one list of a connection may have come into another.
        for ((outlet_id, _), view) in &self.views {
            if let Some(told) = self.told.get_mut(outlet_id) {
                told.see(|id| view.shows(id));
            }
        }
        let mut is_behind = false;
        for told in self.told.values_mut() {
            is_behind |= told.tell(&self.tenant.company);
        }
        if is_behind {
            self.company_soon();
        }
    }

    fn take_changes(&mut self) {
        for changed in self.tenant.cards().take_for_inbox() {
            for (filter, list) in &mut self.lists {
                list.put(filter, changed.conversation, changed.card.as_ref());
            }
        }
    }

    /// Forgets views whose watch ended or whose connection is gone.
    fn forget_ended(&mut self) {
        self.tenant.watches.forget_closed();
        let watches = &self.tenant.watches;
        self.views.retain(|(outlet_id, id), _| watches.get(*outlet_id, *id).is_some());
        let outlets: HashSet<u64> = self.views.keys().map(|(outlet_id, _)| *outlet_id).collect();
        self.told.retain(|outlet_id, _| outlets.contains(outlet_id));
        self.forget_unwatched();
    }

    fn forget_unwatched(&mut self) {
        let views = &self.views;
        self.lists.retain(|filter, _| views.values().any(|view| view.filter == *filter));
    }

    fn observe(&self) -> observe::Inbox {
        observe::Inbox {
            cards: self.tenant.cards().len(),
            lists: self.lists.len(),
            views: self.views.len(),
            steps: self.n_steps,
            mailbox: self.tenant.inbox.gauge().depth(),
        }
    }
}

#[cfg(test)]
mod tests;
