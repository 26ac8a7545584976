//! What agents do with the conversations of those who wait.

use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;

use switchboard_actors::{Done, Refusal};
use switchboard_domain::card::Card;
use switchboard_domain::conversation::{
    Command, Event, Rejection, Request, Resolution, Status, TransferTarget,
};
use switchboard_domain::person::AgentRef;
use switchboard_domain::presence;

use super::{Choice, World};
use crate::node::{Doors, Effect};
use crate::people;

/// A deed with some conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    /// Takes one that waits.
    Accept,
    /// Ends an own one.
    Close,
    /// Hands an own one on.
    Transfer(AgentRef),
    /// Lets an own one wait again.
    Unassign,
    /// Opens one again, if it is closed: it waits.
    Reopen(u32),
}

/// What an answer said is stored in the conversation of one who came.
#[derive(Clone, Debug)]
pub(crate) struct Acked {
    pub(crate) conversation: u32,
    pub(crate) event: Event,
}

/// How often agents did what, as answers said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Conversations that agents took.
    pub accepted: u64,
    /// Conversations that they did not take for want of a free slot.
    pub at_capacity: u64,
    /// Conversations that they ended, handed on, gave back or opened again.
    pub others: u64,
    /// Conversations that the queue gave to agents, by the logs.
    pub routed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.at_capacity += other.at_capacity;
        self.others += other.others;
        self.routed += other.routed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, at_capacity, others, routed } = self;
        write!(
            f,
            "{routed} given by the queue, {accepted} taken, {at_capacity} refused at capacity, \
             {others} ended, handed on or given back"
        )
    }
}

impl World {
    /// Something that an agent who is there does next.
    pub(super) fn do_something(&mut self, idx: usize) {
        let (dice, agents) = (self.rng.below(100), self.clients.desks.len());
        let (colleague, of) = (self.rng.index(agents), self.clients.newcomers.len());
        let n = people::newcomer(u32::try_from(self.rng.index(of)).unwrap_or(0));
        let Some(desk) = self.clients.desks.get(idx).filter(|desk| desk.is_connected()) else {
            return;
        };
        let (at, agent, calls) = (desk.at, desk.agent.clone(), desk.calls);
        let is_online = desk.wants == presence::Status::Online;
        match dice {
            0..30 => self.act(idx, Deed::Accept),
            30..52 => self.act(idx, Deed::Close),
            52..60 if colleague != idx => {
                self.act(idx, Deed::Transfer(people::at_desk(colleague)));
            }
            60..66 => self.act(idx, Deed::Unassign),
            66..72 => self.act(idx, Deed::Reopen(n)),
            72..78 => self.go_for_a_while(idx),
            78..84 if calls => {
                let away = presence::Status::Away;
                let other = if is_online { away } else { presence::Status::Online };
                self.choose(idx, Choice::Status(other));
            }
            84..88 if calls => {
                self.visit(at, move |doors, _outbox| async move {
                    doors.presence.alive(&people::tenant(), agent.id);
                });
            }
            _ => {}
        }
    }

    fn act(&mut self, idx: usize, deed: Deed) {
        let Some(desk) = self.clients.desks.get(idx) else { return };
        let (at, agent, dice) = (desk.at, desk.agent.clone(), self.rng.next_u64());
        self.visit(at, move |doors, outbox| async move {
            let Some(n) = pick(&doors, &agent, &deed, dice) else { return };
            let result = carry_out(&doors, &agent, n, &deed).await;
            let tell = move |world: &mut Self| world.acted((idx, &agent), n, &deed, result);
            outbox.lock().push(Effect::Tell(Box::new(tell)));
        });
    }

    fn acted(
        &mut self,
        (idx, agent): (usize, &AgentRef),
        conversation: u32,
        deed: &Deed,
        result: Result<Done, Refusal>,
    ) {
        let told = super::super::told(result.as_ref().map(|done| done.duplicate));
        self.trace(format_args!("desk {idx}: {deed:?} {conversation}: {told}"));
        let clients = &mut self.clients;
        match result {
            Ok(done) => {
                let has_it = done.state.agent.as_ref().is_some_and(|it| it.id == agent.id);
                if *deed == Deed::Accept && !has_it {
                    let owner = &done.state.agent;
                    clients.surprise(format!("desk {idx} accepted {conversation} of {owner:?}"));
                }
                match deed {
                    Deed::Accept => clients.tally.accepted += 1,
                    Deed::Close | Deed::Transfer(_) | Deed::Unassign | Deed::Reopen(_) => {
                        clients.tally.others += 1;
                    }
                }
                let events = done.events.iter().map(|it| it.event.clone());
                clients.acked.extend(events.map(|event| Acked { conversation, event }));
            }
            Err(Refusal::Rejected(Rejection::AtCapacity)) => clients.tally.at_capacity += 1,
            // It changed hands meanwhile, or nobody knows what became of it.
            Err(_) => {}
        }
    }
}

/// One of the conversations that the deed is for, as the lists of the node show them.
fn pick(doors: &Doors, agent: &AgentRef, deed: &Deed, dice: u64) -> Option<u32> {
    if let Deed::Reopen(n) = deed {
        return Some(*n);
    }
    let is_for = |card: &Arc<Card>| match deed {
        Deed::Accept => card.status == Status::Waiting,
        Deed::Close | Deed::Transfer(_) | Deed::Unassign => card.agent == Some(agent.id),
        Deed::Reopen(_) => false,
    };
    let cards = doors.inbox.open_cards(&people::tenant());
    let cards = cards.iter().filter(|card| is_for(card));
    let mut all: Vec<u32> =
        cards.filter_map(|card| Some(people::newcomer(people::newcomer_of(card.id)?))).collect();
    all.sort_unstable();
    let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
    all.get(usize::try_from(dice % count).ok()?).copied()
}

async fn carry_out(doors: &Doors, agent: &AgentRef, n: u32, deed: &Deed) -> Result<Done, Refusal> {
    let command = match deed {
        Deed::Accept => Command::Accept { agent: agent.clone() },
        Deed::Close => Command::Close { resolution: Resolution::Resolved },
        Deed::Transfer(to) => {
            Command::Transfer { to: TransferTarget::Agent(to.clone()), reason: "".into() }
        }
        Deed::Unassign => Command::Unassign,
        Deed::Reopen(_) => Command::Reopen { agent: None },
    };
    let request = Request { caller: people::caller(agent), key: None, command };
    match deed {
        Deed::Accept => Box::pin(doors.presence.accept(&people::key(n), request)).await,
        Deed::Close | Deed::Transfer(_) | Deed::Unassign | Deed::Reopen(_) => {
            doors.conversations.ask(&people::key(n), request).await
        }
    }
}
