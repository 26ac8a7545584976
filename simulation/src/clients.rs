//! Those who talk: senders that try again under the same key until they know, and readers. And those
//! who wait to be served, and who serves them.

pub(crate) mod desks;
pub(crate) mod newcomers;
pub(crate) mod reader;

use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::{Done, Refusal, Stored};
use switchboard_domain::conversation::{Command, Rejection, Request, SendKey};
use switchboard_domain::person::Caller;
use switchboard_loadtest::history::{Key, Op, Seen, Stream};
use switchboard_store::{ConversationKey, Fault};

use self::desks::{Acked, Desk, Tally};
use self::newcomers::Newcomer;
use self::reader::Reader;
use crate::node::Effect;
use crate::people;
use crate::world::World;

/// How long a client waits for an answer before it turns to another node.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long it takes to notice that a connection is gone.
const NOTICES_WITHIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(60));
/// How long a sender thinks before it says the next thing.
const THINKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(700));
/// How long it waits before it tries again.
const TRIES_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(900));
/// How long the first things may take that make a conversation.
const BEGINS_WITHIN: Duration = Duration::from_secs(60);

/// What somebody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Visitor,
    Agent,
    Note,
}

/// Who sends one kind of thing to one conversation, one after another.
#[derive(Debug)]
struct Sender {
    conversation: u32,
    kind: Kind,
    /// The newest thing that it says.
    n: u64,
    /// Whether it does not know what became of that.
    is_unsure: bool,
    at: usize,
    /// Which attempt of all its attempts is under way.
    attempt: u64,
    /// Whether an answer to it is awaited, and by which life of a node.
    awaits: Option<Option<u64>>,
}

impl Sender {
    fn caller(&self) -> Caller {
        match self.kind {
            Kind::Visitor => people::visitor(self.conversation),
            Kind::Agent | Kind::Note => people::agent(),
        }
    }

    const fn stream(&self) -> Stream {
        match self.kind {
            Kind::Visitor | Kind::Agent => Stream::Public,
            Kind::Note => Stream::Internal,
        }
    }
}

/// All who talk, and what they saw.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) conversations: u32,
    senders: Vec<Sender>,
    readers: Vec<Reader>,
    pub(crate) desks: Vec<Desk>,
    pub(crate) newcomers: Vec<Newcomer>,
    connections: u32,
    /// What agents did, and what of it they were told is stored.
    pub(crate) tally: Tally,
    pub(crate) acked: Vec<Acked>,
    pub(crate) history: Vec<Op>,
    /// What no client should ever be told.
    pub(crate) surprises: Vec<String>,
    /// Conversations that are made, and taken by their agent.
    begun: u32,
    /// Whether new things are said.
    are_talking: bool,
    /// What a node showed in the end.
    pub(crate) finals: Option<Vec<Vec<Seen>>>,
}

impl Clients {
    pub(crate) fn new(conversations: u32, agents: usize) -> Self {
        Self {
            conversations,
            senders: Vec::new(),
            readers: Vec::new(),
            desks: (0..agents).map(Desk::new).collect(),
            newcomers: Vec::new(),
            connections: 0,
            tally: Tally::default(),
            acked: Vec::new(),
            history: Vec::new(),
            surprises: Vec::new(),
            begun: 0,
            are_talking: true,
            finals: None,
        }
    }

    /// Whether everything that was said is known to be stored.
    pub(crate) fn are_sure(&self) -> bool {
        self.senders.iter().all(|sender| !sender.is_unsure)
    }

    pub(crate) fn stop_talking(&mut self) {
        self.are_talking = false;
    }

    fn surprise(&mut self, what: String) {
        self.surprises.push(what);
    }
}

impl World {
    /// Makes the conversations, and lets everybody begin.
    pub(crate) fn serve_clients(&mut self) {
        let count = self.nodes();
        self.until(BEGINS_WITHIN, |world| (0..count).all(|idx| world.serves(idx)));
        for conversation in 0..self.clients.conversations {
            self.begin(conversation, 0);
        }
        self.until(BEGINS_WITHIN, |world| world.clients.begun == world.clients.conversations);
        for conversation in 0..self.clients.conversations {
            for kind in [Kind::Visitor, Kind::Agent, Kind::Note] {
                let at = self.rng.index(count);
                let n = 0;
                let (is_unsure, attempt, awaits) = (false, 0, None);
                let sender = Sender { conversation, kind, n, is_unsure, at, attempt, awaits };
                self.clients.senders.push(sender);
                self.think(self.clients.senders.len() - 1);
            }
            self.begin_reading(conversation);
        }
        self.open_desks();
        self.let_come();
    }

    /// Begins a conversation, step by step; each until it is done.
    fn begin(&mut self, conversation: u32, step: u64) {
        let (caller, command) = match step {
            0 => (people::visitor(conversation), people::create(conversation, None)),
            1 => (people::agent(), people::accept()),
            _ => {
                self.clients.begun += 1;
                return;
            }
        };
        let key = people::key(conversation);
        let request = Request { caller, key: None, command };
        let at = self.rng.index(self.nodes());
        let asked = self.ask(at, key, request, move |world, result| match result {
            Ok(_) | Err(Refusal::Rejected(Rejection::Exists)) => {
                world.begin(conversation, step + 1);
            }
            Err(_) => {
                world.after(TRIES_AGAIN.1, move |world| world.begin(conversation, step));
            }
        });
        if !asked {
            self.after(TRIES_AGAIN.1, move |world| world.begin(conversation, step));
        }
    }

    /// Asks at a node, and does something with its answer when that arrives; whether it is there.
    fn ask(
        &mut self,
        at: usize,
        key: ConversationKey,
        request: Request,
        then: impl FnOnce(&mut Self, Result<Done, Refusal>) + Send + 'static,
    ) -> bool {
        self.visit(at, move |doors, outbox| async move {
            let result = doors.conversations.ask(&key, request).await;
            outbox.lock().push(Effect::Tell(Box::new(move |world| then(world, result))));
        })
    }

    /// The same of something that is sent, as a door does that wakes nobody for the answer.
    fn send(
        &mut self,
        at: usize,
        key: ConversationKey,
        request: Request,
        then: impl FnOnce(&mut Self, Result<Stored, Refusal>) + Send + 'static,
    ) -> bool {
        self.visit(at, move |doors, outbox| async move {
            doors.conversations.ask_then(&key, request, move |result| {
                outbox.lock().push(Effect::Tell(Box::new(move |world| then(world, result))));
            });
        })
    }

    fn think(&mut self, idx: usize) {
        let wait = self.rng.between(THINKS.0, THINKS.1);
        self.after(wait, move |world| world.say(idx));
    }

    /// Says the next thing.
    fn say(&mut self, idx: usize) {
        if !self.clients.are_talking {
            return;
        }
        if let Some(sender) = self.clients.senders.get_mut(idx) {
            sender.n += 1;
            sender.is_unsure = true;
        }
        self.try_to_say(idx);
    }

    /// Sends the newest thing, for the first time or again.
    fn try_to_say(&mut self, idx: usize) {
        let Some(sender) = self.clients.senders.get_mut(idx) else { return };
        sender.attempt += 1;
        let (attempt, at) = (sender.attempt, sender.at);
        let (key, stream) = (key_of(idx, sender), sender.stream());
        let text = format!("{} {} {}", key.conversation, key.sender, key.n);
        let command = command(sender.kind, &text);
        let request = Request { caller: sender.caller(), key: Some(send_key(key)), command };
        let conversation = people::key(sender.conversation);
        let (at_us, text) = (self.now_us(), Arc::from(text));
        self.clients.history.push(Op::Attempt { at_us, key, stream, text });
        let life = self.life_of(at);
        let asked = self.send(at, conversation, request, move |world, result| {
            world.answered(idx, attempt, key, result);
        });
        if let Some(sender) = self.clients.senders.get_mut(idx) {
            sender.awaits = Some(life.filter(|_| asked));
        }
        let patience =
            if asked { PATIENCE } else { self.rng.between(NOTICES_WITHIN.0, NOTICES_WITHIN.1) };
        self.after(patience, move |world| world.give_up(idx, attempt));
    }

    /// An answer came; perhaps to an attempt that was given up meanwhile.
    fn answered(&mut self, idx: usize, attempt: u64, key: Key, result: Result<Stored, Refusal>) {
        self.trace(format_args!(
            "{key:?} {}",
            told(result.as_ref().map(|stored| stored.duplicate))
        ));
        let is_awaited = self.is_awaited(idx, attempt);
        match result {
            Ok(stored) => {
                let Some(placed) = stored.placed else {
                    return self.clients.surprise(format!("{key:?} was acked without an event"));
                };
                let (at_us, seq) = (self.now_us(), placed.seq.0);
                let id = placed.id.uuid().to_string().into();
                self.clients.history.push(Op::Acked { at_us, key, seq, id });
                if is_awaited && let Some(sender) = self.clients.senders.get_mut(idx) {
                    sender.is_unsure = false;
                    sender.awaits = None;
                    self.think(idx);
                }
            }
            Err(refusal) if is_awaited => {
                if is_unknown(&refusal) {
                    self.give_up(idx, attempt);
                    return;
                }
                if let Refusal::Rejected(rejection) = &refusal {
                    let surprise = format!("{key:?} was rejected: {rejection:?}");
                    self.clients.surprise(surprise);
                }
                let code = refusal.to_string().into();
                self.clients.history.push(Op::Refused { key, code });
                self.try_again(idx);
            }
            Err(_given_up) => {}
        }
    }

    fn is_awaited(&self, idx: usize, attempt: u64) -> bool {
        let sender = self.clients.senders.get(idx);
        sender.is_some_and(|it| it.attempt == attempt && it.awaits.is_some())
    }

    /// Nobody will say what became of an attempt: turns to another node.
    fn give_up(&mut self, idx: usize, attempt: u64) {
        if !self.is_awaited(idx, attempt) {
            return;
        }
        if let Some(sender) = self.clients.senders.get(idx) {
            let key = key_of(idx, sender);
            self.clients.history.push(Op::Unknown { key });
        }
        let at = self.rng.index(self.nodes());
        if let Some(sender) = self.clients.senders.get_mut(idx) {
            sender.at = at;
        }
        self.try_again(idx);
    }

    fn try_again(&mut self, idx: usize) {
        if let Some(sender) = self.clients.senders.get_mut(idx) {
            sender.awaits = None;
        }
        let wait = self.rng.between(TRIES_AGAIN.0, TRIES_AGAIN.1);
        self.after(wait, move |world| world.try_to_say(idx));
    }

    /// The connections to a node are gone.
    pub(crate) fn clients_lose(&mut self, _node: usize) {
        let lives: Vec<_> = (0..self.nodes()).filter_map(|idx| self.life_of(idx)).collect();
        for idx in 0..self.clients.senders.len() {
            let Some(sender) = self.clients.senders.get(idx) else { continue };
            let is_lost = |life: &u64| !lives.contains(life);
            if sender.awaits.flatten().as_ref().is_some_and(is_lost) {
                let attempt = sender.attempt;
                let notices = self.rng.between(NOTICES_WITHIN.0, NOTICES_WITHIN.1);
                self.after(notices, move |world| world.give_up(idx, attempt));
            }
        }
    }

    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.now.as_micros()).unwrap_or(u64::MAX)
    }
}

fn key_of(idx: usize, sender: &Sender) -> Key {
    let number = u32::try_from(idx).unwrap_or(u32::MAX);
    Key { conversation: sender.conversation, sender: number, n: sender.n }
}

fn send_key(key: Key) -> SendKey {
    people::send_key(key.sender, key.n)
}

fn command(kind: Kind, text: &str) -> Command {
    match kind {
        Kind::Visitor | Kind::Agent => people::message(text),
        Kind::Note => people::note(text),
    }
}

/// Whether a refusal leaves open what became of the request.
fn is_unknown(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Unknown => true,
        Refusal::Store(fault) => !matches!(fault, Fault::Busy),
        Refusal::Rejected(_)
        | Refusal::Busy { .. }
        | Refusal::StorageFull
        | Refusal::Quarantined
        | Refusal::Draining
        | Refusal::Moved => false,
    }
}

/// An answer as the trace has it; whether what was acked had been stored before.
fn told(result: Result<bool, &Refusal>) -> String {
    match result {
        Ok(is_again) => format!("acked{}", if is_again { " again" } else { "" }),
        Err(refusal) => refusal.to_string(),
    }
}
