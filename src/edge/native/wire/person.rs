//! People on the wire.

use serde::Serialize;
use switchboard_domain::ids::AgentId;
use switchboard_domain::person::{AgentRef, Author, Principal};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::avatar::Faces;

/// Somebody who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person<'a> {
    /// Which side: `visitor`, `agent`, `bot` or `system`.
    pub kind: &'static str,
    /// Absent for the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Absent when nameless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
}

impl<'a> Person<'a> {
    /// A principal and its name.
    #[must_use]
    pub const fn new(principal: Principal, name: Option<&'a str>) -> Self {
        let (kind, id) = match principal {
            Principal::Visitor(id) => ("visitor", Some(id.uuid())),
            Principal::Agent(id) => ("agent", Some(id.uuid())),
            Principal::Bot(id) => ("bot", Some(id.uuid())),
            Principal::System => ("system", None),
        };
        Self { kind, id, name }
    }
}

impl<'a> From<&'a Author> for Person<'a> {
    fn from(author: &'a Author) -> Self {
        Self::new(author.principal, author.name.as_deref())
    }
}

/// An agent as events and cards name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AgentName)]
pub struct Agent<'a> {
    /// Who.
    pub id: Uuid,
    /// The name to show.
    pub name: &'a str,
    /// Where the picture is; on cards and in presence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<&'a str>,
    /// What the agent is, in words for visitors; there as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
}

impl<'a> Agent<'a> {
    /// The same with picture and title, as far as there are.
    #[must_use]
    pub fn with_face(self, faces: &'a Faces) -> Self {
        let id = AgentId::new(self.id);
        Self { avatar: faces.of(id), title: faces.title_of(id), ..self }
    }
}

impl<'a> From<&'a AgentRef> for Agent<'a> {
    fn from(agent: &'a AgentRef) -> Self {
        Self { id: agent.id.uuid(), name: &agent.name, avatar: None, title: None }
    }
}
