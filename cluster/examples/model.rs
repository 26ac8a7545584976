//! The long form of the model: goes through larger bounds than the tests do and reports how many
//! states there were and how deep. `cargo xtask campaign model [--bound NAME] [--states MILLIONS]`

use std::env;
use std::fmt::Debug;
use std::hash::Hash;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use stateright::{Checker, DiscoveryClassification, HasDiscoveries, Model};
use switchboard_cluster::model::{lease, log};

/// Each bound by name. Memory grows by about a gigabyte for a million states.
fn logs() -> Vec<(&'static str, log::Bounds)> {
    let small = log::Bounds::SMALL;
    vec![
        ("log", small),
        ("log-three-claims", log::Bounds { claims: 3, activations: 1, ..small }),
        ("log-three-nodes", log::Bounds { nodes: 3, claims: 3, activations: 1, ..small }),
        ("log-three-lives", log::Bounds { claims: 1, activations: 3, ..small }),
        ("log-three-messages", log::Bounds { messages: 3, activations: 1, ..small }),
        ("log-pairs", log::Bounds { pairs: 2, activations: 1, ..small }),
        ("log-marks", log::Bounds { marks: 2, claims: 1, activations: 3, ..small }),
        ("log-hand-off", log::Bounds { hand_offs: 1, activations: 1, ..small }),
    ]
}

fn leases() -> Vec<(&'static str, lease::Bounds)> {
    let small = lease::Bounds::SMALL;
    vec![
        ("lease", small),
        ("lease-longer", lease::Bounds { time: 5, late: 0, ..small }),
        ("lease-claims", lease::Bounds { claims: 3, ..small }),
        ("lease-late", lease::Bounds { time: 4, ..small }),
        ("lease-lives", lease::Bounds { lives: 2, claims: 3, late: 0, ..small }),
        ("lease-equals", lease::Bounds { has_roles: false, late: 0, ..small }),
    ]
}

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    let option = |name: &str| {
        let mut pairs = args.windows(2);
        pairs.find(|pair| pair.first().is_some_and(|it| it == name)).and_then(|pair| pair.last())
    };
    let wanted = option("--bound");
    let millions = option("--states").and_then(|states| states.parse().ok()).unwrap_or(8);
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let mut passed = true;
    for (name, bounds) in logs().into_iter().filter(|(name, _)| is_wanted(name)) {
        passed &= check(name, bounds, millions)?;
    }
    for (name, bounds) in leases().into_iter().filter(|(name, _)| is_wanted(name)) {
        passed &= check(name, bounds, millions)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Goes through one bound, or as far as so many million states; whether all promises held.
fn check<M>(name: &str, model: M, millions: usize) -> io::Result<bool>
where
    M: Model<State: Hash + Debug + Clone + PartialEq + Send + Sync> + Send + Sync + 'static,
    M::Action: Debug + Clone + PartialEq + Send + Sync,
{
    let began = Instant::now();
    let states_max = millions.saturating_mul(1_000_000);
    let checker = model
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(states_max)
        .spawn_bfs()
        .join();
    let states = checker.unique_state_count();
    let depth = checker.max_depth();
    let seconds = began.elapsed().as_secs();
    let whole = if checker.state_count() < states_max { "all of it" } else { "cut short" };
    let mut out = io::stdout().lock();
    writeln!(out, "{name}: {states} states, depth {depth}, {seconds} s, {whole}")?;
    let mut passed = true;
    for (promise, path) in checker.discoveries() {
        let kind = checker.discovery_classification(promise);
        if matches!(kind, DiscoveryClassification::Counterexample) {
            passed = false;
            writeln!(out, "{name}: {promise} is broken by {:?}", path.into_actions())?;
        }
    }
    Ok(passed)
}
