use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use uuid::Uuid;

use super::credit::{Credit, Share, cost};
use super::frame::{Answer, Batch, Frame};
use super::memory::Network;
use super::*;
use crate::ownership::Boot;

/// What a receiver was told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Up(NodeName),
    Envelope(NodeName, Bytes),
    Down(NodeName),
}

/// Writes down what it is told.
#[derive(Debug, Default)]
pub(super) struct Diary(Mutex<Vec<Told>>);

impl Diary {
    pub(super) fn all(&self) -> Vec<Told> {
        self.0.lock().clone()
    }

    pub(super) fn count(&self, what: impl Fn(&Told) -> bool) -> usize {
        self.0.lock().iter().filter(|told| what(told)).count()
    }

    /// The numbers that a node sent, as received since its last `up`.
    pub(super) fn numbers(&self, from: &NodeName) -> Vec<u32> {
        let all = self.0.lock();
        let numbers = all.iter().filter_map(|told| match told {
            Told::Envelope(node, envelope) if node == from => Some(number_in(envelope)),
            _ => None,
        });
        numbers.collect()
    }
}

impl Receiver for Diary {
    fn up(&self, peer: &Peer) {
        self.0.lock().push(Told::Up(peer.node.clone()));
    }

    fn receive(&self, from: &NodeName, envelope: Bytes) {
        self.0.lock().push(Told::Envelope(from.clone(), envelope));
    }

    fn down(&self, node: &NodeName) {
        self.0.lock().push(Told::Down(node.clone()));
    }
}

pub(super) fn node(name: &str) -> NodeName {
    NodeName(name.into())
}

pub(super) fn numbered(number: u32) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

fn number_in(envelope: &Bytes) -> u32 {
    envelope.get(..4).map_or(0, |it| u32::from_be_bytes(it.try_into().expect("four bytes")))
}

/// What was heard of one node must be `up`, envelopes in rising order, `down`, again and again.
pub(super) fn check_order(told: &[Told], of: &NodeName) {
    let (mut is_up, mut last) = (false, 0);
    for it in told {
        match it {
            Told::Up(node) if node == of => {
                assert!(!is_up, "up twice");
                is_up = true;
            }
            Told::Down(node) if node == of => {
                assert!(is_up, "down without up");
                is_up = false;
            }
            Told::Envelope(node, envelope) if node == of => {
                assert!(is_up, "an envelope of a node that is down");
                let number = number_in(envelope);
                assert!(number > last, "{number} after {last}");
                last = number;
            }
            Told::Up(_) | Told::Down(_) | Told::Envelope(..) => {}
        }
    }
}

#[test]
fn versions_agree_on_the_newest_that_both_know() {
    let range = |oldest, newest| Versions { oldest, newest };
    for (ours, theirs, agreed) in [
        ((1, 1), (1, 1), Some(1)),
        ((1, 2), (1, 1), Some(1)),
        ((1, 2), (2, 3), Some(2)),
        ((2, 3), (1, 1), None),
        ((1, 1), (2, 3), None),
    ] {
        let (ours, theirs) = (range(ours.0, ours.1), range(theirs.0, theirs.1));
        assert_eq!(ours.agree(theirs), agreed, "{ours:?} {theirs:?}");
        assert_eq!(theirs.agree(ours), agreed, "{theirs:?} {ours:?}");
    }
}

#[test]
fn a_frame_reads_as_it_was_written() {
    let (one, boot) = (node("one"), Boot(Uuid::from_u128(7)));
    let greeting = Frame::greeting(&one, boot, 9, VERSIONS).expect("a short name");
    let expect = Frame::Greeting { node: one, boot, link: 9, versions: VERSIONS };
    assert_eq!(Frame::read(greeting), Some(expect));
    assert_eq!(Frame::read(Frame::ping()), Some(Frame::Ping));
    let envelopes = [Bytes::from_static(b"a"), Bytes::new(), Bytes::from_static(b"ccc")];
    let Some(Frame::Batch(batch)) = Frame::read(Batch::write(3, 4, 5, &envelopes)) else {
        panic!("not a batch");
    };
    assert_eq!((batch.version, batch.link, batch.number), (3, 4, 5));
    assert_eq!(batch.envelopes().as_deref(), Some(&envelopes[..]));
    for answer in [Answer::Refused, Answer::NotYet, Answer::Taken(VERSIONS)] {
        assert_eq!(Answer::read(&answer.write()), answer);
    }
}

#[test]
fn a_greeting_has_the_same_bytes_in_every_version() {
    let versions = Versions { oldest: 1, newest: 3 };
    let greeting = Frame::greeting(&node("n"), Boot(Uuid::from_u128(2)), 3, versions);
    let mut expect = vec![1, 1, 3, 3, 0, 0, 0, 0, 0, 0, 0];
    expect.extend([0; 15]);
    expect.extend([2, 1, b'n']);
    assert_eq!(greeting, Some(expect));
    assert_eq!(Answer::Taken(versions).write(), [2, 1, 3]);
}

#[test]
fn a_frame_that_is_cut_short_or_foreign_is_none() {
    let greeting = Frame::greeting(&node("one"), Boot(Uuid::nil()), 9, VERSIONS).expect("short");
    for end in 0..greeting.len() {
        assert_eq!(Frame::read(greeting[..end].to_vec()), None, "{end}");
    }
    let whole = Batch::write(1, 2, 3, &[Bytes::from_static(b"abc"), Bytes::from_static(b"de")]);
    for end in 0..whole.len() {
        let read = match Frame::read(whole[..end].to_vec()) {
            Some(Frame::Batch(batch)) => batch.envelopes(),
            _ => None,
        };
        // Without its last envelope, or without any, it is still a batch: its number tells.
        let whole_envelopes = [18, 25].contains(&end);
        assert_eq!(read.is_some(), whole_envelopes, "{end}");
    }
    assert_eq!(Frame::read(vec![99, 1, 2]), None);
    assert_eq!(Answer::read(&[77]), Answer::Refused);
}

#[test]
fn what_is_lossy_is_refused_while_what_matters_is_taken() {
    let credit = Credit::default();
    while credit.take(ENVELOPE_BYTES_MAX, Share::Half).is_ok() {}
    assert!(credit.used() <= CREDIT_BYTES / 2);
    assert_eq!(credit.take(ENVELOPE_BYTES_MAX, Share::Whole), Ok(()));
    assert_eq!(credit.take(1, Share::Half), Err(NotSent::Full));
    credit.give_back(cost(ENVELOPE_BYTES_MAX));
    credit.give_back(cost(ENVELOPE_BYTES_MAX));
    assert_eq!(credit.take(ENVELOPE_BYTES_MAX, Share::Half), Ok(()));
}

#[test]
fn credit_is_bounded_and_comes_back() {
    let credit = Credit::default();
    assert_eq!(credit.take(ENVELOPE_BYTES_MAX + 1, Share::Whole), Err(NotSent::TooLong));
    let mut taken = 0;
    while credit.take(ENVELOPE_BYTES_MAX, Share::Whole).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, CREDIT_BYTES / cost(ENVELOPE_BYTES_MAX));
    assert_eq!(credit.take(ENVELOPE_BYTES_MAX, Share::Whole), Err(NotSent::Full));
    credit.give_back(cost(ENVELOPE_BYTES_MAX));
    assert_eq!(credit.take(ENVELOPE_BYTES_MAX, Share::Whole), Ok(()));
    assert!(credit.used() <= CREDIT_BYTES);
}

#[tokio::test(start_paused = true)]
async fn in_memory_order_is_kept_and_a_cut_loses_a_tail_at_most() {
    for seed in 1..20 {
        let run = in_memory(seed).await;
        assert_eq!(run, in_memory(seed).await, "seed {seed} gives two runs");
    }
}

async fn in_memory(seed: u64) -> Vec<Told> {
    let network = Network::new(seed);
    let (one, two) = (node("one"), node("two"));
    let (hears_one, hears_two) = (Arc::new(Diary::default()), Arc::new(Diary::default()));
    network.listen(&one, Arc::clone(&hears_one) as _);
    network.listen(&two, Arc::clone(&hears_two) as _);
    let sends = network.node(one.clone());
    for number in 1..=100 {
        sends.send(&two, numbered(number)).expect("the node is up");
        tokio::time::sleep(Duration::from_micros(20)).await;
    }
    network.cut(&one, &two, Duration::from_millis(50)).await;
    assert_eq!(sends.send(&two, numbered(101)), Err(NotSent::Down));
    network.connect(&one, &two);
    for number in 201..=300 {
        sends.send(&two, numbered(number)).expect("the node is up");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = hears_two.all();
    check_order(&told, &one);
    let numbers = hears_two.numbers(&one);
    let before = numbers.iter().filter(|number| **number <= 100).count();
    let expect: Vec<u32> = (1..=100).take(before).chain(201..=300).collect();
    assert_eq!(numbers, expect, "seed {seed}: a gap within a link");
    told
}
