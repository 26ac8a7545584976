//! What every node shows when all has come to rest.

use switchboard_actors::presence::AgentPresence;
use switchboard_domain::ids::AgentId;
use switchboard_domain::presence::Status;

use super::{Shown, Stands};
use crate::clients::desks::Desk;
use crate::people;
use crate::world::World;

impl World {
    /// What is shown otherwise than the logs and the agents themselves have it, and who waits though
    /// somebody is free.
    pub(super) fn unrest(&self, shown: &[Shown], stands: &[Stands]) -> Vec<String> {
        let mut wrong = Vec::new();
        let homes = shown.iter().filter(|it| it.is_home()).count();
        if homes != 1 {
            wrong.push(format!("{homes} nodes are the home of the tenant"));
        }
        for (node, it) in shown.iter().enumerate() {
            wrong.extend(
                self.shown_wrong(it, stands).into_iter().map(|what| format!("node {node}: {what}")),
            );
        }
        if let Some(first) = shown.first() {
            for (idx, desk) in self.clients.desks.iter().enumerate() {
                let console: Vec<_> = desk.shown.values().collect();
                let is_same = console.iter().copied().eq(first.agents.iter());
                if desk.is_connected() && !is_same {
                    wrong.push(format!("desk {idx} sees {console:?}, and not {:?}", first.agents));
                }
            }
        }
        wrong.extend(shown.iter().find(|it| it.is_home()).and_then(|home| self.forgotten(home)));
        wrong
    }

    fn shown_wrong(&self, shown: &Shown, stands: &[Stands]) -> Vec<String> {
        let mut wrong = Vec::new();
        for desk in &self.clients.desks {
            let it = shown.agents.iter().find(|it| it.agent == desk.agent);
            let Some(it) = it else {
                wrong.push(format!("{} is not known", desk.agent.name));
                continue;
            };
            let active = owned(desk, stands);
            if (it.capacity, it.active, it.chosen) != (desk.capacity, active, desk.wants) {
                wrong.push(format!("{it:?}, who has {active} and wants {:?}", desk.wants));
            }
            let may_be = match (desk.is_connected(), desk.calls) {
                (true, _) => [desk.wants, desk.wants],
                // Calls keep an agent there for longer than this takes, at one home.
                (false, true) => [desk.wants, Status::Offline],
                (false, false) => [Status::Offline, Status::Offline],
            };
            if !may_be.contains(&it.effective) {
                wrong.push(format!("{it:?}, who is there: {}", desk.is_connected()));
            }
        }
        let open: Vec<(u32, Option<AgentId>)> =
            stands.iter().map(|it| (it.conversation, it.agent)).collect();
        if shown.open != open {
            wrong.push(format!("lists {:?}, and open are {open:?}", shown.open));
        }
        if let Some(tenant) = shown.tenant().filter(|_| shown.is_home()) {
            let talked = usize::try_from(self.clients.conversations).unwrap_or(usize::MAX);
            let active = talked + stands.iter().filter(|it| it.agent.is_some()).count();
            let presence = &tenant.presence;
            if (presence.slots_owned, presence.slots_taken) != (active, active) {
                wrong.push(format!("{presence:?}, and {active} conversations have agents"));
            }
            let waiting = stands.iter().filter(|it| it.agent.is_none()).count();
            if tenant.queue.waiting != waiting {
                wrong.push(format!("{:?}, and {waiting} wait", tenant.queue));
            }
        }
        wrong
    }

    /// Who waits where the queue gives away, while an agent is shown who could have them.
    fn forgotten(&self, shown: &Shown) -> Option<String> {
        let is_free =
            |it: &&AgentPresence| it.effective == Status::Online && it.active < it.capacity;
        let free = shown.agents.iter().find(is_free)?;
        let waits = |(n, agent): &&(u32, Option<AgentId>)| agent.is_none() && self.is_routed(*n);
        let (waits, _) = shown.open.iter().find(waits)?;
        Some(format!("{waits} waits, and {} is free", free.agent.name))
    }

    fn is_routed(&self, conversation: u32) -> bool {
        let idx = usize::try_from(conversation - people::newcomer(0)).unwrap_or(usize::MAX);
        let newcomer = self.clients.newcomers.get(idx);
        newcomer.is_some_and(|it| self.tenancy.routes(it.department.as_ref()))
    }
}

/// How many conversations the agent has.
fn owned(desk: &Desk, stands: &[Stands]) -> usize {
    stands.iter().filter(|it| it.agent == Some(desk.agent.id)).count()
}
