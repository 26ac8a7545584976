use switchboard_domain::conversation::{Body, Command, Event, Heads, Ordinals, Stream};
use switchboard_domain::ids::{ConversationId, EventId, Seq, Timestamp};

use super::*;
use crate::testing::{create, tenant, visitor};

/// A conversation that has just begun, as its owner hands it on.
pub(in crate::remote) fn warm(id: u128) -> (ConversationKey, Warm) {
    let conversation = ConversationId::from_u128(id);
    let Command::Create { created, .. } = create(id, Some("sales")) else { panic!("it creates") };
    let event = Event {
        stream: Stream::Public,
        seq: Seq(1),
        public_head: Seq(1),
        id: EventId::from_u128(1),
        at: Timestamp(5),
        from: visitor(1).author,
        key: None,
        ordinals: Ordinals::default(),
        body: Body::Created(created),
    };
    let state = Conversation::begin(conversation, &event).expect("it begins");
    let starts = Heads { public: Seq(1), internal: Seq(1) };
    let handed = HandOn { epoch: 7, starts, heads: state.heads };
    let key = ConversationKey { tenant: tenant(), conversation };
    (key, Warm { handed, state: Arc::new(state), receipts: None })
}

/// Has a shard leave with these, and come; `at` is the epoch it was given away under.
fn pass_on(given: &[(ConversationKey, Warm)], shard: Shard, at: u64) -> HandOns {
    let (from, to) = (HandOns::default(), HandOns::default());
    from.begin(shard, Epoch(at));
    for (key, warm) in given {
        from.collect(shard, Epoch(at), key, warm);
    }
    to.keep(shard, Epoch(at), from.take(shard, Epoch(at)));
    to
}

#[test]
fn it_is_used_once_and_by_the_very_next_epoch_alone() {
    let (key, given) = warm(1);
    let shard = shard_of(&key);
    let to = pass_on(&[(key.clone(), given.clone())], shard, 4);
    for epoch in [0, 3, 4, 6, u64::MAX] {
        assert!(to.use_up(&key, Epoch(epoch)).is_none(), "{epoch}");
    }
    let used = to.use_up(&key, Epoch(5)).expect("it came");
    assert_eq!((used.handed, used.state), (given.handed, given.state));
    assert!(to.use_up(&key, Epoch(5)).is_none());
}

#[test]
fn a_claim_of_another_epoch_or_a_loss_ends_it() {
    let (key, given) = warm(1);
    let shard = shard_of(&key);
    type End = fn(&HandOns, Shard);
    let ends: [End; 4] = [
        |to, shard| to.claimed(shard, Epoch(6)),
        HandOns::forget,
        |to, _| to.forget_all(),
        // The shard goes on to the next.
        |to, shard| to.begin(shard, Epoch(5)),
    ];
    for (idx, end) in ends.into_iter().enumerate() {
        let to = pass_on(&[(key.clone(), given.clone())], shard, 4);
        to.claimed(shard, Epoch(5));
        to.claimed(Shard::of("acme", "", b"other"), Epoch(9));
        end(&to, shard);
        assert!(to.use_up(&key, Epoch(5)).is_none(), "{idx}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_half_a_minute() {
    let (key, given) = warm(1);
    let to = pass_on(&[(key.clone(), given)], shard_of(&key), 4);
    tokio::time::advance(KEPT_FOR / 2).await;
    to.expire();
    assert_eq!(to.kept.lock().len(), 1);
    tokio::time::advance(KEPT_FOR / 2).await;
    to.expire();
    assert!(to.use_up(&key, Epoch(5)).is_none());

    // A shard whose release nobody heard of.
    to.begin(shard_of(&key), Epoch(5));
    tokio::time::advance(KEPT_FOR).await;
    to.expire();
    assert!(!to.is_leaving(shard_of(&key), Epoch(5)));
}

#[test]
fn what_is_damaged_or_of_another_conversation_is_not_used() {
    let (key, given) = warm(1);
    let (_, of_another) = warm(2);
    let longer = Heads { public: Seq(2), internal: Seq(0) };
    let other_heads = HandOn { heads: longer, ..given.handed };
    let mut bytes = Vec::new();
    given.put(&mut bytes);
    let flipped = bytes.iter().enumerate().map(|(idx, byte)| byte ^ u8::from(idx == 100)).collect();
    let more = [&bytes[..], &[0]].concat();
    let written = |warm: &Warm| {
        let mut bytes = Vec::new();
        warm.put(&mut bytes);
        bytes
    };
    let cases: [Vec<u8>; 6] = [
        Vec::new(),
        bytes[..bytes.len() - 1].to_vec(),
        flipped,
        more,
        written(&of_another),
        written(&Warm { handed: other_heads, ..given.clone() }),
    ];
    for (idx, bytes) in cases.into_iter().enumerate() {
        let to = HandOns::default();
        to.keep(shard_of(&key), Epoch(4), vec![(key.clone(), bytes.into())]);
        assert!(to.use_up(&key, Epoch(5)).is_none(), "{idx}");
    }
}

#[test]
fn both_sides_are_bounded() {
    let (_, given) = warm(1);
    let shard = Shard::of("acme", "", b"");
    let from = HandOns::default();
    from.begin(shard, Epoch(4));
    for id in 0..2 * u128::try_from(CONVERSATIONS_MAX).expect("small") {
        from.collect(shard, Epoch(4), &warm(id).0, &given);
    }
    assert_eq!(from.take(shard, Epoch(4)).len(), CONVERSATIONS_MAX);

    let receipts = vec![(Principal::System, Receipt::default()); BYTES_MAX / 64];
    let large = Warm { receipts: Some(receipts), ..given };
    from.begin(shard, Epoch(4));
    for id in 0..9 {
        from.collect(shard, Epoch(4), &warm(id).0, &large);
    }
    let taken = from.take(shard, Epoch(4));
    let bytes: usize = taken.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(!taken.is_empty() && bytes <= BYTES_MAX, "{} with {bytes} bytes", taken.len());

    let to = HandOns::default();
    let half = Bytes::from(vec![0; KEPT_BYTES_MAX / 2]);
    for idx in 0..3 {
        let shard = Shard::numbered(idx).expect("there are as many");
        to.keep(shard, Epoch(1), vec![(warm(1).0, half.clone())]);
    }
    assert_eq!(to.kept.lock().len(), 2);
}

#[test]
fn nothing_is_collected_for_a_shard_that_stays_or_was_settled_under_another_epoch() {
    let (key, given) = warm(1);
    let shard = shard_of(&key);
    let from = HandOns::default();
    from.collect(shard, Epoch(4), &key, &given);
    from.begin(shard, Epoch(5));
    from.collect(shard, Epoch(4), &key, &given);
    assert!(from.is_leaving(shard, Epoch(5)) && !from.is_leaving(shard, Epoch(4)));
    assert!(from.take(shard, Epoch(5)).is_empty());
}
