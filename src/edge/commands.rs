//! What every door asks of the core in the same way: who is meant, the key of a safe retry, and a
//! command carried out within its agent's capacity.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use switchboard_actors::{Done, Refusal, Stored};
use switchboard_domain::conversation::{Command, Request, SendKey};
use switchboard_domain::ids::DeviceId;
use switchboard_domain::person::{AgentRef, Caller, Role, Side};
use switchboard_store::ConversationKey;
use xxhash_rust::xxh3::xxh3_64;

use super::caller;
use super::doors::Doors;
use super::problem::{Code, Problem};
use crate::auth::Identity;
use crate::directory::Person;
use crate::telemetry::spawn_light;

/// The outbox of one HTTP request or action: a device of its own that sends once, so that the
/// same key is answered alike for as long as the conversation is kept (P3).
#[must_use]
pub fn one_shot(scope: &str, key: &str, content: &[u8]) -> SendKey {
    let mut digest = Sha256::new();
    for part in [scope, key] {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut device = [0; 16];
    device.copy_from_slice(&digest[..16]);
    SendKey {
        device: DeviceId::from_u128(u128::from_be_bytes(device)),
        n: 1,
        digest: xxh3_64(content),
    }
}

/// An agent of the caller's tenant by our id or its external id.
///
/// # Errors
///
/// [`Code::Forbidden`] for visitors, who must not learn who exists; [`Code::NotFound`] for an
/// agent that was never seen.
pub async fn agent(doors: &Doors, identity: &Identity, name: &str) -> Result<AgentRef, Problem> {
    caller::require(identity, Role::Agent)?;
    let tenant = &identity.tenant;
    let by_id = match name.parse() {
        Ok(id) => doors.directory.person(tenant, id).await?,
        Err(_) => None,
    };
    let found = match by_id {
        Some(found) => Some(found),
        None => doors.directory.person_by_external(tenant, name).await?,
    };
    let works = |person: &Person| !person.disabled && person.role >= Role::Agent;
    let Some(found) = found.filter(|found| works(&found.value)) else {
        return Err(Problem::with(
            Code::NotFound,
            "there is no such agent; agents are known once their token was seen, or by \
             POST /v1/agents",
        ));
    };
    Ok(found.value.agent())
}

/// Carries a command out.
///
/// # Errors
///
/// The refusal.
pub async fn ask(
    doors: &Doors,
    identity: &Identity,
    conversation: &ConversationKey,
    key: Option<SendKey>,
    command: Command,
) -> Result<Done, Refusal> {
    let takes_a_slot = matches!(command, Command::Accept { .. });
    let is_message = matches!(command, Command::Send { .. });
    let request = Request { caller: identity.caller.clone(), key, command };
    if takes_a_slot {
        return doors.presence.accept(conversation, request).await;
    }
    let mut done = doors.conversations.ask(conversation, request).await?;
    if is_message
        && is_unattended(doors, identity, conversation, (&done).into())
        && let Some(noted) = note_absence(doors, conversation).await
    {
        done.state = noted.state;
    }
    Ok(done)
}

/// Carries a command out that takes no slot, and does `then` with where it was stored, without a
/// task that waits.
pub fn ask_then(
    doors: &Arc<Doors>,
    identity: &Arc<Identity>,
    conversation: &ConversationKey,
    key: Option<SendKey>,
    command: Command,
    then: impl FnOnce(Result<Stored, Refusal>) + Send + 'static,
) {
    let is_message = matches!(command, Command::Send { .. });
    let request = Request { caller: identity.caller.clone(), key, command };
    let (doors_after, identity) = (Arc::clone(doors), Arc::clone(identity));
    let of = conversation.clone();
    doors.conversations.ask_then(conversation, request, move |asked| {
        let doors = doors_after;
        match asked {
            Ok(stored) if is_message && is_unattended(&doors, &identity, &of, stored) => {
                spawn_light(async move {
                    note_absence(&doors, &of).await;
                    then(Ok(stored));
                });
            }
            asked => then(asked),
        }
    });
}

/// Whether what was stored is a visitor's message while nobody is there, and nobody said so yet.
fn is_unattended(
    doors: &Doors,
    identity: &Identity,
    conversation: &ConversationKey,
    stored: Stored,
) -> bool {
    let by_visitor = identity.caller.author.principal.side() == Side::Visitor;
    let is_new = !stored.duplicate && stored.waits;
    by_visitor && is_new && !doors.presence.anybody_online(&conversation.tenant)
}

/// Whoever writes while nobody is there leaves an offline message. Should that fail, the message
/// itself is stored, and the next one notes it again.
async fn note_absence(doors: &Doors, conversation: &ConversationKey) -> Option<Done> {
    let request = Request { caller: Caller::SYSTEM, key: None, command: Command::GoOffline };
    let noted = doors.conversations.ask(conversation, request).await;
    noted.inspect_err(|refusal| tracing::debug!(%refusal, "an absence was not noted")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_outbox_per_scope() {
        let first = one_shot("a", "key", b"x");
        assert_eq!(first, one_shot("a", "key", b"x"));
        assert_eq!(first.n, 1);
        assert_eq!(first.device, one_shot("a", "key", b"y").device);
        assert_ne!(first.digest, one_shot("a", "key", b"y").digest);
        assert_ne!(first.device, one_shot("b", "key", b"x").device);
        assert_ne!(first.device, one_shot("ak", "ey", b"x").device);
    }
}
