//! Load generators, fault campaigns and their checker. Each subcommand ends with the line
//! `<name>: N passed, N failed` and a non-zero status when anything failed.

use clap::{Parser, Subcommand};
use switchboard_loadtest::{
    bench, blackout, capacity, crowd, faults, fsync, hostile, kill, links, memory, notes, race,
    search, writer,
};

#[derive(Parser)]
#[command(about, version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Switchboard beside a bare relay and Socket.IO, in one run.
    Bench(bench::Args),
    /// What a message costs across three nodes, beside one node on the same database.
    Nodes(bench::nodes::Args),
    /// kill -9 at random moments under load: nothing acked is lost, doubled, reordered or missed.
    Kill(kill::Args),
    /// Power cuts under load: what was acked had been synced.
    Powercut(blackout::Args),
    /// Syncs counted against acks, failed syncs, a full disk.
    Fsync(fsync::Args),
    /// Two agents accept one conversation at once: one wins, the other is told who.
    AcceptRace(race::Args),
    /// Random queue operations: nobody accepts above capacity.
    Capacity(capacity::Args),
    /// A visitor beside notes, edits and whispers notices nothing.
    Notes(notes::Args),
    /// Readers that stop reading and frames that are not the protocol.
    Hostile(hostile::Args),
    /// Envelopes between two nodes of a cluster: how many a second, in order, in flat memory.
    Links(links::Args),
    /// The node that sends, for `links`.
    #[command(hide = true)]
    LinksSender(links::SenderArgs),
    /// Resident memory per open and per closed conversation.
    Memory(memory::Args),
    /// The search box with many conversations: how long an agent waits.
    Search(search::Args),
    /// Three nodes and their database killed, paused, parted and restarted under load.
    Faults(faults::Args),
    /// Very many conversations and connections on three nodes, one of which is killed.
    Crowd(crowd::Args),
    /// The store engine alone, to be killed by tests.
    #[command(hide = true)]
    Writer(writer::Args),
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    switchboard_loadtest::machine::raise_open_files();
    match run(Cli::parse().command).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            switchboard_loadtest::report::line(format!("FAIL {error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Bench(args) => bench::run(&args).await,
        Command::Nodes(args) => bench::nodes::run(&args).await,
        Command::Kill(args) => kill::run(&args).await,
        Command::Powercut(args) => blackout::run(&args).await,
        Command::Fsync(args) => fsync::run(&args).await,
        Command::AcceptRace(args) => race::run(&args).await,
        Command::Capacity(args) => capacity::run(&args).await,
        Command::Notes(args) => notes::run(&args).await,
        Command::Hostile(args) => hostile::run(&args).await,
        Command::Links(args) => links::run(&args).await,
        Command::LinksSender(args) => links::send(&args).await,
        Command::Memory(args) => memory::run(&args).await,
        Command::Search(args) => search::run(&args).await,
        Command::Faults(args) => faults::run(args).await,
        Command::Crowd(args) => crowd::run(args).await,
        Command::Writer(args) => writer::run(&args).await,
    }
}
