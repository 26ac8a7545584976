use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;
use switchboard_domain::conversation::{
    Body, Conversation, Event, Ordinals, Resolution, SendKey, Status, Stream, Transferred,
};
use switchboard_domain::ids::{AgentId, DeviceId, EventId, Seq, Timestamp};
use switchboard_domain::person::{AgentRef, Author, Principal};

use super::event::EventV0;
use super::{
    CHECKPOINT_VERSION, CheckpointPlace, EVENT_VERSION, EventPlace, Place, decode_checkpoint,
    decode_event, encode_checkpoint, encode_event, parse, seal,
};
use crate::port::{ConversationKey, Fault};
use crate::testkit::{bodies, key, keyed, message};

fn place(key: &ConversationKey) -> EventPlace<'_> {
    EventPlace { key, stream: Stream::Public, seq: Seq(2), epoch: 3 }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every write");
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).expect("digits are text");
        u8::from_str_radix(text, 16).expect("digits are hexadecimal")
    };
    digits.chunks(2).map(byte).collect()
}

/// The event that the frozen records below are of.
fn frozen_event() -> Event {
    keyed(message(2, "Grüße"), 7, 1)
}

/// Written by version 0. These bytes may be on a disk somewhere: they never change.
const FROZEN_V0: &str = "009702c41001910000000000000000000000000002ce68e778029281a176c41001900000000070008000\
    000000000001a45665726193c4100000000000000000000000000000000701cdfeec9302000081a76d65\
    737361676592a74772c3bcc39f65905a85dc84";
/// Written by version 1. These bytes may be on a disk somewhere: they never change.
const FROZEN_V1: &str = "019702c41001910000000000000000000000000002cf00000199c82cc7d09281a176c410019000000000\
    70008000000000000001a45665726193c4100000000000000000000000000000000701cdfeec93020000\
    81a76d65737361676592a74772c3bcc39f6590b2c35de7";
/// Written by version 2, in which a contact may be verified.
const FROZEN_V2: &str = "029702c41001910000000000000000000000000002cf00000199c82cc7d09281a176c410019000000000\
    70008000000000000001a45665726193c4100000000000000000000000000000000701cdfeec93020000\
    81a76d65737361676592a74772c3bcc39f6590e912a927";
/// Written by version 2 of checkpoints.
const FROZEN_CHECKPOINT_V2: &str = "02dc001fc410ffffffffffffffffffffffffffffffffce000f424795c410019000000000700080000000\
    00000001a456657261b076657261406578616d706c652e6f7267ab2b34392033302031323334c3a46465\
    6d6fa7496e766f69636591a66765726d616e9192a470616765b668747470733a2f2f6578616d706c652e\
    6f72672fc3a49192a56f72646572a23737a6616374697665a87265736f6c766564c3a573616c6573a468\
    69676892a6726566756e64a376697092c41000000000000000000000000000000005a34164619192c410\
    00000000000000000000000000000005a3416461cf00000199c82cc3e8cf00000199c82d1dc0cf000001\
    99c82d1dc0d38000000000000000ffcf7fffffffffffffff9218009318000094039281a176c410019000\
    00000070008000000000000001a456657261a0cf00000199c82ccbb8920381a176c41001900000000070\
    008000000000000001920181a161c410000000000000000000000000000000059201c0ce000f42499194\
    81a176c41001900000000070008000000000000001c4100000000000000000000000000000000718dc00\
    109409cdfee4a17009940acdfee7a1700a940bcdfee6a1700b940ccdfee1a1700c940dcdfee0a1700d94\
    0ecdfee3a1700e940fcdfee2a1700f9410cdfefda170109411cdfefca170119412cdfeffa170129413cd\
    fefea170139414cdfef9a170149415cdfef8a170159416cdfefba170169417cdfefaa170179418cdfef5\
    a17018c3559e9a51";
/// Written by version 1 of checkpoints. These bytes may be on a disk somewhere: they never change.
const FROZEN_CHECKPOINT_V1: &str = "01dc001fc410ffffffffffffffffffffffffffffffffce000f424794c410019000000000700080000000\
    00000001a456657261b076657261406578616d706c652e6f7267ab2b34392033302031323334a464656d\
    6fa7496e766f69636591a66765726d616e9192a470616765b668747470733a2f2f6578616d706c652e6f\
    72672fc3a49192a56f72646572a23737a6616374697665a87265736f6c766564c3a573616c6573a46869\
    676892a6726566756e64a376697092c41000000000000000000000000000000005a34164619192c41000\
    000000000000000000000000000005a3416461cf00000199c82cc3e8cf00000199c82d1dc0cf00000199\
    c82d1dc0d38000000000000000ffcf7fffffffffffffff9218009318000094039281a176c41001900000\
    000070008000000000000001a456657261a0cf00000199c82ccbb8920381a176c4100190000000007000\
    8000000000000001920181a161c410000000000000000000000000000000059201c0ce000f4249919481\
    a176c41001900000000070008000000000000001c4100000000000000000000000000000000718dc0010\
    9409cdfee4a17009940acdfee7a1700a940bcdfee6a1700b940ccdfee1a1700c940dcdfee0a1700d940e\
    cdfee3a1700e940fcdfee2a1700f9410cdfefda170109411cdfefca170119412cdfeffa170129413cdfe\
    fea170139414cdfef9a170149415cdfef8a170159416cdfefba170169417cdfefaa170179418cdfef5a1\
    7018c3e93ee76e";

#[test]
fn version_2_events_keep_their_bytes() {
    let key = key("acme", 1);
    let record = encode_event(place(&key), &frozen_event()).expect("it has a stored form");
    assert_eq!(hex(&record), FROZEN_V2, "a new shape needs a new version");
    for frozen in [FROZEN_V1, FROZEN_V2] {
        let read = decode_event(place(&key), &bytes(frozen)).expect("it is read");
        assert_eq!(read, frozen_event());
    }
}

#[test]
fn version_0_events_are_upgraded() {
    let key = key("acme", 1);
    let record = bytes(FROZEN_V0);
    assert_eq!(record[0], 0);
    let read = decode_event(place(&key), &record).expect("it is upgraded");
    assert_eq!(read, frozen_event());
    // The frozen bytes are what version 0 wrote, not only something that it reads.
    let body: EventV0 = parse(&place(&key), &record[1..record.len() - 4]).expect("it parses");
    assert_eq!(hex(&seal(&place(&key), 0, &body, 0).expect("it seals")), FROZEN_V0);
}

/// A checkpoint with every part given.
fn full_checkpoint(key: &ConversationKey) -> Conversation {
    let events: Vec<Event> = bodies()
        .into_iter()
        .zip(1..)
        .filter(|(body, _)| !matches!(body, Body::Closed { .. } | Body::Reopened | Body::Archived))
        .map(|(body, _)| body)
        .zip(1..)
        .map(|(body, seq)| Event { body, ..keyed(message(seq, ""), 7, seq) })
        .collect();
    let mut state =
        Conversation::fold(key.conversation, &events).expect("it folds").expect("it begins");
    let agent = Principal::Agent(AgentId::from_u128(5));
    let ada = || AgentRef { id: AgentId::from_u128(5), name: "Ada".into() };
    state.status = Status::Active;
    state.resolution = Resolution::Resolved;
    state.agent = Some(ada());
    state.transferred = Some(Transferred { previous: Some(ada()) });
    state.offline = true;
    state.newest_by_other = Some((Seq(1), agent));
    state.first_response_at = Some(Timestamp(-1));
    state.closed_at = Some(Timestamp(i64::MAX));
    state.waiting_since = Some(Timestamp(i64::MIN));
    state.dedupe.forgotten = true;
    state
}

#[test]
fn version_2_checkpoints_keep_their_bytes() {
    let key = key("acme", 1);
    let checkpoint = full_checkpoint(&key);
    let record = encode_checkpoint(CheckpointPlace(&key), &checkpoint).expect("it has a form");
    let read = decode_checkpoint(CheckpointPlace(&key), &record).expect("it is read");
    assert_eq!(read, checkpoint);
    for (bytes_of, verified) in [(FROZEN_CHECKPOINT_V1, false), (FROZEN_CHECKPOINT_V2, true)] {
        let frozen = decode_checkpoint(CheckpointPlace(&key), &bytes(bytes_of));
        let mut frozen = frozen.expect("it is read");
        assert_eq!((frozen.number, frozen.tags.len()), (checkpoint.number, 2));
        assert_eq!(frozen.newest_by_other, checkpoint.newest_by_other);
        assert_eq!(frozen.visitor.verified, verified);
        frozen.visitor.verified = true;
        let again = encode_checkpoint(CheckpointPlace(&key), &frozen).expect("it has a form");
        assert_eq!(hex(&again), FROZEN_CHECKPOINT_V2, "a new shape needs a new version");
    }
}

/// What the release before reads. To be raised with a release, and not with a new version.
const READ_BEFORE_EVENT: u8 = 2;
const READ_BEFORE_CHECKPOINT: u8 = 2;

#[test]
fn what_is_written_is_read_by_the_release_before() {
    let key = key("acme", 1);
    let event = encode_event(place(&key), &frozen_event()).expect("it has a form");
    let checkpoint = encode_checkpoint(CheckpointPlace(&key), &full_checkpoint(&key));
    let checkpoint = checkpoint.expect("it has a form");
    assert!(event[0] <= READ_BEFORE_EVENT, "a version is read a release before it is written");
    assert!(checkpoint[0] <= READ_BEFORE_CHECKPOINT, "ditto");
}

#[test]
fn newer_versions_are_refused_by_name() {
    let key = key("acme", 1);
    let event = seal(&place(&key), 3, &"anything", 0).expect("it seals");
    let refused = decode_event(place(&key), &event);
    assert!(matches!(refused, Err(Fault::TooNew { found: 3, known: 2, .. })), "{refused:?}");
    let told = refused.expect_err("it is refused").to_string();
    assert_eq!(told, "an event record has version 3, this program reads up to 2");
    let checkpoint = seal(&CheckpointPlace(&key), 3, &"anything", 0).expect("it seals");
    let refused = decode_checkpoint(CheckpointPlace(&key), &checkpoint);
    assert!(matches!(refused, Err(Fault::TooNew { found: 3, known: 2, .. })), "{refused:?}");
}

#[test]
fn a_record_is_only_good_at_its_own_place() {
    let ours = key("acme", 1);
    let record = encode_event(place(&ours), &frozen_event()).expect("it has a stored form");
    let others = [
        EventPlace { key: &key("acm", 1), ..place(&ours) },
        EventPlace { key: &key("acme", 2), ..place(&ours) },
        EventPlace { stream: Stream::Internal, ..place(&ours) },
        EventPlace { seq: Seq(3), ..place(&ours) },
        EventPlace { epoch: 4, ..place(&ours) },
    ];
    for other in others {
        let refused = decode_event(other, &record);
        assert!(matches!(refused, Err(Fault::Damaged { .. })), "{other}: {refused:?}");
    }
    let checkpoint = encode_checkpoint(CheckpointPlace(&ours), &full_checkpoint(&ours));
    let checkpoint = checkpoint.expect("it has a stored form");
    decode_checkpoint(CheckpointPlace(&key("acme", 2)), &checkpoint).expect_err("another's");
    decode_event(place(&ours), &checkpoint).expect_err("another table's");
}

type Read<'key> = dyn Fn(&[u8]) -> Result<(), Fault> + 'key;

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let key = key("acme", 1);
    let event = encode_event(place(&key), &frozen_event()).expect("it has a stored form");
    let checkpoint = encode_checkpoint(CheckpointPlace(&key), &full_checkpoint(&key));
    let checkpoint = checkpoint.expect("it has a stored form");
    let read_event = |record: &[u8]| decode_event(place(&key), record).map(drop);
    let read_checkpoint =
        |record: &[u8]| decode_checkpoint(CheckpointPlace(&key), record).map(drop);
    let cases: [(_, &Read<'_>); 2] = [(event, &read_event), (checkpoint, &read_checkpoint)];
    for (record, read) in cases {
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let outcome = read(&flipped);
            assert!(matches!(outcome, Err(Fault::Damaged { .. })), "bit {bit}: {outcome:?}");
        }
        for cut in 0..record.len() {
            let outcome = read(&record[..cut]);
            assert!(matches!(outcome, Err(Fault::Damaged { .. })), "cut {cut}: {outcome:?}");
        }
        read(&record).expect("the whole record is read");
    }
}

#[test]
fn a_fault_names_the_place() {
    let key = key("acme", 1);
    let fault = decode_event(place(&key), b"nonsense").expect_err("it is no record");
    let text = fault.to_string();
    assert!(text.contains("event acme/") && text.contains("/Public/2"), "{text}");
}

fn any_text() -> impl Strategy<Value = Arc<str>> {
    any::<String>().prop_map(Arc::from)
}

fn any_principal() -> impl Strategy<Value = Principal> {
    use switchboard_domain::ids::VisitorId;
    prop_oneof![
        any::<u128>().prop_map(|id| Principal::Visitor(VisitorId::from_u128(id))),
        any::<u128>().prop_map(|id| Principal::Agent(AgentId::from_u128(id))),
        any::<u128>().prop_map(|id| Principal::Bot(AgentId::from_u128(id))),
        Just(Principal::System),
    ]
}

fn any_body() -> impl Strategy<Value = Body> {
    prop_oneof![
        proptest::sample::select(bodies()),
        (any_text(), proptest::collection::vec(any_text(), 0..4))
            .prop_map(|(text, files)| Body::Message { text, files }),
        (any_text(), any::<bool>()).prop_map(|(text, transfer)| Body::Note { text, transfer }),
        (any::<u64>(), any_text()).prop_map(|(seq, text)| Body::Edited { seq: Seq(seq), text }),
    ]
}

prop_compose! {
    fn any_event()(
        internal in any::<bool>(),
        (seq, public_head, id, at) in any::<(u64, u64, u128, i64)>(),
        (principal, name) in (any_principal(), proptest::option::of(any_text())),
        key in proptest::option::of(any::<(u128, u64, u64)>()),
        (visitor, agent, system) in any::<(u32, u32, u32)>(),
        body in any_body(),
    ) -> Event {
        Event {
            stream: if internal { Stream::Internal } else { Stream::Public },
            seq: Seq(seq),
            public_head: Seq(public_head),
            id: EventId::from_u128(id),
            at: Timestamp(at),
            from: Author { principal, name },
            key: key.map(|(device, n, digest)| {
                SendKey { device: DeviceId::from_u128(device), n, digest }
            }),
            ordinals: Ordinals { visitor, agent, system },
            body,
        }
    }
}

proptest! {
    #[test]
    fn events_are_read_as_written(event in any_event(), epoch in any::<u64>()) {
        let key = key("acme", 1);
        let place = EventPlace { key: &key, stream: event.stream, seq: event.seq, epoch };
        let record = encode_event(place, &event).expect("every event has a stored form");
        prop_assert_eq!(decode_event(place, &record).expect("it is read"), event);
    }

    #[test]
    fn garbage_is_refused_and_never_panics(garbage in any::<Vec<u8>>(), version in 0..4_u8) {
        let key = key("acme", 1);
        prop_assert!(decode_event(place(&key), &garbage).is_err());
        prop_assert!(decode_checkpoint(CheckpointPlace(&key), &garbage).is_err());
        // Behind a checksum that holds, too.
        let sealed = sealed(&place(&key), version, &garbage);
        prop_assert!(decode_event(place(&key), &sealed).is_err());
        let sealed = self::sealed(&CheckpointPlace(&key), version, &garbage);
        prop_assert!(decode_checkpoint(CheckpointPlace(&key), &sealed).is_err());
    }

    #[test]
    fn bent_records_never_panic(event in any_event(), at in any::<usize>(), with in any::<u8>()) {
        let key = key("acme", 1);
        let place = EventPlace { key: &key, stream: event.stream, seq: event.seq, epoch: 0 };
        let record = encode_event(place, &event).expect("every event has a stored form");
        let mut body = record[1..record.len() - 4].to_vec();
        let at = at % body.len();
        body[at] ^= with;
        // The checksum holds, so the body may be anything, also another true event.
        drop(decode_event(place, &sealed(&place, 1, &body)));
    }
}

fn sealed(place: &dyn Place, version: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![version];
    record.extend_from_slice(body);
    let sum = super::checksum(place, &record);
    record.extend_from_slice(&sum.to_le_bytes());
    record
}

/// The stored forms, field by field and kind by kind. What a release has written never changes: a
/// new field or kind comes with a new version, which the release before reads.
#[test]
fn what_is_stored_belongs_to_the_version() {
    let sources =
        [include_str!("event.rs"), include_str!("part.rs"), include_str!("checkpoint.rs")];
    let stored: Vec<String> = sources.into_iter().flat_map(forms_in).collect();
    let frozen: Vec<&str> = include_str!("forms.txt").lines().collect();
    assert_eq!(stored, frozen, "is it a new version?");
    assert_eq!((EVENT_VERSION, CHECKPOINT_VERSION), (2, 2), "what they brought is to be frozen");
}

/// The structs and enums of a source with what is said of their names, a line each.
fn forms_in(source: &str) -> Vec<String> {
    let mut forms = Vec::new();
    let mut form = String::new();
    for line in source.lines() {
        let is_form = ["struct ", "enum "]
            .iter()
            .any(|it| line.trim_start_matches("pub(super) ").starts_with(it));
        if !is_form && form.is_empty() && !line.starts_with("#[serde") {
            continue;
        }
        if !line.trim_start().starts_with("//") {
            form.push_str(line.trim());
            form.push(' ');
        }
        if line == "}" || line.ends_with(';') {
            forms.push(form.trim_end().to_owned());
            form.clear();
        }
    }
    forms
}
