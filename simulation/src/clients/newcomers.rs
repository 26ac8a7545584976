//! Those who come to be served: each begins a conversation that waits until an agent has it.

use std::time::Duration;

use switchboard_actors::Refusal;
use switchboard_domain::conversation::{Rejection, Request};
use switchboard_domain::ids::DepartmentId;

use super::{PATIENCE, TRIES_AGAIN};
use crate::people;
use crate::world::World;

/// How far they are apart.
const COMES_AFTER: (Duration, Duration) =
    (Duration::from_millis(200), Duration::from_millis(2_200));
/// How many come at most.
const NEWCOMERS_MAX: usize = 28;

/// Somebody who came.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) department: Option<DepartmentId>,
    /// Whether their conversation is known to be begun.
    has_begun: bool,
    /// Which attempt to begin it is under way.
    attempt: u64,
}

impl World {
    /// Lets the next one come, as long as there are things to be said.
    pub(super) fn let_come(&mut self) {
        let wait = self.rng.between(COMES_AFTER.0, COMES_AFTER.1);
        self.after(wait, |world| {
            if world.clients.are_talking && world.clients.newcomers.len() < NEWCOMERS_MAX {
                let department = world.tenancy.any_department(&mut world.rng);
                let (has_begun, attempt) = (false, 0);
                world.clients.newcomers.push(Newcomer { department, has_begun, attempt });
                world.come_in(world.clients.newcomers.len() - 1);
                world.let_come();
            }
        });
    }

    /// Begins their conversation at some node, again and again until it is known to be begun.
    fn come_in(&mut self, idx: usize) {
        let at = self.rng.index(self.nodes());
        let Some(newcomer) = self.clients.newcomers.get_mut(idx) else { return };
        newcomer.attempt += 1;
        let attempt = newcomer.attempt;
        let n = people::newcomer(u32::try_from(idx).unwrap_or(u32::MAX));
        let command = people::create(n, newcomer.department.clone());
        let request = Request { caller: people::visitor(n), key: None, command };
        let asked = self.ask(at, people::key(n), request, move |world, result| match result {
            Ok(_) | Err(Refusal::Rejected(Rejection::Exists)) => {
                if let Some(newcomer) = world.clients.newcomers.get_mut(idx) {
                    newcomer.has_begun = true;
                }
            }
            Err(_) => world.come_again(idx, attempt),
        });
        let patience = if asked { PATIENCE } else { TRIES_AGAIN.1 };
        self.after(patience, move |world| world.come_again(idx, attempt));
    }

    fn come_again(&mut self, idx: usize, attempt: u64) {
        let newcomer = self.clients.newcomers.get(idx);
        if newcomer.is_some_and(|it| !it.has_begun && it.attempt == attempt) {
            self.come_in(idx);
        }
    }

    /// Whether all who came are known to wait, or to have waited.
    pub(crate) fn all_came_in(&self) -> bool {
        self.clients.newcomers.iter().all(|newcomer| newcomer.has_begun)
    }
}
