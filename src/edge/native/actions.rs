//! Actions over HTTP: each a route of its own with its own body, all the same command as `do`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{MethodRouter, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::conversations::act;
use super::extract::{Caller, Conversation, Json};
use super::wire::incoming::Args;
use crate::edge::doors::Doors;

/// The body of an action that takes nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Whom to give it to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// By our id or the external one.
    agent: String,
}

/// Where to hand it on to: an agent or a department.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    department: Option<String>,
    /// Becomes a note.
    reason: String,
}

/// A rating.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rating {
    /// 1 to 5.
    score: u8,
    #[serde(default)]
    comment: Option<String>,
}

/// A ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Its number.
    ticket: u64,
}

impl From<Nothing> for Args {
    fn from(Nothing {}: Nothing) -> Self {
        Self::default()
    }
}

impl From<Assign> for Args {
    fn from(body: Assign) -> Self {
        Self { agent: Some(body.agent), ..Self::default() }
    }
}

impl From<Transfer> for Args {
    fn from(body: Transfer) -> Self {
        Self {
            agent: body.agent,
            department: body.department,
            reason: Some(body.reason),
            ..Self::default()
        }
    }
}

impl From<Rating> for Args {
    fn from(body: Rating) -> Self {
        Self { score: Some(body.score), comment: body.comment, ..Self::default() }
    }
}

impl From<Ticket> for Args {
    fn from(body: Ticket) -> Self {
        Self { ticket: Some(body.ticket), ..Self::default() }
    }
}

/// The routes, by last segment of their path and by the name of their action.
pub fn router() -> Router<Arc<Doors>> {
    let routes = [
        ("accept", on::<Nothing>("accept")),
        ("unassign", on::<Nothing>("unassign")),
        ("requeue", on::<Nothing>("requeue")),
        ("close", on::<Nothing>("close")),
        ("resolve", on::<Nothing>("resolve")),
        ("reopen", on::<Nothing>("reopen")),
        ("archive", on::<Nothing>("archive")),
        ("refuse-transfer", on::<Nothing>("refuse_transfer")),
        ("assign", on::<Assign>("assign")),
        ("transfer", on::<Transfer>("transfer")),
        ("rating", on::<Rating>("rate")),
        ("ticket", on::<Ticket>("ticket")),
    ];
    routes.into_iter().fold(Router::new(), |router, (segment, handler)| {
        router.route(&format!("/v1/conversations/{{id}}/{segment}"), handler)
    })
}

fn on<T>(action: &'static str) -> MethodRouter<Arc<Doors>>
where
    T: DeserializeOwned + Into<Args> + Send + 'static,
{
    post(
        move |State(doors): State<Arc<Doors>>,
              Caller(identity): Caller,
              Conversation(id): Conversation,
              headers: HeaderMap,
              Json { value, .. }: Json<T>| async move {
            act(&doors, &identity, id, &headers, action, value.into()).await
        },
    )
}
