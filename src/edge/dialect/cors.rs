//! What surrounds every answer of a dialect: its own list of origins, time, headers and counts.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use switchboard_domain::ids::TenantId;
use tokio::time::{Instant, timeout};

use crate::directory::origin::{Origin, Pattern};
use crate::edge::cross_origin::{Page, REQUEST_WITHIN, is_preflight, preflight};
use crate::edge::doors::Doors;
use crate::edge::headers::secure;
use crate::edge::problem::{Code, Problem};

/// Which pages may call a dialect.
#[derive(Debug)]
pub struct Origins {
    doors: Arc<Doors>,
    own: Vec<Pattern>,
}

impl Origins {
    /// Those of the dialect's own list, besides those that may call everything.
    #[must_use]
    pub fn new(doors: Arc<Doors>, own: &[String]) -> Self {
        // What is no pattern was refused with the settings.
        Self { doors, own: own.iter().filter_map(|origin| origin.parse().ok()).collect() }
    }

    /// Whether pages of an origin may call for a tenant.
    #[must_use]
    pub fn allows(&self, tenant: &TenantId, origin: &str) -> bool {
        self.is_own(origin) || self.doors.allows_origin(tenant, origin)
    }

    /// Whether pages of an origin may call for any tenant.
    fn knows(&self, origin: &str) -> bool {
        self.is_own(origin) || self.doors.knows_origin(origin)
    }

    fn is_own(&self, origin: &str) -> bool {
        let Ok(origin) = origin.parse::<Origin>() else { return false };
        self.own.iter().any(|pattern| pattern.allows(&origin))
    }

    /// Refuses a request from a page that may not call for the tenant. Programs that are no pages
    /// name no origin.
    ///
    /// # Errors
    ///
    /// [`Code::OriginRefused`].
    pub fn check(&self, tenant: &TenantId, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let allowed = origin.to_str().is_ok_and(|origin| self.allows(tenant, origin));
        if allowed { Ok(()) } else { Err(Code::OriginRefused.into()) }
    }
}

/// How a dialect says that something was refused.
#[derive(Clone, Copy, Debug)]
pub struct Manner(pub fn(&Problem) -> Response);

#[derive(Clone, Debug)]
struct Surroundings {
    origins: Arc<Origins>,
    manner: Manner,
}

/// Puts a dialect's surroundings around its routes.
pub fn around(routes: Router, origins: &Arc<Origins>, manner: Manner) -> Router {
    let surroundings = Surroundings { origins: Arc::clone(origins), manner };
    let refused = move || async move { (manner.0)(&Code::MethodNotAllowed.into()) };
    routes.method_not_allowed_fallback(refused).layer(from_fn_with_state(surroundings, surround))
}

async fn surround(
    State(Surroundings { origins, manner }): State<Surroundings>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(Arc::clone(&origins));
    let started = Instant::now();
    let doors = Arc::clone(&origins.doors);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let page = Page::of(request.headers(), |origin| origins.knows(origin));
    let mut response = match page {
        Page::Unknown => (manner.0)(&Code::OriginRefused.into()),
        Page::Known(_) if is_preflight(&request) => preflight("Authorization, Content-Type"),
        _ if doors.is_draining() => (manner.0)(&Code::Draining.into()),
        _ => match timeout(REQUEST_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => (manner.0)(&Code::RequestTimeout.into()),
        },
    };
    page.show(&mut response, "Retry-After");
    secure(response.headers_mut());
    let route = route.as_ref().map(MatchedPath::as_str);
    doors.metrics.requests.answered(route, response.status(), started.elapsed());
    response
}
