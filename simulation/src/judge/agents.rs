//! Whether agents were given what they can take and no more, and nobody was forgotten: by the logs of
//! those who waited, and by what every node shows when all has come to rest.

mod capacity;
mod rest;

use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::observe::{self, Observed};
use switchboard_actors::presence::AgentPresence;
use switchboard_actors::region;
use switchboard_domain::conversation::{AssignedBy, Body, Conversation, Event, Status, Stream};
use switchboard_domain::ids::{AgentId, Seq};
use switchboard_store::Range;

use self::capacity::{Change, above};
use super::{PAGE, READ_AGAIN, READ_WITHIN};
use crate::node::{Doors, Effect};
use crate::people;
use crate::world::World;

/// How long all may take to come to rest once nothing goes wrong: longer than a reservation, than the
/// grace of who has left, and than what a home that begins then does.
const RESTS_WITHIN: Duration = Duration::from_secs(16);
/// How long agents may take to be where they want to be.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);

/// The logs of those who came, each with its events in order.
pub(crate) type Logs = Vec<Vec<Event>>;

/// What one node shows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    agents: Vec<AgentPresence>,
    /// Open conversations of those who came, each with its agent.
    open: Vec<(u32, Option<AgentId>)>,
    observed: Observed,
}

impl Shown {
    fn tenant(&self) -> Option<&observe::Tenant> {
        self.observed.tenants.first()
    }

    /// Whether presence acts there.
    fn is_home(&self) -> bool {
        self.tenant().is_some_and(|it| it.presence.agents > 0)
    }
}

/// A conversation as its log has it.
#[derive(Debug)]
struct Stands {
    conversation: u32,
    /// Its agent, or nobody while it waits.
    agent: Option<AgentId>,
}

impl World {
    /// Lets agents come to rest, and says what is not as it must be.
    pub(super) fn judge_agents(&mut self) -> Vec<String> {
        self.close_desks();
        let is_settled =
            self.until(SETTLES_WITHIN, |world| world.desks_are_settled() && world.all_came_in());
        if !is_settled {
            return vec!["agents, or who came, were never told what became of them".to_owned()];
        }
        // A node that nobody asked for the tenant since its start begins to read it now.
        for idx in 0..self.nodes() {
            self.look_at(idx);
        }
        self.until(RESTS_WITHIN, |_| false);
        // Before the logs are read: whoever is asked tells what it is.
        let shown: Vec<_> = (0..self.nodes()).map(|idx| self.look_at(idx)).collect();
        let logs: Vec<_> = (0..self.nodes()).map(|idx| self.read_logs(idx)).collect();
        let (Some(shown), Some(logs)) = (
            shown.into_iter().collect::<Option<Vec<_>>>(),
            logs.into_iter().collect::<Option<Vec<_>>>(),
        ) else {
            return vec!["a node shows nothing of its agents".to_owned()];
        };
        let Some(first) = logs.first() else { return Vec::new() };
        let mut wrong = Vec::new();
        for (node, other) in logs.iter().enumerate().filter(|(_, other)| *other != first) {
            let n = first.iter().zip(other).position(|(one, other)| one != other);
            wrong.push(format!("node {node} reads another log of {n:?} than the first"));
        }
        self.count_routed(first);
        wrong.extend(self.lost(first));
        wrong.extend(above(&changes(first), |agent| self.capacity_of(agent)));
        let stands = stands(first);
        wrong.extend(self.unrest(&shown, &stands));
        wrong
    }

    fn capacity_of(&self, agent: AgentId) -> Option<usize> {
        let desk = self.clients.desks.iter().find(|desk| desk.agent.id == agent);
        desk.map(|desk| desk.capacity)
    }

    /// What answers said is stored, and is not.
    fn lost(&self, logs: &Logs) -> Vec<String> {
        let is_lost = |conversation: u32, event: &Event| {
            let log = conversation.checked_sub(people::newcomer(0));
            let log = log.and_then(|idx| logs.get(usize::try_from(idx).ok()?));
            !log.is_some_and(|log| log.contains(event))
        };
        let acked = self.clients.acked.iter().filter(|it| is_lost(it.conversation, &it.event));
        acked.map(|it| format!("{} of {} is lost", it.event.body.kind(), it.conversation)).collect()
    }

    fn count_routed(&mut self, logs: &Logs) {
        let is_routed =
            |event: &&Event| matches!(&event.body, Body::Assigned { by: AssignedBy::Route, .. });
        let routed = logs.iter().flatten().filter(is_routed).count();
        self.clients.tally.routed = u64::try_from(routed).unwrap_or(u64::MAX);
    }

    fn look_at(&mut self, idx: usize) -> Option<Shown> {
        self.ask_node(idx, |doors| async move {
            let tenant = people::tenant();
            let agents = doors.presence.all(&tenant).await.ok()?.to_vec();
            let cards = doors.inbox.open_cards(&tenant);
            let open = cards.iter().filter_map(|card| {
                Some((people::newcomer(people::newcomer_of(card.id)?), card.agent))
            });
            let mut open: Vec<_> = open.collect();
            open.sort_unstable();
            Some(Shown { agents, open, observed: doors.observe().await? })
        })
    }

    fn read_logs(&mut self, idx: usize) -> Option<Logs> {
        let count = u32::try_from(self.clients.newcomers.len()).unwrap_or(0);
        self.ask_node(idx, move |doors| async move {
            let mut logs = Vec::new();
            for n in 0..count {
                let mut log = Vec::new();
                for stream in [Stream::Public, Stream::Internal] {
                    log.extend(read(&doors.conversations, people::newcomer(n), stream).await);
                }
                log.sort_by_key(Event::order);
                logs.push(log);
            }
            Some(logs)
        })
    }

    /// Does something at a node and waits for what comes of it; `None` when nothing does.
    fn ask_node<T, F>(
        &mut self,
        idx: usize,
        ask: impl FnOnce(Doors) -> F + Send + 'static,
    ) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = Option<T>> + Send + 'static,
    {
        let answer = Arc::new(parking_lot::Mutex::new(None));
        let told = Arc::clone(&answer);
        self.visit(idx, move |doors, outbox| async move {
            let asked = ask(doors).await;
            outbox.lock().push(Effect::Tell(Box::new(move |_| *told.lock() = Some(asked))));
        });
        self.until(READ_WITHIN, |_| answer.lock().is_some());
        let answered = answer.lock().take();
        answered.flatten()
    }
}

/// Who had what from when on, by the times in the logs.
fn changes(logs: &Logs) -> Vec<Change> {
    let mut changes = Vec::new();
    for (conversation, log) in (people::newcomer(0)..).zip(logs) {
        let mut holder = None;
        let key = people::key(conversation);
        let mut state: Option<Conversation> = None;
        for event in log {
            match &mut state {
                None => state = Conversation::begin(key.conversation, event),
                // Whether logs are in order is judged by what every node reads.
                Some(state) => drop(state.apply(event)),
            }
            let agent = state.as_ref().and_then(|it| it.agent.as_ref()).map(|it| it.id);
            if agent == holder {
                continue;
            }
            let is_bound = matches!(
                &event.body,
                Body::Assigned { by: AssignedBy::Accept | AssignedBy::Route, .. }
            );
            changes.push(Change { at: event.at, conversation, from: holder, to: agent, is_bound });
            holder = agent;
        }
    }
    changes
}

/// Those that are open.
fn stands(logs: &Logs) -> Vec<Stands> {
    let mut open = Vec::new();
    for (n, log) in (0..).zip(logs) {
        let conversation = people::newcomer(n);
        let key = people::key(conversation);
        let folded = Conversation::fold(key.conversation, log).ok().flatten();
        if let Some(state) = folded.filter(|state| state.status.is_open()) {
            let agent = state.agent.filter(|_| state.status == Status::Active);
            open.push(Stands { conversation, agent: agent.map(|it| it.id) });
        }
    }
    open
}

async fn read(handle: &region::Handle, conversation: u32, stream: Stream) -> Vec<Event> {
    let (key, caller) = (people::key(conversation), people::agent());
    let mut all: Vec<Event> = Vec::new();
    loop {
        let after = Range::After(all.last().map_or(Seq(0), |last| last.seq));
        let page = Box::pin(handle.history(&key, &caller, stream, after, PAGE)).await;
        let Ok(page) = page else {
            tokio::time::sleep(READ_AGAIN).await;
            continue;
        };
        all.extend(page.events.iter().map(|published| published.event.clone()));
        if !page.more || page.events.is_empty() {
            return all;
        }
    }
}
