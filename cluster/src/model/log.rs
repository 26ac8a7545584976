//! One log, some nodes, three replicas.
//!
//! Rows arrive at each replica alone, late or never; conditional writes are atomic, late, and
//! their outcome may stay unknown to who sent them. A node may stand still between any two steps,
//! so one that was superseded long ago still does what it was about to do. Clients send every
//! message to any node at any time, again and again. What the lease model proves is taken for
//! granted: a node holds a shard until another claims it.

mod state;
mod step;

use stateright::{Model, Property};

pub use self::state::{Broken, State};
pub use self::step::Action;

use crate::rules::{Rule, Rules};

/// Replicas of each row.
const REPLICAS: usize = 3;

/// How far the checker goes, and which rules stand.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Nodes.
    pub nodes: u8,
    /// Messages, each with a key of its own.
    pub messages: u8,
    /// How many of them write to both streams.
    pub pairs: u8,
    /// Claims of the shard, the first included.
    pub claims: u64,
    /// Lives of the log's owner within a claim.
    pub activations: u64,
    /// Times that the log is put away.
    pub marks: u8,
    /// Times that the shard is handed on.
    pub hand_offs: u8,
    /// Which rules stand.
    pub rules: Rules,
}

impl Bounds {
    /// What the test command goes through.
    pub const SMALL: Self = Self {
        nodes: 2,
        messages: 2,
        pairs: 0,
        claims: 2,
        activations: 2,
        marks: 0,
        hand_offs: 0,
        rules: Rules::ALL,
    };

    /// The same without one rule.
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self { rules: Rules::without(rule), ..self }
    }
}

impl Model for Bounds {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        step::actions(self, state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        step::step(self, &mut next, action);
        next.settle(self);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "P1 what was acknowledged is in every later read",
                |model: &Self, state: &State| {
                    state.broken != Some(Broken::Lost) && state.reads_agree(model)
                },
            ),
            Property::always("P2 a seq never shows two messages", |_: &Self, state: &State| {
                state.broken != Some(Broken::Changed)
            }),
            Property::always("P3 a retry gives the first seq again", |_: &Self, state: &State| {
                state.broken != Some(Broken::Doubled)
            }),
            Property::always(
                "P4 an append is stored whole or not at all",
                |_: &Self, state: &State| state.broken != Some(Broken::Torn),
            ),
            Property::sometimes("everything is acknowledged", |model: &Self, state: &State| {
                state.acked.len() == usize::from(model.messages)
            }),
        ]
    }
}
