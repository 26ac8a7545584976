//! Conversations and people by their integer names.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::{Serialize, Serializer};
use switchboard_domain::conversation::Conversation;
use switchboard_domain::ids::{AgentId, ConversationId, TenantId, VisitorId};
use switchboard_domain::person::Principal;
use uuid::Uuid;

use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// Numbers remembered in each of two generations, about a hundred bytes each.
const REMEMBERED_MAX: usize = 50_000;

/// How somebody is named outward: the integer name, or our id of one who has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The integer name.
    Number(u64),
    /// Our id.
    Id(Uuid),
    /// The system.
    Nobody,
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Id(id) => serializer.collect_str(id),
            Self::Nobody => serializer.serialize_none(),
        }
    }
}

/// The name of a principal.
///
/// # Errors
///
/// When the directory fails.
pub async fn name_of(
    doors: &Doors,
    tenant: &TenantId,
    principal: Principal,
) -> Result<Name, Problem> {
    let id = match principal {
        Principal::System => return Ok(Name::Nobody),
        Principal::Agent(id) | Principal::Bot(id) => id.uuid(),
        Principal::Visitor(id) => id.uuid(),
    };
    if let Some(person) = doors.directory.person(tenant, AgentId::new(id)).await? {
        return Ok(Name::Number(person.value.number.0));
    }
    let visitor = doors.directory.visitor(tenant, VisitorId::new(id)).await?;
    Ok(visitor.map_or(Name::Id(id), |visitor| Name::Number(visitor.value.number.0)))
}

/// Which conversations the numbers are of that this node has shown. A client knows a number
/// because it was shown, often before the store's list of numbers has it.
#[derive(Debug, Default)]
pub struct Numbers(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<(TenantId, u64), ConversationId>,
    old: HashMap<(TenantId, u64), ConversationId>,
}

impl Numbers {
    /// Remembers a conversation that is about to be shown.
    pub fn shown(&self, tenant: &TenantId, state: &Conversation) {
        let mut generations = self.0.lock();
        if generations.young.len() >= REMEMBERED_MAX {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert((tenant.clone(), state.number.0), state.id);
    }

    /// The conversation of a number; whether the caller may see it is not asked here.
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`].
    pub async fn find(
        &self,
        doors: &Doors,
        identity: &Identity,
        number: u64,
    ) -> Result<ConversationId, Problem> {
        let name = (identity.tenant.clone(), number);
        let shown = {
            let generations = self.0.lock();
            generations.young.get(&name).or_else(|| generations.old.get(&name)).copied()
        };
        match shown {
            Some(id) => Ok(id),
            None => {
                let stored = doors.store.by_number(&identity.tenant, number).await?;
                stored.ok_or_else(|| Code::NotFound.into())
            }
        }
    }
}
