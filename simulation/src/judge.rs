//! The end of a run: what is stored is read at every node, and the checker of the load tests says
//! whether the promises were kept. What became of agents and of those who waited is judged apart.

mod agents;

use std::fmt;
use std::time::Duration;

use switchboard_actors::region;
use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::Seq;
use switchboard_loadtest::checker::{Verdict, check};
use switchboard_loadtest::history::{Op, Seen};
use switchboard_store::Range;

use crate::clients::desks::Tally;
use crate::clients::reader::{seen, stream_of};
use crate::database::TakeOvers;
use crate::node::Effect;
use crate::people;
use crate::world::World;

/// How long the final reads may take, and readers to hear the end.
const READ_WITHIN: Duration = Duration::from_secs(60);
const HEARD_WITHIN: Duration = Duration::from_secs(40);
/// How long to wait before a read is tried again.
const READ_AGAIN: Duration = Duration::from_millis(200);
/// Events of one page.
const PAGE: usize = 50;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What it was run from.
    pub seed: u64,
    /// What went wrong in it, as the seed had it.
    pub faults: Vec<String>,
    /// What the checker of the load tests found.
    pub verdict: Verdict,
    /// What else must not be: clients that were told nonsense, or never told, nodes that ended by
    /// themselves, agents with more than they take, and whoever was forgotten.
    pub surprises: Vec<String>,
    /// What agents did.
    pub tally: Tally,
    /// How logs changed hands.
    pub take_overs: TakeOvers,
    /// How many events there were, and their sum: two runs of one seed have the same.
    pub trace: (u64, u64),
    /// The events, if they were kept.
    pub lines: Vec<String>,
    /// How much time passed in it.
    pub took: Duration,
}

impl Outcome {
    /// Whether every promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.verdict.is_clean() && self.surprises.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (events, sum) = self.trace;
        write!(f, "seed {}: {}; {} ", self.seed, self.verdict, self.tally)?;
        write!(
            f,
            "({} faults in {:?}, {events} events, trace {sum:016x})",
            self.faults.len(),
            self.took
        )?;
        if self.is_clean() {
            return Ok(());
        }
        for fault in &self.faults {
            write!(f, "\n  fault {fault}")?;
        }
        for example in self.verdict.examples().chain(self.surprises.iter().cloned()) {
            write!(f, "\n  {example}")?;
        }
        Ok(())
    }
}

impl World {
    /// Reads everything at every node, and judges.
    pub(crate) fn judge(mut self, faults: Vec<String>, is_quiet: bool) -> Outcome {
        if !is_quiet {
            self.clients.surprises.push("somebody never learned what became of a send".to_owned());
        }
        // Reading logs takes those over that are put away.
        let take_overs = self.database.take_overs();
        let wrong = self.judge_agents();
        self.clients.surprises.extend(wrong);
        let count = self.nodes();
        let reads: Vec<_> = (0..count).map(|idx| self.read_all(idx)).collect();
        self.compare(&reads);
        self.until(HEARD_WITHIN, Self::are_caught_up);
        self.stop_reading();
        let mut surprises = std::mem::take(&mut self.clients.surprises);
        surprises.extend(self.exits.iter().map(|exit| format!("ended by itself: {exit}")));
        let verdict = check(&self.clients.history);
        let (seed, took, tally) = (self.seed, self.now, self.clients.tally);
        let (events, sum, lines) = self.into_trace();
        let trace = (events, sum);
        Outcome { seed, faults, verdict, surprises, tally, take_overs, trace, lines, took }
    }

    /// Both streams of all conversations, as one node shows them; `None` when it does not.
    fn read_all(&mut self, idx: usize) -> Option<Vec<Vec<Seen>>> {
        let conversations = self.clients.conversations;
        let is_there = self.visit(idx, move |doors, outbox| async move {
            let mut all = Vec::new();
            for (conversation, stream) in streams(conversations) {
                all.push(read(&doors.conversations, conversation, stream).await);
            }
            let tell = move |world: &mut Self| world.clients.finals = Some(all);
            outbox.lock().push(Effect::Tell(Box::new(tell)));
        });
        if is_there {
            self.until(READ_WITHIN, |world| world.clients.finals.is_some());
        }
        self.clients.finals.take()
    }

    /// Takes down what the first node showed, and where others differ.
    fn compare(&mut self, reads: &[Option<Vec<Vec<Seen>>>]) {
        let history = &mut self.clients.history;
        let Some(Some(first)) = reads.first() else { return };
        for (idx, (conversation, stream)) in streams(self.clients.conversations).enumerate() {
            let stream = stream_of(stream);
            let shown = first.get(idx).map_or(&[][..], Vec::as_slice);
            history.extend(shown.iter().cloned().map(Op::Final));
            let head = shown.last().map_or(0, |last| last.seq);
            history.push(Op::FinalRead { conversation, stream, head });
            for (node, read) in reads.iter().enumerate() {
                let other = read.as_ref().and_then(|read| read.get(idx));
                if other.is_none_or(|other| other != shown) {
                    let how = format!("node {node} shows {:?} events", other.map(Vec::len));
                    history.push(Op::Differs { conversation, stream, how });
                }
            }
        }
    }
}

/// Both streams of all conversations.
fn streams(conversations: u32) -> impl Iterator<Item = (u32, Stream)> {
    (0..conversations).flat_map(|it| [(it, Stream::Public), (it, Stream::Internal)])
}

async fn read(handle: &region::Handle, conversation: u32, stream: Stream) -> Vec<Seen> {
    let (key, caller) = (people::key(conversation), people::agent());
    let mut all: Vec<Seen> = Vec::new();
    loop {
        let after = Range::After(Seq(all.last().map_or(0, |last| last.seq)));
        let page = Box::pin(handle.history(&key, &caller, stream, after, PAGE)).await;
        let Ok(page) = page else {
            tokio::time::sleep(READ_AGAIN).await;
            continue;
        };
        all.extend(page.events.iter().map(|published| seen(conversation, published)));
        if !page.more || page.events.is_empty() {
            return all;
        }
    }
}
