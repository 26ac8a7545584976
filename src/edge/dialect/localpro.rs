//! LocalPro live chat: public REST below `/api/live-chat/sessions` for strangers who name their
//! sessions themselves, REST below `/api/admin/live-chat` for agents, and a WebSocket for both at
//! `/ws/live-chat`. `docs/dialects/localpro.md` says what is spoken.

mod words;
mod wire;
mod label;
mod desk;
mod start;
mod rest;
mod admin;
mod door;
mod live;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::{Extension, Router};
use serde_json::{Value, json};
use switchboard_domain::ids::TenantId;
use tokio::time::Duration;

use super::request::{Home, Shape};
use super::seat::Places;
use crate::edge::doors::Doors;
use crate::edge::limits::{PerAddress, Rate};
use crate::edge::network::Network;

/// Requests of one address to what is open to strangers, in [`QUARTER`], in production.
const CALLS: u32 = 100;
/// Labels that one address may name in [`QUARTER`] and that open nothing, in production.
const GUESSES: u32 = 20;
const QUARTER: Duration = Duration::from_secs(15 * 60);

/// What the operator says of the dialect.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Whose visitors strangers are.
    pub home: TenantId,
    /// Networks in which nobody pretends to be an agent.
    pub trusted: Vec<Network>,
}

/// How this dialect says that something was refused.
#[derive(Debug)]
pub struct Localpro;

impl Shape for Localpro {
    fn body(_: StatusCode, words: &str) -> Value {
        json!({ "success": false, "message": words })
    }
}

/// What the handlers share besides the doors.
#[derive(Debug)]
struct Hall {
    profile: Profile,
    places: Places,
    /// What one address may ask as a stranger.
    calls: PerAddress,
    /// How many wrong labels one address may name.
    guesses: PerAddress,
}

/// The routes.
pub fn routes(doors: &Arc<Doors>, places: &Places, profile: Profile) -> Router {
    let home = Home(profile.home.clone());
    let hall = Hall {
        profile,
        places: places.clone(),
        calls: PerAddress::new(Rate::new(CALLS, QUARTER)),
        guesses: PerAddress::new(Rate::new(GUESSES, QUARTER)),
    };
    rest::router()
        .merge(start::router())
        .merge(admin::router())
        .merge(door::router())
        .layer(Extension(Arc::new(hall)))
        .layer(Extension(home))
        .with_state(Arc::clone(doors))
}
