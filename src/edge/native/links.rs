//! Links that lead a visitor into a conversation, once.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Address, Json};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// A link to be used.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UsedLink)]
pub struct Use {
    /// What stands after `#` in the link.
    token: String,
}

/// Where a link leads.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenedLink)]
pub struct Opened {
    visitor: LinkVisitor,
    conversation: Uuid,
}

/// Whom the bearer of a link is.
#[derive(Debug, Serialize, ToSchema)]
struct LinkVisitor {
    id: Uuid,
    /// The visitor's credential from now on.
    secret: String,
}

/// `POST /v1/links`: open to everybody who has one.
///
/// # Errors
///
/// [`Problem`].
pub async fn open(
    State(doors): State<Arc<Doors>>,
    Address(address): Address,
    Json { value: Use { token }, .. }: Json<Use>,
) -> Result<Response, Problem> {
    let opened = match doors.directory.use_link(&token).await {
        Ok(opened) => opened,
        Err(error) => {
            let problem = Problem::from(error);
            if problem.code == Code::NotFound {
                doors.charge(&doors.budgets.refusals, address)?;
            }
            return Err(problem);
        }
    };
    let visitor =
        LinkVisitor { id: opened.visitor.visitor.uuid(), secret: opened.visitor.reveal() };
    Ok(axum::Json(Opened { visitor, conversation: opened.conversation.uuid() }).into_response())
}
