//! People, requests and a shell as small as can be, for the tests of this crate.

use std::sync::Arc;

use super::{
    Command, Contact, Conversation, Created, Event, Known, Rejection, Request, Resolution, SendKey,
    Start, Stream, Target, TransferTarget, decide, stamp,
};
use crate::ids::{
    AgentId, ConversationId, DepartmentId, DeviceId, EventId, LogId, Number, Seq, Timestamp,
    VisitorId,
};
use crate::person::{AgentRef, Author, Caller, Principal, Role};

pub(crate) const ID: ConversationId = ConversationId::from_u128(1);
pub(crate) const START: Timestamp = Timestamp(1_000_000);

pub(crate) fn caller(principal: Principal, role: Role, name: &str) -> Caller {
    Caller { author: Author { principal, name: Some(name.into()) }, role }
}

/// The visitor whose conversation it is.
pub(crate) fn vera() -> Caller {
    caller(Principal::Visitor(VisitorId::from_u128(10)), Role::Visitor, "Vera")
}

/// Another visitor.
pub(crate) fn otto() -> Caller {
    caller(Principal::Visitor(VisitorId::from_u128(11)), Role::Visitor, "Otto")
}

/// An agent.
pub(crate) fn ben() -> Caller {
    caller(Principal::Agent(AgentId::from_u128(20)), Role::Agent, "Ben")
}

/// Another agent.
pub(crate) fn cyd() -> Caller {
    caller(Principal::Agent(AgentId::from_u128(21)), Role::Agent, "Cyd")
}

/// A supervisor.
pub(crate) fn sue() -> Caller {
    caller(Principal::Agent(AgentId::from_u128(22)), Role::Supervisor, "Sue")
}

/// An agent that is code.
pub(crate) fn bot() -> Caller {
    caller(Principal::Bot(AgentId::from_u128(23)), Role::Agent, "Bot")
}

/// Somebody with an agent's id and a visitor's rights.
pub(crate) fn nobody() -> Caller {
    caller(Principal::Agent(AgentId::from_u128(24)), Role::Visitor, "Nobody")
}

pub(crate) fn agent_ref(caller: &Caller) -> AgentRef {
    AgentRef {
        id: caller.author.principal.agent().expect("the fixture is an agent"),
        name: caller.author.name.clone().expect("fixtures have names"),
    }
}

pub(crate) fn created() -> Created {
    let Principal::Visitor(id) = vera().author.principal else { unreachable!("a visitor") };
    Created::by(
        Contact { name: Some("Vera".into()), ..Contact::anonymous(id) },
        LogId::from_u128(100),
        Number(1_000_000),
    )
}

pub(crate) fn create() -> Command {
    Command::Create {
        created: Box::new(created()),
        welcome: None,
        message: None,
        start: Start::Waiting,
    }
}

pub(crate) fn say(text: &str) -> Command {
    Command::Send { text: text.into(), files: Vec::new(), if_head: None }
}

pub(crate) fn say_after(text: &str, head: u64) -> Command {
    Command::Send { text: text.into(), files: Vec::new(), if_head: Some(Seq(head)) }
}

pub(crate) fn note(text: &str) -> Command {
    Command::Note { text: text.into() }
}

pub(crate) fn accept(caller: &Caller) -> Command {
    Command::Accept { agent: agent_ref(caller) }
}

pub(crate) fn assign(caller: &Caller) -> Command {
    Command::Assign { agent: agent_ref(caller) }
}

pub(crate) fn route(caller: &Caller) -> Command {
    Command::Route { agent: agent_ref(caller) }
}

pub(crate) fn department(name: &str) -> DepartmentId {
    DepartmentId(name.into())
}

pub(crate) fn hand_to(caller: &Caller, reason: &str) -> Command {
    let to = TransferTarget::Agent(agent_ref(caller));
    Command::Transfer { to, reason: reason.into() }
}

pub(crate) fn hand_to_department(name: &str, reason: &str) -> Command {
    let to = TransferTarget::Department(department(name));
    Command::Transfer { to, reason: reason.into() }
}

pub(crate) fn close() -> Command {
    Command::Close { resolution: Resolution::None }
}

pub(crate) fn resolve() -> Command {
    Command::Close { resolution: Resolution::Resolved }
}

pub(crate) fn reopen() -> Command {
    Command::Reopen { agent: None }
}

pub(crate) fn tag(tags: &[&str]) -> Command {
    Command::Tag { tags: tags.iter().map(|tag| (*tag).into()).collect() }
}

pub(crate) fn key(device: u128, n: u64, digest: u64) -> SendKey {
    SendKey { device: DeviceId::from_u128(device), n, digest }
}

/// What the shell answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Stored now; empty for a no-op.
    Stored(Vec<Event>),
    /// Stored before, here.
    Duplicate(Stream, Seq),
}

/// A conversation and its log, asked as the shell asks: safe retry, decide, stamp, append, apply.
#[derive(Clone, Debug)]
pub(crate) struct Chat {
    pub(crate) state: Option<Conversation>,
    pub(crate) log: Vec<Event>,
    pub(crate) now: Timestamp,
    /// How often the log was searched for a key.
    pub(crate) n_look_ups: usize,
}

impl Chat {
    /// Without events.
    pub(crate) fn empty() -> Self {
        Self { state: None, log: Vec::new(), now: START, n_look_ups: 0 }
    }

    /// Begun by Vera, then asked for `given` in turn, which must be allowed.
    pub(crate) fn given(given: &[(Caller, Command)]) -> Self {
        let mut chat = Self::empty();
        chat.must(&vera(), create());
        for (caller, command) in given {
            chat.must(caller, command.clone());
        }
        chat
    }

    pub(crate) fn state(&self) -> &Conversation {
        self.state.as_ref().expect("the conversation has begun")
    }

    /// Asks without a key for what must be allowed.
    #[expect(clippy::needless_pass_by_value, reason = "commands are written in place")]
    pub(crate) fn must(&mut self, caller: &Caller, command: Command) -> Vec<Event> {
        match self.ask(caller, None, command.clone()) {
            Ok(Answer::Stored(events)) => events,
            other => panic!("{command:?} answered {other:?}"),
        }
    }

    pub(crate) fn ask(
        &mut self,
        caller: &Caller,
        key: Option<SendKey>,
        command: Command,
    ) -> Result<Answer, Rejection> {
        self.now = self.now.plus_ms(1);
        if let Some(key) = key {
            match self.known(caller.author.principal, key) {
                Known::Fresh => {}
                Known::Duplicate(sent) => return Ok(Answer::Duplicate(sent.stream, sent.seq)),
                Known::Conflict => return Err(Rejection::Conflict),
                Known::Gap { expect } => return Err(Rejection::Gap { expect }),
                Known::LookUp => panic!("a look-up asks for another"),
            }
        }
        let request = Request { caller: caller.clone(), key, command };
        let drafts = decide(self.state.as_ref(), ID, &request, self.now)?;
        let first_id = self.log.len();
        let mut n_ids = 0;
        let events = stamp(self.state.as_ref(), drafts, key, self.now, || {
            n_ids += 1;
            EventId::from_u128(u128::try_from(first_id + n_ids).expect("a small number"))
        });
        for event in &events {
            self.log.push(event.clone());
            match &mut self.state {
                None => self.state = Conversation::begin(ID, event),
                Some(state) => state.apply(event).expect("stamped in order"),
            }
        }
        Ok(Answer::Stored(events))
    }

    /// What the log says of a message or note, as the shell looks it up.
    pub(crate) fn target(&self, stream: Stream, seq: u64) -> Target {
        use super::Body;
        let seq = Seq(seq);
        let found = self.log.iter().find(|event| {
            let is_text = matches!(
                event.body,
                Body::Message { .. } | Body::Note { .. } | Body::Whisper { .. }
            );
            is_text && event.stream == stream && event.seq == seq
        });
        Target {
            seq,
            author: found.map(|event| event.from.clone()),
            at: found.map_or(Timestamp(0), |event| event.at),
            redacted: self
                .log
                .iter()
                .any(|event| event.stream == stream && event.body == Body::Redacted { seq }),
        }
    }

    pub(crate) fn edit(&self, stream: Stream, seq: u64, text: &str) -> Command {
        let text: Arc<str> = text.into();
        Command::Edit { stream, target: self.target(stream, seq), text }
    }

    pub(crate) fn redact(&self, stream: Stream, seq: u64) -> Command {
        Command::Redact { stream, target: self.target(stream, seq) }
    }

    fn known(&mut self, principal: Principal, key: SendKey) -> Known {
        let Some(state) = &mut self.state else {
            return super::Dedupe::default().check(principal, key);
        };
        match state.dedupe.check(principal, key) {
            Known::LookUp => {
                self.n_look_ups += 1;
                let sends = self.log.iter().filter_map(|event| {
                    let found = event.key.filter(|it| it.device == key.device)?;
                    let Event { stream, seq, .. } = *event;
                    let sent = super::Sent { n: found.n, digest: found.digest, stream, seq };
                    (event.from.principal == principal).then_some(sent)
                });
                let sends: Vec<_> = sends.collect();
                let last_n = sends.iter().map(|sent| sent.n).max().unwrap_or(0);
                let sent = sends.into_iter().find(|sent| sent.n == key.n);
                state.dedupe.remember(principal, key, last_n, sent)
            }
            known @ (Known::Fresh | Known::Duplicate(_) | Known::Conflict | Known::Gap { .. }) => {
                known
            }
        }
    }
}
