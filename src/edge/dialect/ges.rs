//! The GES website chat: REST below `/api/v1/chat` for visitors, who show the label of their one
//! chat, and below `/api/v1/admin` for admins. Nothing is told by itself: clients ask again.
//! `docs/dialects/ges.md` says what is spoken.

mod words;
mod session;
mod wire;
mod desk;
mod rest;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::{Extension, Router};
use serde_json::{Value, json};
use switchboard_domain::ids::TenantId;

use super::request::{Home, Shape};
use crate::edge::doors::Doors;

/// The routes; visitors are those of that tenant.
pub fn routes(doors: &Arc<Doors>, tenant: TenantId) -> Router {
    rest::router().with_state(Arc::clone(doors)).layer(Extension(Home(tenant)))
}

/// How this dialect says that something was refused.
#[derive(Debug)]
pub struct Ges;

impl Shape for Ges {
    /// Its clients write JSON without saying so.
    const READS_ANY_MEDIA: bool = true;

    fn body(_: StatusCode, words: &str) -> Value {
        json!({ "success": false, "error": words })
    }
}
