//! What surrounds every answer of a dialect: its own list of origins, time, headers and counts.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use switchboard_domain::ids::TenantId;
use tokio::time::{Instant, timeout};

use crate::directory::origin::{Origin, Pattern};
use crate::edge::doors::Doors;
use crate::edge::headers::secure;
use crate::edge::problem::{Code, Problem};

/// How long a request may take, with the longest long poll in it.
const REQUEST_WITHIN: Duration = Duration::from_secs(40);

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
    let named = request.headers().get_all(header::ORIGIN);
    let origin = named.iter().next().cloned();
    let is_one = named.iter().count() == 1;
    let allowed = origin
        .as_ref()
        .map(|origin| is_one && origin.to_str().is_ok_and(|origin| origins.knows(origin)));
    let mut response = match allowed {
        Some(false) => (manner.0)(&Code::OriginRefused.into()),
        Some(true) if is_preflight(&request) => preflight(),
        _ if doors.is_draining() => (manner.0)(&Code::Draining.into()),
        _ => match timeout(REQUEST_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => (manner.0)(&Code::RequestTimeout.into()),
        },
    };
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let (Some(origin), Some(true)) = (origin, allowed)
        && status != StatusCode::SWITCHING_PROTOCOLS
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let credentials = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials);
        let exposed = HeaderValue::from_static("Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    secure(headers);
    let route = route.as_ref().map(MatchedPath::as_str);
    doors.metrics.requests.answered(route, status, started.elapsed());
    response
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
