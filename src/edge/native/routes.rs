//! The routes, and what every answer gets: CORS, headers, problems for what matches nothing.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use tokio::time::{Instant, timeout};

use super::{
    actions, agents, audit, auth, avatars, conversations, demo, departments, drafts, keys, links,
    messages, openapi, preferences, stream, tenants, visitors, widgets,
};
use crate::accounts::avatar::UPLOAD_BYTES_MAX;
use crate::edge::assets;
use crate::edge::cross_origin::{Page, REQUEST_WITHIN, is_preflight, preflight};
use crate::edge::doors::Doors;
use crate::edge::headers::secure;
use crate::edge::problem::{Code, Problem};
use crate::edge::request_id::RequestId;

/// Bytes of a request's body: the longest text, escaped, and its envelope.
const BODY_BYTES_MAX: usize = 128 * 1024;
/// Headers that pages may send.
const SENT: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Switchboard-CSRF";
/// Headers of answers that pages may read.
const READ: &str = "ETag, Retry-After, X-Request-Id";

/// All public routes.
pub fn router(doors: Arc<Doors>) -> Router {
    let conversation = |path: &str| format!("/v1/conversations/{{id}}{path}");
    Router::new()
        .route("/openapi.json", get(openapi::serve))
        .route("/v1/conversations", get(conversations::list).post(conversations::begin::begin))
        .route("/v1/conversations/outbound", post(conversations::outbound::outbound))
        .route(&conversation(""), get(conversations::get).patch(conversations::change))
        .route(&conversation("/context"), get(conversations::context::context))
        .route(&conversation("/messages"), get(messages::list).post(messages::send))
        .route(&conversation("/messages/{seq}"), patch(messages::edit).delete(messages::redact))
        .route(&conversation("/notes"), post(messages::note))
        .route(&conversation("/read"), post(conversations::read))
        .route(&conversation("/received"), post(conversations::received))
        .merge(actions::router())
        .route("/v1/auth", get(auth::standing))
        .route("/v1/auth/me", get(auth::me))
        .route("/v1/auth/setup", post(auth::set_up))
        .route("/v1/auth/login", post(auth::log_in))
        .route("/v1/auth/accept", post(auth::accept))
        .route("/v1/auth/logout", post(auth::log_out))
        .route("/v1/auth/password", put(auth::change_password))
        .route("/v1/stream/tickets", post(auth::ticket))
        .route("/v1/agents", get(agents::list).post(agents::create))
        .route("/v1/agents/me", get(agents::me).patch(agents::patch_me))
        .route(
            "/v1/agents/me/avatar",
            put(avatars::put_mine).delete(avatars::delete_mine).layer(picture()),
        )
        .route("/v1/agents/{id}/avatar", put(avatars::put).delete(avatars::delete).layer(picture()))
        .route("/v1/agents/{id}/invitation", post(agents::invite))
        .route("/v1/avatars/{id}", get(avatars::get))
        .route("/v1/keys", get(keys::list).post(keys::create))
        .route("/v1/keys/{id}", delete(keys::delete))
        .route("/v1/tenants", get(tenants::list).post(tenants::create))
        .route("/v1/tenants/me", get(tenants::mine).patch(tenants::patch))
        .route("/v1/tenants/{id}/setup", post(tenants::set_up))
        .route("/v1/agents/me/status", put(agents::set_status))
        .route("/v1/agents/me/capacity", put(agents::set_capacity))
        .route("/v1/agents/me/skills", put(agents::set_skills))
        .route("/v1/agents/me/preferences", get(preferences::get).patch(preferences::patch))
        .route("/v1/agents/me/drafts", get(drafts::list))
        .route("/v1/agents/me/drafts/{id}", put(drafts::put))
        .route("/v1/agents/{id}", get(agents::get).patch(agents::patch))
        .route("/v1/departments", get(departments::list).post(departments::create))
        .route(
            "/v1/departments/{id}",
            get(departments::get).put(departments::replace).delete(departments::delete),
        )
        .route("/v1/audit", get(audit::list))
        .route("/v1/hours/check", post(widgets::hours::check))
        .route("/v1/widgets", get(widgets::list).post(widgets::create))
        .route("/v1/widgets/{id}", get(widgets::public::public).delete(widgets::delete))
        .route("/v1/widgets/{id}/check", get(widgets::check::check))
        .route("/v1/widgets/{id}/embed", get(widgets::embed::embed))
        .route("/v1/widgets/{id}/identity-key", post(widgets::identity::rotate))
        .route("/v1/widgets/{id}/settings", get(widgets::get).put(widgets::replace))
        .route("/v1/links", post(links::open))
        .route("/v1/visitors/me", patch(visitors::patch))
        .route("/v1/demo/sign-in", post(demo::sign_in))
        .route("/v1/stream", get(stream::open))
        .method_not_allowed_fallback(|| async { Problem::new(Code::MethodNotAllowed) })
        .fallback(assets::serve)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&doors), around))
        .with_state(doors)
}

/// A picture is larger than any text.
fn picture() -> DefaultBodyLimit {
    DefaultBodyLimit::max(UPLOAD_BYTES_MAX)
}

/// Everything around a request.
async fn around(State(doors): State<Arc<Doors>>, request: Request, next: Next) -> Response {
    let id = RequestId::new(doors.clock.fresh_id());
    id.answer(answered(&doors, request, next)).await
}

/// The Origin rule, time, headers and counts.
async fn answered(doors: &Doors, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let page = Page::of(request.headers(), |origin| doors.knows_origin(origin));
    let is_api = request.uri().path().starts_with("/v1/");
    let is_for_all = route.as_ref().is_some_and(|route| route.as_str() == widgets::check::ROUTE);
    let mut response = match page {
        // Pages and scripts are for everybody; the API is for pages that are known.
        Page::Unknown if is_api && !is_for_all => Problem::new(Code::OriginRefused).into_response(),
        Page::Known(_) if is_preflight(&request) => preflight(SENT),
        _ => match timeout(REQUEST_WITHIN, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new(Code::RequestTimeout).into_response(),
        },
    };
    if is_for_all {
        Page::No.show(&mut response, READ);
        let anybody = HeaderValue::from_static("*");
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
    } else if is_api {
        page.show(&mut response, READ);
    }
    secure(response.headers_mut());
    let route = route.as_ref().map(MatchedPath::as_str);
    doors.metrics.requests.answered(route, response.status(), started.elapsed());
    response
}
