//! People by the ids that their own system gave them.

use std::sync::Arc;

use switchboard_domain::ids::{AgentId, TenantId};
use switchboard_domain::person::Principal;

use crate::edge::doors::Doors;
use crate::edge::problem::Problem;

/// The id of a principal in the system that signs the tokens; our id of one who has none there,
/// and `None` for the system.
///
/// # Errors
///
/// When the directory fails.
pub async fn id_of(
    doors: &Doors,
    tenant: &TenantId,
    principal: Principal,
) -> Result<Option<Arc<str>>, Problem> {
    let id = match principal {
        Principal::System => return Ok(None),
        Principal::Agent(id) | Principal::Bot(id) => id.uuid(),
        Principal::Visitor(id) => id.uuid(),
    };
    let person = doors.directory.person(tenant, AgentId::new(id)).await?;
    Ok(Some(
        person
            .map_or_else(|| id.to_string().into(), |person| Arc::clone(&person.value.external_id)),
    ))
}
