//! How to put a widget into a page.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use switchboard_domain::ids::WidgetId;
use switchboard_domain::person::Role;
use utoipa::ToSchema;

use super::super::caller::require;
use super::super::extract::{Caller, PathId};
use crate::directory::widget::Address;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// What goes into a page.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmbedCode)]
pub struct Embed {
    /// One tag, to stand anywhere in the page.
    html: String,
    /// Where the tag loads from.
    origin: String,
    /// What a page with a content security policy adds to it.
    csp: Policy,
}

/// Sources to be added, by directive.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmbedPolicy)]
struct Policy {
    #[serde(rename = "script-src")]
    script_src: String,
    #[serde(rename = "frame-src")]
    frame_src: String,
}

/// `GET /v1/widgets/{id}/embed`
///
/// # Errors
///
/// [`Problem`].
pub async fn embed(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    let id = WidgetId(id.into());
    let found = doors.directory.widget(&identity.tenant, &id).await?.ok_or(Code::NotFound)?;
    let address = Address { tenant: identity.tenant.clone(), widget: found.value.id.clone() };
    Ok(axum::Json(Embed::new(&doors.public_url, &address)).into_response())
}

impl Embed {
    /// Neither an origin nor an address can hold a quote or an angle bracket.
    fn new(origin: &str, address: &Address) -> Self {
        Self {
            html: format!(
                "<script async src=\"{origin}{}\" data-widget=\"{address}\"></script>",
                switchboard_web::LOADER
            ),
            origin: origin.to_owned(),
            csp: Policy { script_src: origin.to_owned(), frame_src: origin.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_names_server_and_widget() {
        let address = Address::parse("acme.main").unwrap();
        let embed = Embed::new("https://chat.example", &address);
        assert_eq!(
            embed.html,
            "<script async src=\"https://chat.example/loader.js\" data-widget=\"acme.main\"></script>"
        );
        assert_eq!(embed.csp.frame_src, "https://chat.example");
    }
}
