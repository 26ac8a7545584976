//! Whole nodes in one process, under faults that a seed chooses: the same seed gives the same run.
//!
//! Each node has the code of a real one — regions, conversations, presence, queue, the driver of its
//! lease and claims, the take-over of logs — on a runtime of its own with one thread and paused time.
//! The [`world`] drives them, two milliseconds each in turn, and carries between them what they send:
//! to each other ([`network`]), to the database ([`database`]), to clients ([`clients`]). Everything
//! that happens in between is drawn from the seed, and [traced](trace).
//!
//! - A **crash** drops a node's runtime, with all that was under way in it. What had left it goes on.
//! - A **pause** is what SIGSTOP does: the node is not driven, everything for it waits, and when it
//!   goes on its clock has jumped.
//! - The **database** has three replicas of each row that is written plainly and one truth for what is
//!   written by condition. Requests to it are slow, lost, refused, carried out late, and held back with
//!   the node that sent them cut off.
//!
//! Clients talk in conversations that agents have; others come and wait, and agents at their
//! [desks](clients) take, are given, hand on and end what waits.
//!
//! At the end the faults are lifted, everybody catches up, and the checker of the load tests
//! judges what clients saw. Whether agents were given what they take and no more, and nobody who
//! waits was forgotten, is judged by the logs and by what every node shows.

mod clients;
mod clock;
mod database;
mod faults;
mod judge;
mod network;
mod node;
mod people;
mod trace;
mod world;

pub use self::clients::desks::Tally;
pub use self::database::TakeOvers;
pub use self::judge::Outcome;

/// What a run is made of, beside its seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many nodes there are.
    pub nodes: usize,
    /// How many conversations are held.
    pub conversations: u32,
    /// How many agents serve those who come and wait.
    pub agents: usize,
    /// Names of planted faults with commas between; only with the feature `sabotage`.
    pub planted: String,
    /// What goes wrong.
    pub faults: Faults,
    /// Whether the trace is kept line by line, and not only as a sum.
    pub keeps_trace: bool,
}

impl Default for Plan {
    fn default() -> Self {
        let (planted, faults) = (String::new(), Faults::All);
        Self { nodes: 3, conversations: 4, agents: 3, planted, faults, keeps_trace: false }
    }
}

impl Plan {
    /// The command that runs a seed again as this says, without planted faults.
    #[must_use]
    pub fn again(&self, seed: u64) -> String {
        let (nodes, options) = (self.nodes, self.faults.options());
        format!("cargo xtask campaign simulate --nodes {nodes}{options} --seeds 1 --seed {seed}")
    }
}

/// What may go wrong in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Faults {
    /// Whatever the seed draws.
    #[default]
    All,
    /// Nothing, but nodes are killed and started again at once, one after the other, on busy machines
    /// and over a slow database, so that the others still take them for who they were.
    Restarts,
    /// Nothing, but nodes are told to end and started again, one after the other.
    Drains,
    /// The same while one of the others does not hear the one that ends, so that answers are lost
    /// just when conversations change hands.
    DrainsUnheard,
}

impl Faults {
    const fn options(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Restarts => " --restarts",
            Self::Drains => " --drains",
            Self::DrainsUnheard => " --drains --unheard",
        }
    }
}

/// Runs one seed to its end.
#[must_use]
pub fn run(seed: u64, plan: &Plan) -> Outcome {
    world::World::new(seed, plan).run()
}
