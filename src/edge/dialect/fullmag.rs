//! The FullMag shop: REST below `/api/chat`, and Socket.IO in the namespace `/chat`. A customer has
//! one open room and comes back to it; whoever of the support side opens a waiting room has it.
//! `docs/dialects/fullmag.md` says what is spoken.

mod wire;
mod desk;
mod rest;
mod live;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::{Extension, Router};
use serde_json::{Value, json};
use switchboard_domain::person::{Principal, Role, Side};

pub use self::live::Live;

use super::request::Shape;
use crate::auth::Identity;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// Where its sockets are.
pub const NAMESPACE: &str = "/chat";

/// The REST routes.
pub fn routes(doors: &Arc<Doors>, profile: Profile) -> Router {
    rest::router().layer(Extension(profile)).with_state(Arc::clone(doors))
}

/// What its settings say.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The lowest role of the support side.
    pub support_from: Role,
}

impl Profile {
    /// Which side of a room somebody is on.
    ///
    /// # Errors
    ///
    /// [`Code::Forbidden`] for agents below the support side.
    fn side(&self, identity: &Identity) -> Result<Side, Problem> {
        match identity.caller.author.principal {
            Principal::Visitor(_) => Ok(Side::Visitor),
            _ if identity.is_at_least(self.support_from) => Ok(Side::Agent),
            Principal::Agent(_) | Principal::Bot(_) | Principal::System => {
                Err(Problem::with(Code::Forbidden, "support needs the role manager or admin"))
            }
        }
    }
}

/// How this dialect says that something was refused.
#[derive(Debug)]
pub struct Fullmag;

impl Shape for Fullmag {
    fn body(status: StatusCode, words: &str) -> Value {
        let error = status.canonical_reason().unwrap_or_default();
        json!({ "statusCode": status.as_u16(), "message": words, "error": error })
    }
}
