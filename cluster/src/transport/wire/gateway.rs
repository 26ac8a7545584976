//! The one actor of a node that others can speak to.
//!
//! Owns: nothing; what it is told belongs to the sessions. Supervised by: nobody; it cannot fail,
//! and when it is gone no peer is answered and all links end. Ends: with the transport.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use ractor_cluster::RactorClusterMessage;

use super::Shared;
use crate::ownership::{Boot, NodeName};

/// What other nodes say. The bytes are a frame, the answer's an answer: the framework's own
/// encoding of fields could never change.
#[derive(RactorClusterMessage)]
pub(super) enum Message {
    /// Take a frame.
    #[rpc]
    Frame(Vec<u8>, RpcReplyPort<Vec<u8>>),
}

/// The behavior of a gateway.
pub(super) struct Behavior;

/// How a gateway is called.
pub(super) fn name(node: &NodeName, boot: Boot) -> String {
    format!("gateway of {node} {}", boot.0.simple())
}

impl Actor for Behavior {
    type Msg = Message;
    type State = Arc<Shared>;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        _myself: ActorRef<Message>,
        shared: Arc<Shared>,
    ) -> Result<Arc<Shared>, ActorProcessingErr> {
        Ok(shared)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        shared: &mut Arc<Shared>,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Frame(bytes, reply) = message;
        // Nobody waits any more when the answer cannot be sent.
        drop(reply.send(shared.take(bytes).write()));
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Message>,
        _event: SupervisionEvent,
        _shared: &mut Arc<Shared>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
