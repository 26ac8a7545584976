//! Those who serve: each agent has a desk, connected to one node after another, and takes, hands on and
//! ends conversations of those who wait.

mod deeds;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::Delivery;
use switchboard_actors::presence::{AgentPresence, View};
use switchboard_actors::subscriber::queue;
use switchboard_domain::ids::AgentId;
use switchboard_domain::person::AgentRef;
use switchboard_domain::presence::Status;
use tokio::sync::Notify;

pub(crate) use self::deeds::Acked;
pub use self::deeds::Tally;

use super::{BEGINS_WITHIN, NOTICES_WITHIN, PATIENCE, TRIES_AGAIN};
use crate::node::{Doors, Effect, Outbox};
use crate::people;
use crate::world::World;

/// How long an agent thinks before the next deed.
const THINKS: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(1_300));
/// How long one is away who goes; some for longer than it takes to be seen gone.
const AWAY: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(14));
/// How often an agent looks whether the node is still there, and how often in vain before they go.
const LOOKS_EVERY: Duration = Duration::from_millis(500);
const LOOKS: u32 = 8;
/// How many conversations an agent takes at most.
const CAPACITY_MAX: usize = 3;

/// One agent's desk.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) agent: AgentRef,
    pub(crate) capacity: usize,
    /// The status that the agent wants to be seen with.
    pub(crate) wants: Status,
    /// Whether the agent does more than have a connection: calls, which alone keep them there.
    pub(crate) calls: bool,
    /// The agents as the console shows them.
    pub(crate) shown: BTreeMap<AgentId, AgentPresence>,
    at: usize,
    connection: Option<Connection>,
    /// Whether they are away, and for good.
    is_away: bool,
    has_left: bool,
    /// What presence has not confirmed yet, and which attempt to tell it is under way.
    untold: Vec<Choice>,
    attempt: u64,
    /// For how many looks the node has stood still.
    silence: u32,
}

/// A connection of a desk.
#[derive(Debug)]
struct Connection {
    number: u32,
    /// By which life of the node.
    life: u64,
    close: Arc<Notify>,
}

/// What an agent tells presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Capacity(usize),
    Status(Status),
}

impl Desk {
    pub(super) fn new(n: usize) -> Self {
        Self {
            agent: people::at_desk(n),
            capacity: 0,
            wants: Status::Online,
            calls: !n.is_multiple_of(2),
            shown: BTreeMap::new(),
            at: 0,
            connection: None,
            is_away: false,
            has_left: false,
            untold: Vec::new(),
            attempt: 0,
            silence: 0,
        }
    }

    /// Whether the agent is there, as they believe.
    pub(crate) const fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether presence knows all that they told it, and they are where they want to be.
    fn is_settled(&self) -> bool {
        self.untold.is_empty() && (self.has_left || self.is_connected())
    }
}

impl World {
    /// Lets every agent come and say how many conversations they take; then they begin to work.
    pub(super) fn open_desks(&mut self) {
        for idx in 0..self.clients.desks.len() {
            let (at, capacity) = (self.rng.index(self.nodes()), 1 + self.rng.index(CAPACITY_MAX));
            let Some(desk) = self.clients.desks.get_mut(idx) else { continue };
            (desk.at, desk.capacity) = (at, capacity);
            self.sit_down(idx);
            self.choose(idx, Choice::Capacity(capacity));
        }
        self.until(BEGINS_WITHIN, |world| world.clients.desks.iter().all(Desk::is_settled));
        for idx in 0..self.clients.desks.len() {
            self.think_at_desk(idx);
        }
        self.look_from_desks();
    }

    fn think_at_desk(&mut self, idx: usize) {
        let wait = self.rng.between(THINKS.0, THINKS.1);
        self.after(wait, move |world| {
            if world.clients.are_talking {
                world.do_something(idx);
                world.think_at_desk(idx);
            }
        });
    }

    fn look_from_desks(&mut self) {
        for idx in 0..self.clients.desks.len() {
            let Some(desk) = self.clients.desks.get(idx) else { continue };
            let Some(Connection { life, .. }) = desk.connection else { continue };
            let is_there = self.life_of(desk.at) == Some(life);
            let is_silent = !self.can_hear(desk.at);
            let Some(desk) = self.clients.desks.get_mut(idx) else { continue };
            desk.silence = if is_silent { desk.silence + 1 } else { 0 };
            if !is_there || desk.silence > LOOKS {
                self.move_desk(idx);
            }
        }
        self.after(LOOKS_EVERY, Self::look_from_desks);
    }

    /// Connects anew, at some node.
    fn move_desk(&mut self, idx: usize) {
        self.get_up(idx);
        let wait = self.rng.between(NOTICES_WITHIN.0, NOTICES_WITHIN.1);
        self.after(wait, move |world| world.sit_down(idx));
    }

    /// Connects, if the node is there; else to another.
    fn sit_down(&mut self, idx: usize) {
        self.clients.connections += 1;
        let number = self.clients.connections;
        let Some(desk) = self.clients.desks.get(idx) else { return };
        if desk.is_away || desk.has_left || desk.is_connected() {
            return;
        }
        let (at, close) = (desk.at, Arc::<Notify>::default());
        let sitting = Sitting { idx, number, agent: desk.agent.id, close: Arc::clone(&close) };
        let is_there = self.visit(at, move |doors, outbox| sitting.sit(doors, outbox));
        let life = self.life_of(at).filter(|_| is_there);
        self.trace(format_args!("desk {idx} at {at}: {life:?}"));
        match (life, self.clients.desks.get_mut(idx)) {
            (Some(life), Some(desk)) => {
                desk.connection = Some(Connection { number, life, close });
                desk.shown = BTreeMap::new();
            }
            _ => {
                let wait = self.rng.between(TRIES_AGAIN.0, TRIES_AGAIN.1);
                let elsewhere = self.rng.index(self.nodes());
                if let Some(desk) = self.clients.desks.get_mut(idx) {
                    desk.at = elsewhere;
                }
                self.after(wait, move |world| world.sit_down(idx));
            }
        }
    }

    /// Ends the connection. A node that stands still learns of it when it goes on.
    fn get_up(&mut self, idx: usize) {
        let elsewhere = self.rng.index(self.nodes());
        let Some(desk) = self.clients.desks.get_mut(idx) else { return };
        let (at, connection) = (desk.at, desk.connection.take());
        desk.at = elsewhere;
        desk.silence = 0;
        if let Some(Connection { life, close, .. }) = connection
            && self.life_of(at) == Some(life)
        {
            self.visit(at, move |_doors, _outbox| async move { close.notify_one() });
        }
    }

    /// Goes, and comes again elsewhere.
    fn go_for_a_while(&mut self, idx: usize) {
        let wait = self.rng.between(AWAY.0, AWAY.1);
        self.get_up(idx);
        if let Some(desk) = self.clients.desks.get_mut(idx) {
            desk.is_away = true;
        }
        self.after(wait, move |world| {
            if let Some(desk) = world.clients.desks.get_mut(idx) {
                desk.is_away = false;
            }
            world.sit_down(idx);
        });
    }

    /// Tells presence something, again and again until it is known to be known.
    fn choose(&mut self, idx: usize, choice: Choice) {
        let Some(desk) = self.clients.desks.get_mut(idx) else { return };
        if let Choice::Status(status) = choice {
            desk.wants = status;
        }
        desk.untold.push(choice);
        if desk.untold.len() == 1 {
            self.tell_choice(idx);
        }
    }

    fn tell_choice(&mut self, idx: usize) {
        let Some(desk) = self.clients.desks.get_mut(idx) else { return };
        let Some(choice) = desk.untold.first().copied() else { return };
        desk.attempt += 1;
        let (attempt, at, agent) = (desk.attempt, desk.at, desk.agent.clone());
        let asked = self.visit(at, move |Doors { presence, .. }, outbox| async move {
            let tenant = people::tenant();
            let set = match choice {
                Choice::Capacity(max) => presence.set_capacity(&tenant, &agent, max).await,
                Choice::Status(status) => presence.set_status(&tenant, &agent, status).await,
            };
            let tell = move |world: &mut Self| world.chosen(idx, attempt, set.is_ok());
            outbox.lock().push(Effect::Tell(Box::new(tell)));
        });
        let patience = if asked { PATIENCE } else { TRIES_AGAIN.1 };
        self.after(patience, move |world| world.chosen(idx, attempt, false));
    }

    fn chosen(&mut self, idx: usize, attempt: u64, is_known: bool) {
        let wait = self.rng.between(TRIES_AGAIN.0, TRIES_AGAIN.1);
        let Some(desk) = self.clients.desks.get_mut(idx).filter(|it| it.attempt == attempt) else {
            return;
        };
        // No answer to this attempt is awaited any more.
        desk.attempt += 1;
        if is_known {
            desk.untold.remove(0);
            let left = desk.untold.len();
            self.trace(format_args!("desk {idx} is known, {left} left"));
        }
        self.after(wait, move |world| world.tell_choice(idx));
    }

    /// The console is told who is there.
    fn desk_hears(&mut self, idx: usize, number: u32, agents: &[AgentPresence], is_all: bool) {
        let Some(desk) = self.clients.desks.get_mut(idx) else { return };
        if desk.connection.as_ref().is_none_or(|it| it.number != number) {
            return;
        }
        if is_all {
            desk.shown = BTreeMap::new();
        }
        for agent in agents {
            desk.shown.insert(agent.agent.id, agent.clone());
        }
        let statuses: Vec<_> = agents.iter().map(|it| (it.effective, it.active)).collect();
        self.trace(format_args!("desk {idx} sees {statuses:?}"));
    }

    /// The last deeds: some agents leave, the others say what they want to be seen as.
    pub(crate) fn close_desks(&mut self) {
        for idx in 0..self.clients.desks.len() {
            let (leaves, is_online) = (self.rng.chance(25), self.rng.chance(70));
            if leaves {
                self.get_up(idx);
            }
            let Some(desk) = self.clients.desks.get_mut(idx) else { continue };
            desk.has_left = leaves;
            if desk.calls {
                let status = if is_online { Status::Online } else { Status::Away };
                self.choose(idx, Choice::Status(status));
            }
        }
    }

    /// Whether every agent is where they want to be, and presence knows all that they told it.
    pub(crate) fn desks_are_settled(&self) -> bool {
        self.clients.desks.iter().all(Desk::is_settled)
    }
}

/// What a door does for one connection of an agent.
struct Sitting {
    idx: usize,
    number: u32,
    agent: AgentId,
    close: Arc<Notify>,
}

impl Sitting {
    async fn sit(self, doors: Doors, outbox: Outbox) {
        let Self { idx, number, agent, close } = self;
        let (tenant, Doors { presence, .. }) = (people::tenant(), doors);
        let (outlet, mut arriving) = queue();
        let profile = people::profile(idx);
        // Without an answer presence learns of it when it begins anew.
        let _shown = presence.connected(&tenant, agent, number.into(), profile).await;
        presence.watch(&tenant, View::Agents, &outlet).await;
        loop {
            tokio::select! {
                biased;
                () = close.notified() => break,
                arrived = arriving.next() => match arrived {
                    Ok(Delivery::Presence { agents, snapshot }) => {
                        let tell = move |world: &mut World| {
                            world.desk_hears(idx, number, &agents, snapshot);
                        };
                        outbox.lock().push(Effect::Tell(Box::new(tell)));
                    }
                    Ok(_) => {}
                    Err(_cut) => break,
                },
            }
        }
        presence.disconnected(&tenant, agent, number.into());
        presence.unwatch(&tenant, outlet.id());
    }
}
