//! The table, and the page it is written to.

use std::path::Path;

use super::engine::Commit;
use super::pairs::TEXT_BYTES;
use super::{Figures, Kind, Size};
use crate::machine;

pub(super) fn table(all: &[(Kind, Figures)], commit: &Commit) -> String {
    let mut out = String::from(
        "| program | server CPU per message | messages/s | ack p50 / p99 | heard p50 / p99 | RSS per idle connection |\n\
         |---|---|---|---|---|---|\n",
    );
    for (kind, figures) in all {
        let what = kind.what();
        let idle = figures.idle_kib.map_or_else(|| "–".to_owned(), |kib| format!("{kib:.1} KiB"));
        out.push_str(&format!(
            "| {what} | {:.1} µs | {:.0} | {:.2} / {:.2} ms | {:.2} / {:.2} ms | {idle} |\n",
            figures.cpu_us,
            figures.per_second,
            figures.ack_p50_ms,
            figures.ack_p99_ms,
            figures.heard_p50_ms,
            figures.heard_p99_ms,
        ));
    }
    out.push_str(&format!(
        "| engine alone, one append per commit | – | {:.0} | {:.2} / {:.2} ms | – | – |\n",
        commit.per_second, commit.p50_ms, commit.p99_ms
    ));
    out
}

pub(super) fn write(path: &Path, table: &str, size: Size) -> anyhow::Result<()> {
    let command: Vec<_> = std::env::args().skip(1).collect();
    let page = format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`. Server and client share one machine and its loopback; the rounds of the programs are\n\
         interleaved, the disk comes to rest between them, and each figure is the median of {rounds} rounds of {seconds} s.\n\n\
         - machine: {machine}\n- commit: {commit}\n- date: {date}\n- command: `switchboard-loadtest {command}`\n\n\
         {pairs} pairs in closed loop: the sender sends {TEXT_BYTES} bytes and waits for the ack, the peer receives. Switchboard acks after\n\
         the message is synced to the disk; a visitor sends, an agent receives. CPU is user and system time of the server process\n\
         divided by the messages that arrived. Memory is the growth of the server's resident set over {idle} connections, each in a\n\
         conversation (or room) of its own, after idle conversations left memory; the conversations themselves existed before, so that\n\
         the bounded page cache of the store is not counted. The engine row is the store alone at the same\n\
         concurrency.\n\n{table}",
        rounds = size.rounds,
        seconds = size.round.as_secs(),
        machine = machine::describe(),
        commit = machine::commit(),
        date = machine::date(),
        command = command.join(" "),
        pairs = size.pairs,
        idle = size.idle,
    );
    std::fs::write(path, page)?;
    Ok(())
}
