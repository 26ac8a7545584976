//! Who changed a record last: for whoever comes too late with a change of their own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{AgentId, Timestamp};
use switchboard_domain::person::AgentRef;
use uuid::Uuid;

/// Who, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    /// Under the name that they had then.
    pub by: AgentRef,
    /// By the clock of the node that wrote it.
    pub at: Timestamp,
}

/// As it is stored.
#[derive(Serialize, Deserialize)]
pub(crate) struct LastChangeForm {
    id: Uuid,
    name: Arc<str>,
    at: i64,
}

impl From<&LastChange> for LastChangeForm {
    fn from(LastChange { by, at }: &LastChange) -> Self {
        Self { id: by.id.uuid(), name: Arc::clone(&by.name), at: at.0 }
    }
}

impl From<LastChangeForm> for LastChange {
    fn from(form: LastChangeForm) -> Self {
        let by = AgentRef { id: AgentId::new(form.id), name: form.name };
        Self { by, at: Timestamp(form.at) }
    }
}
