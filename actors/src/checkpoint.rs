//! The one writer of checkpoints and receipts: coalesced, batched, never on the hot path.
//!
//! Owns: what conversations handed over and is not written yet. Supervised by: the root. Ends:
//! drained, after everything was written.
//!
//! A changed conversation reports itself once, is asked for its state at the next tick, and
//! reports again only after that; so the mailbox holds at most one report and one state per
//! conversation in memory. What is lost with this actor is derived and repaired from the log.

use std::mem;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use switchboard_domain::conversation::Conversation;
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;
use switchboard_store::{ConversationKey, Fault};

use crate::conversation;
use crate::mailbox::deliver;
use crate::maps::HashMap;
use crate::world::World;

/// Checkpoints written at once: one transaction of a few milliseconds.
const BATCH_MAX: usize = 256;

/// The messages of the writer.
pub(crate) enum Message {
    /// A conversation changed and wants to be asked for its state.
    Changed(ActorRef<conversation::Parcel>),
    /// Ask all that reported.
    Tick,
    /// The state of a conversation and the receipts that rose.
    Put {
        key: ConversationKey,
        state: Option<Box<Conversation>>,
        receipts: Vec<(Principal, Receipt)>,
    },
    /// Write what was handed over.
    Write,
}

impl ractor::Message for Message {}

/// The behavior of the writer.
pub(crate) struct Behavior;

/// What the writer owns.
pub(crate) struct State {
    world: Arc<World>,
    changed: Vec<ActorRef<conversation::Parcel>>,
    checkpoints: HashMap<ConversationKey, Conversation>,
    receipts: HashMap<(ConversationKey, Principal), Receipt>,
    write_is_due: bool,
}

impl Actor for Behavior {
    type Msg = Message;
    type State = State;
    type Arguments = Arc<World>;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        world: Arc<World>,
    ) -> Result<State, ActorProcessingErr> {
        myself.send_interval(world.config.checkpoint_every, || Message::Tick);
        Ok(State {
            world,
            changed: Vec::new(),
            checkpoints: HashMap::default(),
            receipts: HashMap::default(),
            write_is_due: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Changed(conversation) => state.changed.push(conversation),
            Message::Tick => state.tick(&myself),
            Message::Put { key, state: checkpoint, receipts } => {
                state.put(key, checkpoint, receipts);
                state.write_soon(&myself);
            }
            Message::Write => {
                state.write_is_due = false;
                state.write().await;
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.write().await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Message>,
        _event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

impl State {
    fn tick(&mut self, myself: &ActorRef<Message>) {
        for conversation in mem::take(&mut self.changed) {
            // One that is gone wrote its checkpoint itself, or left it to its next life.
            drop(deliver(&conversation, conversation::Parcel::flush()));
        }
        // What could not be written before is tried again.
        if !self.checkpoints.is_empty() || !self.receipts.is_empty() {
            self.write_soon(myself);
        }
    }

    fn put(
        &mut self,
        key: ConversationKey,
        checkpoint: Option<Box<Conversation>>,
        receipts: Vec<(Principal, Receipt)>,
    ) {
        for (by, receipt) in receipts {
            self.receipts.insert((key.clone(), by), receipt);
        }
        if let Some(checkpoint) = checkpoint {
            self.checkpoints.insert(key, *checkpoint);
        }
    }

    /// Writes after all that is in the mailbox now, so that one write takes them together.
    fn write_soon(&mut self, myself: &ActorRef<Message>) {
        if !mem::replace(&mut self.write_is_due, true) {
            drop(deliver(myself, Message::Write));
        }
    }

    async fn write(&mut self) {
        let mut checkpoints = mem::take(&mut self.checkpoints).into_iter();
        loop {
            let batch: Vec<_> = checkpoints.by_ref().take(BATCH_MAX).collect();
            if batch.is_empty() {
                break;
            }
            if let Err(fault) = self.world.store.put_checkpoints(batch.clone()).await {
                report(&fault);
                self.checkpoints.extend(batch);
                self.checkpoints.extend(checkpoints);
                break;
            }
        }
        let receipts = mem::take(&mut self.receipts);
        if receipts.is_empty() {
            return;
        }
        let batch = receipts.iter().map(|((key, by), receipt)| (key.clone(), *by, *receipt));
        if let Err(fault) = self.world.store.put_receipts(batch.collect()).await {
            report(&fault);
            self.receipts = receipts;
        }
    }
}

fn report(fault: &Fault) {
    tracing::warn!(error = %fault, "checkpoints not written, will try again");
}
