//! The machine under random requests: what must hold of every history.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fixture::*;
use super::*;
use crate::ids::{EventId, Number, Seq, Timestamp};
use crate::invariant::{
    Attempt, Outcome, p1_durable_ack, p4_unknown_outcome, p7_bounded_state, p8_contained,
    p13_visitor_sees, whole_history,
};
use crate::person::{Caller, Principal, Side};
use crate::receipt::Receipt;

/// Somebody asks for something.
#[derive(Clone, Debug)]
struct Act {
    caller: Caller,
    what: What,
    /// Under the next number of this device; `None` asks without a key.
    device: Option<u128>,
    /// How often the same is sent once more.
    n_retries: usize,
    /// How the clock moved; it may run backwards.
    clock_ms: i64,
}

#[derive(Clone, Debug)]
enum What {
    Plain(Command),
    Edit(Stream, u64),
    Redact(Stream, u64),
}

fn people() -> impl Strategy<Value = Caller> {
    prop_oneof![
        4 => Just(vera()),
        1 => Just(otto()),
        4 => Just(ben()),
        2 => Just(cyd()),
        2 => Just(sue()),
        1 => Just(bot()),
        3 => Just(Caller::SYSTEM),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let text = || prop_oneof![Just("hi"), Just("a\u{7}b"), Just(" "), Just("two\nlines")];
    let agents = || prop_oneof![Just(ben()), Just(cyd()), Just(sue()), Just(bot())];
    let head = prop::option::of((0..40_u64).prop_map(Seq));
    prop_oneof![
        8 => (text(), head).prop_map(|(text, if_head)| Command::Send {
            text: text.into(), files: Vec::new(), if_head,
        }),
        3 => text().prop_map(note),
        1 => text().prop_map(|text| Command::Whisper { text: text.into() }),
        4 => agents().prop_map(|agent| accept(&agent)),
        1 => agents().prop_map(|agent| Command::Take { agent: agent_ref(&agent) }),
        2 => agents().prop_map(|agent| assign(&agent)),
        2 => agents().prop_map(|agent| route(&agent)),
        1 => Just(Command::Unassign),
        1 => Just(Command::Requeue),
        3 => (agents(), text()).prop_map(|(agent, text)| hand_to(&agent, text)),
        1 => text().prop_map(|text| hand_to_department("sales", text)),
        2 => Just(Command::RefuseTransfer),
        1 => Just(close()),
        1 => Just(resolve()),
        2 => prop::option::of(agents()).prop_map(|agent| Command::Reopen {
            agent: agent.as_ref().map(agent_ref),
        }),
        1 => prop::bool::weighted(0.2).prop_map(|rarely| if rarely { Command::Archive } else { reopen() }),
        1 => prop_oneof![Just(Priority::Low), Just(Priority::Urgent)]
            .prop_map(|priority| Command::Prioritise { priority }),
        1 => prop::option::of(Just(department("billing")))
            .prop_map(|department| Command::SetDepartment { department }),
        1 => Just(tag(&["vip"])),
        1 => (0..7_u8).prop_map(|score| Command::Rate(Rating { score, comment: None })),
        1 => (0..3_u64).prop_map(|n| Command::LinkTicket { ticket: Number(n) }),
        1 => Just(Command::GoOffline),
        1 => Just(Command::AnnounceAgent { text: "here".into() }),
        1 => Just(Command::LeaveLine),
        1 => Just(Command::ReturnToLine),
        1 => Just(Command::Watch),
        1 => Just(create()),
    ]
}

fn act(devices: std::ops::Range<u128>) -> impl Strategy<Value = Act> {
    let stream = || prop_oneof![2 => Just(Stream::Public), 1 => Just(Stream::Internal)];
    let what = prop_oneof![
        10 => command().prop_map(What::Plain),
        1 => (stream(), 1..30_u64).prop_map(|(stream, seq)| What::Edit(stream, seq)),
        1 => (stream(), 1..30_u64).prop_map(|(stream, seq)| What::Redact(stream, seq)),
    ];
    (people(), what, prop::option::of(devices), 0..3_usize, -2_000..20_000_i64).prop_map(
        |(caller, what, device, n_retries, clock_ms)| Act {
            caller,
            what,
            device,
            n_retries,
            clock_ms,
        },
    )
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(act(0..2), 1..80)
}

/// A conversation, and clients that number their keyed requests and remember what they heard.
struct Scene {
    chat: Chat,
    last_n: BTreeMap<(Principal, u128), u64>,
    attempts: Vec<Attempt>,
}

impl Scene {
    fn new() -> Self {
        Self { chat: Chat::given(&[]), last_n: BTreeMap::new(), attempts: Vec::new() }
    }

    fn played(acts: &[Act]) -> Result<Self, TestCaseError> {
        let mut scene = Self::new();
        acts.iter().try_for_each(|act| scene.play(act))?;
        Ok(scene)
    }

    fn play(&mut self, act: &Act) -> Result<(), TestCaseError> {
        self.chat.now = self.chat.now.plus_ms(act.clock_ms);
        let command = match &act.what {
            What::Plain(command) => command.clone(),
            What::Edit(stream, seq) => self.chat.edit(*stream, *seq, "edited"),
            What::Redact(stream, seq) => self.chat.redact(*stream, *seq),
        };
        let principal = act.caller.author.principal;
        let key = act.device.map(|device| {
            let n = self.last_n.get(&(principal, device)).copied().unwrap_or(0) + 1;
            key(device, n, n)
        });
        let first = self.ask(act, key, &command)?;
        let Some(key) = key else { return Ok(()) };
        for _ in 0..act.n_retries {
            let n_before = self.chat.log.len();
            let again = self.ask(act, Some(key), &command)?;
            if first.is_some() {
                prop_assert_eq!(again, first, "P3: another position");
                prop_assert_eq!(self.chat.log.len(), n_before, "P3: stored again");
            }
            if again.is_some() {
                break;
            }
        }
        if let Some(device) = act.device
            && self.attempts.iter().any(|it| {
                it.key == key && it.principal == principal && it.outcome != Outcome::Refused
            })
        {
            self.last_n.insert((principal, device), key.n);
        }
        Ok(())
    }

    /// Asks, and answers where the request is stored; `None` when refused or a no-op.
    fn ask(
        &mut self,
        act: &Act,
        key: Option<SendKey>,
        command: &Command,
    ) -> Result<Option<(Stream, Seq)>, TestCaseError> {
        let (n_before, before) = (self.chat.log.len(), facts(self.chat.state()));
        let answer = self.chat.ask(&act.caller, key, command.clone());
        let stored = match &answer {
            Ok(Answer::Stored(events)) => {
                if let Some(first) = events.first() {
                    prop_assert_eq!(&first.from, &act.caller.author, "the first is the caller's");
                    prop_assert_eq!(first.key, key);
                }
                prop_assert!(events.iter().skip(1).all(|event| event.key.is_none()));
                events.first().map(|event| (event.stream, event.seq))
            }
            Ok(Answer::Duplicate(stream, seq)) => Some((*stream, *seq)),
            Err(_) => {
                prop_assert_eq!(self.chat.log.len(), n_before, "P4: a refusal stored something");
                prop_assert_eq!(
                    facts(self.chat.state()),
                    before,
                    "P4: a refusal changed something"
                );
                None
            }
        };
        if let Some(key) = key {
            let outcome = stored.map_or(Outcome::Refused, |(stream, seq)| Outcome::Acked {
                stream,
                seq,
                id: self.id_at(stream, seq),
            });
            self.attempts.push(Attempt { principal: act.caller.author.principal, key, outcome });
        }
        Ok(stored)
    }

    fn id_at(&self, stream: Stream, seq: Seq) -> EventId {
        let found = self.chat.log.iter().find(|event| event.stream == stream && event.seq == seq);
        found.expect("what was acked is in the log").id
    }
}

/// A state without its memory of keys, which a look-up may refresh.
fn facts(state: &Conversation) -> Conversation {
    Conversation { dedupe: Dedupe::default(), ..state.clone() }
}

fn kept(verdict: crate::invariant::Verdict) -> Result<(), TestCaseError> {
    verdict.map_err(|violation| TestCaseError::fail(violation.to_string()))
}

/// What must agree within any state.
fn check_state(state: &Conversation) -> Result<(), TestCaseError> {
    let is_closed = matches!(state.status, Status::Closed | Status::Archived);
    prop_assert_eq!(state.agent.is_some(), state.status == Status::Active);
    prop_assert!(state.waiting_since.is_none() || state.status == Status::Waiting);
    prop_assert_eq!(state.closed_at.is_some(), is_closed);
    prop_assert!(state.transferred.is_none() || state.status == Status::Active);
    prop_assert!(!state.offline || state.status == Status::Waiting);
    prop_assert!(state.resolution == Resolution::None || is_closed);
    prop_assert!(state.last_public_at <= state.last_at);
    kept(p7_bounded_state(state))
}

fn public_messages(log: &[Event]) -> impl DoubleEndedIterator<Item = &Event> {
    log.iter().filter(|event| matches!(event.body, Body::Message { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// P1 to P4, P7, P8, P11 to P13 of whatever people ask for, retries included.
    #[test]
    fn every_history_keeps_the_promises(acts in acts()) {
        let mut scene = Scene::new();
        for act in &acts {
            scene.play(act)?;
            check_state(scene.chat.state())?;
        }
        let Scene { chat, attempts, .. } = scene;
        kept(whole_history(&chat.log))?;
        kept(p1_durable_ack(&chat.log, &attempts))?;
        kept(p4_unknown_outcome(&chat.log, &attempts))?;
        kept(p8_contained(ID, chat.state(), &chat.log))?;
    }

    /// A checkpoint at any moment and the events after it are the whole.
    #[test]
    fn a_checkpoint_and_the_tail_are_the_fold(acts in acts(), cut in any::<prop::sample::Index>()) {
        let chat = Scene::played(&acts)?.chat;
        let cut = 1 + cut.index(chat.log.len());
        let checkpoint = Conversation::fold(ID, &chat.log[..cut]).expect("a prefix is in order");
        let mut state = checkpoint.expect("it has begun");
        for event in &chat.log[cut..] {
            prop_assert_eq!(state.apply(event), Ok(()));
        }
        prop_assert_eq!(&state, chat.state());
        for event in &chat.log {
            prop_assert!(state.apply(event).is_err(), "applied twice");
        }
        prop_assert_eq!(&state, chat.state(), "a refused event left a trace");
    }

    /// P13: what visitors see of a conversation is the same if nothing internal ever happened.
    #[test]
    fn the_public_stream_stands_alone(acts in acts()) {
        let chat = Scene::played(&acts)?.chat;
        let public: Vec<Event> = chat.log.iter().filter(|it| it.stream == Stream::Public).cloned().collect();
        kept(p13_visitor_sees(&public))?;
        let alone = Conversation::fold(ID, &public).expect("in order").expect("it has begun");
        let all = chat.state();
        prop_assert_eq!(alone.heads.public, all.heads.public);
        prop_assert_eq!((alone.status, alone.resolution, alone.offline), (all.status, all.resolution, all.offline));
        prop_assert_eq!((&alone.agent, &alone.transferred), (&all.agent, &all.transferred));
        prop_assert_eq!((&alone.last, alone.ordinals), (&all.last, all.ordinals));
        prop_assert_eq!((alone.newest, alone.newest_by_other), (all.newest, all.newest_by_other));
        prop_assert_eq!((alone.last_public_at, alone.waiting_since), (all.last_public_at, all.waiting_since));
        prop_assert_eq!((&alone.rating, alone.closed_at), (&all.rating, all.closed_at));
    }

    /// P12: unread counts and the newest message by others are what a scan of the log counts.
    #[test]
    fn counts_are_what_a_scan_counts(acts in acts(), read in any::<prop::sample::Index>()) {
        let chat = Scene::played(&acts)?.chat;
        let state = chat.state();
        let public: Vec<&Event> = chat.log.iter().filter(|it| it.stream == Stream::Public).collect();
        let read = public[read.index(public.len())];
        let mut receipt = Receipt::default();
        receipt.read(read.seq, read.ordinals, read.at);
        for (reader, writer) in [(Side::Visitor, Side::Agent), (Side::Agent, Side::Visitor)] {
            let scanned = public_messages(&chat.log)
                .filter(|event| event.seq > read.seq && event.from.principal.side() == writer)
                .count();
            prop_assert_eq!(receipt.unread(reader, state.ordinals), u32::try_from(scanned).unwrap());
        }
        for caller in [vera(), ben(), cyd(), sue(), Caller::SYSTEM] {
            let principal = caller.author.principal;
            let scanned = public_messages(&chat.log)
                .rev()
                .find(|event| event.from.principal != principal)
                .map(|event| event.seq);
            prop_assert_eq!(state.newest_by_others(principal), scanned);
        }
    }

    /// P3 when devices are forgotten: any old request, asked again, is answered as at first.
    #[test]
    fn old_keys_are_answered_whatever_was_forgotten(
        acts in prop::collection::vec(act(0..8), 40..120),
        again in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let mut scene = Scene::played(&acts)?;
        let keyed: Vec<Event> = scene.chat.log.iter().filter(|it| it.key.is_some()).cloned().collect();
        if keyed.is_empty() {
            return Ok(());
        }
        let before = scene.chat.log.clone();
        for idx in again {
            let event = &keyed[idx.index(keyed.len())];
            let caller = Caller { author: event.from.clone(), role: crate::person::Role::Agent };
            let answer = scene.chat.ask(&caller, event.key, say("again"));
            prop_assert_eq!(answer, Ok(Answer::Duplicate(event.stream, event.seq)));
            let other = event.key.map(|key| SendKey { digest: key.digest + 1, ..key });
            let answer = scene.chat.ask(&caller, other, say("other"));
            prop_assert_eq!(answer, Err(Rejection::Conflict));
        }
        prop_assert_eq!(&scene.chat.log, &before);
        let folded = Conversation::fold(ID, &before).expect("in order").expect("it has begun");
        prop_assert_eq!(facts(scene.chat.state()), facts(&folded));
    }

    /// Applying is total: any body in the next place is taken in, and the parts still agree.
    #[test]
    fn any_event_in_its_place_can_be_applied(
        acts in acts(),
        others in acts(),
        at in any::<i64>(),
    ) {
        let mut state = Scene::played(&acts)?.chat.state().clone();
        for event in Scene::played(&others)?.chat.log {
            let mut heads = state.heads;
            heads.advance(event.stream);
            let event = Event {
                seq: heads.of(event.stream),
                public_head: heads.public,
                at: Timestamp(at),
                ..event
            };
            prop_assert_eq!(state.apply(&event), Ok(()));
            check_state(&state)?;
        }
    }
}
