//! What is in the database, in the nodes and in the clients' heads.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bounds, REPLICAS};
use crate::log::takeover::{Ask, TakeOver, Taken, Warm};
use crate::log::writer::{Bound, Writer};
use crate::log::{At, Head, Heads, LogEpoch, Row, counting, cut};
use crate::ownership::Epoch;
use crate::rules::Rule;

/// A message; it is its own key.
pub(super) type Message = u8;

/// Where each message is stored, as far as an owner knows: what makes retries safe.
pub(super) type Sends = BTreeMap<Message, At>;

/// A state of the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Rows that were written, and which replicas have them.
    pub(super) rows: Vec<(Row<Message>, u8)>,
    pub(super) head: Option<Head>,
    /// Conditional writes of the head that are on their way.
    pub(super) swaps: Vec<Swap>,
    /// The newest claim, and whose it is.
    pub(super) claimed: Epoch,
    pub(super) holder: Option<u8>,
    /// A node that goes on after it has given the shard away.
    pub(super) lingers: Option<u8>,
    pub(super) nodes: Vec<Node>,
    /// What the last owner of the shard sent to the next.
    pub(super) warm: Option<(Warm, Sends)>,
    pub(super) checkpoint: (Heads, Sends),
    /// Messages that were ever sent. They come in order: only their names differ.
    pub(super) sent: u8,
    pub(super) marks: u8,
    pub(super) hand_offs: u8,
    /// What anybody was ever told to stand at a position.
    pub(super) told: BTreeMap<At, Message>,
    /// Acknowledged messages.
    pub acked: BTreeSet<Message>,
    /// What owners ever vouched for.
    pub(super) bounds: BTreeSet<Bound>,
    /// The first promise that was broken.
    pub broken: Option<Broken>,
}

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// P1.
    Lost,
    /// P2.
    Changed,
    /// P3.
    Doubled,
    /// P4.
    Torn,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Swap {
    pub(super) by: u8,
    pub(super) expect: Option<Head>,
    pub(super) head: Head,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    /// The claim that it believes to be its own.
    pub(super) epoch: Option<Epoch>,
    pub(super) activations: u64,
    pub(super) life: Life,
    /// What it will send to the next owner once the shard is released.
    pub(super) leaving: Option<(Warm, Sends)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Life {
    Idle,
    Taking {
        machine: TakeOver<Message>,
        ask: Ask<Message>,
        sends: Sends,
    },
    Serving(Serving),
    /// A mark is on its way.
    Marking(Serving),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Serving {
    pub(super) writer: Writer<Message, Message>,
    pub(super) sends: Sends,
}

impl State {
    pub(super) fn new(model: &Bounds) -> Self {
        let node = Node { epoch: None, activations: 0, life: Life::Idle, leaving: None };
        Self {
            rows: Vec::new(),
            head: None,
            swaps: Vec::new(),
            claimed: Epoch(0),
            holder: None,
            lingers: None,
            nodes: vec![node; usize::from(model.nodes)],
            warm: None,
            checkpoint: (Heads::default(), Sends::new()),
            sent: 0,
            marks: 0,
            hand_offs: 0,
            told: BTreeMap::new(),
            acked: BTreeSet::new(),
            bounds: BTreeSet::new(),
            broken: None,
        }
    }

    pub(super) fn node(&self, node: u8) -> Option<&Node> {
        self.nodes.get(usize::from(node))
    }

    /// Whether a node's shard is still its own under the epoch that it serves it with.
    pub(super) fn holds(&self, model: &Bounds, node: u8, epoch: LogEpoch) -> bool {
        let Some(believed) = self.node(node).and_then(|node| node.epoch) else {
            return self.lingers == Some(node);
        };
        if !model.rules.keeps(Rule::ClaimAfterTheEnd) {
            return true;
        }
        let is_same = epoch.shard == believed || !model.rules.keeps(Rule::BootKeepsNothing);
        is_same && self.holder == Some(node) && believed == self.claimed
    }

    /// The rows that a read of these replicas finds. Of two at one place the replicas keep one:
    /// which, is as good as chance, for a clock may stand still between two writes.
    pub(super) fn found(&self, model: &Bounds, replicas: u8) -> Vec<Row<Message>> {
        let mut newest = BTreeMap::new();
        for (row, mask) in &self.rows {
            if mask & replicas == 0 {
                continue;
            }
            let epoch = model.rules.keeps(Rule::EpochInKey).then_some(row.epoch);
            let stored = newest.entry((row.at, epoch)).or_insert(row);
            if row.entry < stored.entry {
                *stored = row;
            }
        }
        newest.into_values().cloned().collect()
    }

    /// Writes rows: from now on any replica may take them.
    pub(super) fn write(&mut self, rows: Vec<Row<Message>>) {
        for row in rows {
            if !self.rows.iter().any(|(known, _)| *known == row) {
                self.rows.push((row, 0));
            }
        }
    }

    /// Whether rows are on two replicas of three.
    pub(super) fn is_at_quorum(&self, rows: &[Row<Message>]) -> bool {
        rows.iter()
            .all(|row| self.rows.iter().any(|(known, mask)| known == row && mask.count_ones() >= 2))
    }

    /// Somebody is told what stands at a position.
    pub(super) fn tell(&mut self, at: At, message: Message) {
        let is_elsewhere = self
            .told
            .iter()
            .any(|(other, &told)| told == message && other.stream == at.stream && *other != at);
        match self.told.insert(at, message) {
            Some(before) if before != message => self.breaks(Broken::Changed),
            _ if is_elsewhere => self.breaks(Broken::Doubled),
            _ => {}
        }
    }

    pub(super) fn breaks(&mut self, promise: Broken) {
        self.broken.get_or_insert(promise);
    }

    /// A retry is answered with the position that an owner remembers.
    pub(super) fn acknowledge(&mut self, message: Message, at: At) {
        self.acked.insert(message);
        self.tell(at, message);
    }

    /// Everything that was told must be in what a new owner adopted.
    pub(super) fn adopt(&mut self, model: &Bounds, taken: &Taken<Message>) {
        if self.told.keys().any(|at| !taken.heads.cover(*at)) {
            self.breaks(Broken::Lost);
        }
        for row in &taken.rows {
            self.tell(row.at, row.entry);
        }
        let is_torn = |row: &Row<Message>| {
            let written = self.told.values().filter(|told| **told == row.entry).count();
            written != if row.entry < model.pairs { 2 } else { 1 }
        };
        if taken.rows.iter().any(is_torn) {
            self.breaks(Broken::Torn);
        }
    }

    /// Every read up to a bound that an owner vouched for shows what was told, from any quorum,
    /// at any later time.
    pub(super) fn reads_agree(&self, model: &Bounds) -> bool {
        quorums().all(|quorum| {
            let found = self.found(model, quorum);
            self.bounds.iter().all(|bound| {
                let head = Head { epoch: bound.epoch, start: bound.start, mark: None };
                let counting = counting(Some(&head), found.clone(), model.rules);
                self.told
                    .iter()
                    .filter(|(at, _)| bound.heads.cover(**at))
                    .all(|(at, told)| counting.get(at).is_some_and(|row| row.entry == *told))
            })
        })
    }

    /// Shows a reader all that it finds by the head row alone.
    pub(super) fn read_by_head(&mut self, model: &Bounds, quorum: u8) {
        let found = self.found(model, quorum);
        let counting = counting(self.head.as_ref(), found, model.rules);
        let (_, rows) = cut(Heads::default(), counting, model.rules);
        for row in rows {
            self.tell(row.at, row.entry);
        }
    }

    /// Brings states that differ in names alone to one form: replicas have no names, and a write
    /// that can never be carried out is none.
    pub(super) fn settle(&mut self, model: &Bounds) {
        if model.rules.keeps(Rule::ExactHead) {
            let (head, nodes) = (self.head, &self.nodes);
            self.swaps.retain(|swap| swap.expect == head || swap.is_awaited(nodes));
        }
        self.swaps.sort();
        self.swaps.dedup();
        self.rows.sort_by_key(|(row, _)| (row.at, row.epoch, row.entry));
        let mut columns = [0_u64; REPLICAS];
        for (_, mask) in &self.rows {
            for (bit, column) in columns.iter_mut().enumerate() {
                *column = (*column << 1) | u64::from((mask >> bit) & 1);
            }
        }
        columns.sort_unstable();
        for (row, (_, mask)) in self.rows.iter_mut().rev().enumerate() {
            let bits = columns.iter().rev();
            *mask = bits.fold(0, |mask, column| (mask << 1) | u8::from((column >> row) & 1 == 1));
        }
    }
}

impl Swap {
    /// Whether the one who sent it still waits for its outcome.
    pub(super) fn is_awaited(&self, nodes: &[Node]) -> bool {
        match nodes.get(usize::from(self.by)).map(|node| &node.life) {
            Some(Life::Taking { ask: Ask::Swap { expect, head }, .. }) => {
                *expect == self.expect && *head == self.head
            }
            Some(Life::Marking(serving)) => {
                self.head.mark.is_some() && serving.writer.head().epoch == self.head.epoch
            }
            Some(Life::Idle | Life::Taking { .. } | Life::Serving(_)) | None => false,
        }
    }
}

/// Any two of three replicas.
pub(super) fn quorums() -> impl Iterator<Item = u8> {
    [0b011, 0b101, 0b110].into_iter()
}
