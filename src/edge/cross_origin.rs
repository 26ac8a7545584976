//! Pages of other origins that call: who they are, and what an answer lets their browser do.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How long a request may take, with the longest long poll in it.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(40);
/// How long browsers may remember a preflight, in seconds.
const PREFLIGHT_SECONDS: &str = "600";

/// Which page sent a request, by the origin that its browser names.
#[derive(Debug)]
pub enum Page {
    /// None: programs that are no pages name no origin.
    No,
    /// One that may call.
    Known(HeaderValue),
    /// One that may not, or more than one.
    Unknown,
}

impl Page {
    /// The page of a request, where `knows` says which origins may call.
    pub fn of(headers: &HeaderMap, knows: impl Fn(&str) -> bool) -> Self {
        let mut named = headers.get_all(header::ORIGIN).iter();
        match (named.next(), named.next()) {
            (None, _) => Self::No,
            (Some(origin), None) if origin.to_str().is_ok_and(knows) => Self::Known(origin.clone()),
            (Some(_), _) => Self::Unknown,
        }
    }

    /// Lets the page read an answer, with the headers of it that `exposed` lists.
    pub fn show(self, response: &mut Response, exposed: &'static str) {
        let is_socket = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if let Self::Known(origin) = self
            && !is_socket
        {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let credentials = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials);
            let exposed = HeaderValue::from_static(exposed);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}

/// Whether a browser asks what a page may send, before it sends it.
pub fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that: pages may send the headers that `allowed` lists.
pub fn preflight(allowed: &'static str) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, allowed),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
