//! Many conversations as they stand, for the lists of dialects.

use std::future::ready;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use switchboard_actors::answer::View;
use switchboard_domain::ids::ConversationId;

use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// Conversations read at once: each may wait for its owner on another node.
const AT_ONCE: usize = 16;

/// Conversations as the caller sees them now, in the order in which they are asked for. What the
/// caller may not see, or not any more, is left out.
///
/// # Errors
///
/// When one of them cannot be read: a list that lacks it would say that it is over.
pub async fn look_at_all(
    doors: &Arc<Doors>,
    identity: &Identity,
    conversations: impl IntoIterator<Item = ConversationId>,
) -> Result<Vec<View>, Problem> {
    // Begun one by one as there is room. Collected, for a future that holds the caller's closure
    // over borrowed cards is not `Send` for every lifetime, as far as the compiler can tell.
    let looks: Vec<_> = conversations.into_iter().map(|id| look(doors, identity, id)).collect();
    let found = stream::iter(looks).buffered(AT_ONCE);
    found.try_filter_map(|view| ready(Ok(view))).try_collect().await
}

async fn look(
    doors: &Arc<Doors>,
    identity: &Identity,
    id: ConversationId,
) -> Result<Option<View>, Problem> {
    let key = doors.key(&identity.tenant, id);
    match doors.conversations.state(&key, &identity.caller).await.map_err(Problem::from) {
        Ok(view) => Ok(Some(view)),
        Err(problem) if problem.code == Code::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}
