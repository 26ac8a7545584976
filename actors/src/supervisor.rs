//! One-for-one supervision with back-off and a limit.
//!
//! Owns: its children and the times of their failures. Supervised by: another supervisor, or the
//! [`System`](crate::system::System) for the root. Ends: when asked to, or by failing when a child
//! fails more often than [`FAILURES_MAX`] times in [`WINDOW`] and says [`OnLimit::Escalate`].
//!
//! The framework's default would end a parent with its first child, so the supervision event is
//! always handled here.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::time::Instant;

use crate::maps::HashMap;
use crate::meter::{Kind, Meter};

/// Failures of one child within [`WINDOW`] that are borne; one more is too much (P8).
pub(crate) const FAILURES_MAX: usize = 5;
/// See [`FAILURES_MAX`].
pub(crate) const WINDOW: Duration = Duration::from_secs(10);
/// The first wait before a restart; it doubles with each failure within the window.
const BACK_OFF_FIRST: Duration = Duration::from_millis(10);
/// How long a child that failed too often rests before it is tried again. Also how long a
/// conversation stays quarantined.
pub(crate) const REST: Duration = Duration::from_secs(30);

/// The framework's word for an actor that was drained.
const DRAINED: &str = "Drained";

type Starting = std::pin::Pin<Box<dyn Future<Output = Result<ActorCell, SpawnErr>> + Send>>;

/// How to start a child, again and again.
#[derive(Clone)]
pub(crate) struct Child {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) on_limit: OnLimit,
    start: Arc<dyn Fn(ActorCell) -> Starting + Send + Sync>,
}

/// What happens when a child fails too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnLimit {
    /// The supervisor fails too: nothing works without this child.
    Escalate,
    /// The child rests for [`REST`], others go on.
    Rest,
}

impl Child {
    /// `start` spawns the child linked to the given supervisor.
    pub(crate) fn new<F>(
        name: impl Into<Arc<str>>,
        kind: Kind,
        on_limit: OnLimit,
        start: impl Fn(ActorCell) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<ActorCell, SpawnErr>> + Send + 'static,
    {
        let start = Arc::new(move |supervisor| Box::pin(start(supervisor)) as Starting);
        Self { name: name.into(), kind, on_limit, start }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Failures within the last [`WINDOW`].
#[derive(Debug, Default)]
pub(crate) struct Failures(VecDeque<Instant>);

impl Failures {
    /// Counts one more and says how many that makes.
    pub(crate) fn record(&mut self, now: Instant) -> usize {
        self.0.push_back(now);
        while self.0.front().is_some_and(|at| now.duration_since(*at) > WINDOW) {
            self.0.pop_front();
        }
        self.0.len()
    }

    /// Whether the newest is out of the window.
    pub(crate) fn are_over(&self, now: Instant) -> bool {
        self.0.back().is_none_or(|at| now.duration_since(*at) > WINDOW)
    }
}

/// The messages of a supervisor.
pub(crate) enum Message {
    /// Take in one more child and start it.
    Add(Child),
    /// Start the child at that index again.
    Start(usize),
}

impl ractor::Message for Message {}

/// What a supervisor begins with.
pub(crate) struct Begin {
    pub(crate) children: Vec<Child>,
    pub(crate) meter: Arc<dyn Meter>,
    /// Counts restarts for whoever observes.
    pub(crate) restarts: Arc<AtomicU64>,
}

/// The behavior of a supervisor.
pub(crate) struct Behavior;

/// What a supervisor owns.
pub(crate) struct State {
    children: Vec<Supervised>,
    by_actor: HashMap<ActorId, usize>,
    meter: Arc<dyn Meter>,
    restarts: Arc<AtomicU64>,
}

struct Supervised {
    child: Child,
    failures: Failures,
}

/// Starts a supervisor without a supervisor, and its first children in order. When it answers,
/// they run.
pub(crate) async fn start(begin: Begin) -> Result<(ActorRef<Message>, JoinHandle<()>), SpawnErr> {
    Behavior::spawn(None, Behavior, begin).await
}

impl Actor for Behavior {
    type Msg = Message;
    type State = State;
    type Arguments = Begin;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        begin: Begin,
    ) -> Result<State, ActorProcessingErr> {
        let Begin { children, meter, restarts } = begin;
        let mut state =
            State { children: Vec::new(), by_actor: HashMap::default(), meter, restarts };
        for child in children {
            let idx = state.add(child);
            let cell = (state.children[idx].child.start)(myself.get_cell()).await?;
            state.by_actor.insert(cell.get_id(), idx);
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Add(child) => {
                let idx = state.add(child);
                state.start(&myself, idx).await
            }
            Message::Start(idx) => state.start(&myself, idx).await,
        }
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(cell, error) => {
                match state.by_actor.remove(&cell.get_id()) {
                    Some(idx) => state.failed(&myself, idx, &error),
                    None => Ok(()),
                }
            }
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                match state.by_actor.remove(&cell.get_id()) {
                    // The only way in which a child is asked to end before its supervisor.
                    Some(_) if reason.as_deref() == Some(DRAINED) => Ok(()),
                    Some(idx) => state.failed(&myself, idx, "ended without being asked to"),
                    None => Ok(()),
                }
            }
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => Ok(()),
        }
    }
}

impl State {
    fn add(&mut self, child: Child) -> usize {
        self.children.push(Supervised { child, failures: Failures::default() });
        self.children.len() - 1
    }

    async fn start(
        &mut self,
        myself: &ActorRef<Message>,
        idx: usize,
    ) -> Result<(), ActorProcessingErr> {
        match (self.children[idx].child.start)(myself.get_cell()).await {
            Ok(cell) => {
                self.by_actor.insert(cell.get_id(), idx);
                Ok(())
            }
            Err(error) => self.failed(myself, idx, &error),
        }
    }

    fn failed(
        &mut self,
        myself: &ActorRef<Message>,
        idx: usize,
        error: &(impl fmt::Display + ?Sized),
    ) -> Result<(), ActorProcessingErr> {
        let Supervised { child, failures } = &mut self.children[idx];
        let count = failures.record(Instant::now());
        tracing::error!(child = &*child.name, %error, count, "actor failed");
        let wait = if count <= FAILURES_MAX {
            back_off(count)
        } else {
            match child.on_limit {
                OnLimit::Escalate => {
                    return Err(format!("{} failed {count} times", child.name).into());
                }
                OnLimit::Rest => REST,
            }
        };
        self.meter.restarted(child.kind);
        self.restarts.fetch_add(1, Ordering::Relaxed);
        myself.send_after(wait, move || Message::Start(idx));
        Ok(())
    }
}

/// How long to wait after the failure numbered `count` within the window, from 1.
pub(crate) fn back_off(count: usize) -> Duration {
    let doublings = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    BACK_OFF_FIRST * (1 << doublings)
}

#[cfg(test)]
mod tests;
