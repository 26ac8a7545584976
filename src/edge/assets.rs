//! The pages: widget, console and demo, embedded in the binary.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use switchboard_web::{Asset, Page};

use super::doors::Doors;
use super::problem::{Code, Problem};
use crate::directory::widget::Address;

/// Answers whatever no route of the API matched: a page, a script, or that there is nothing.
pub async fn serve(State(doors): State<Arc<Doors>>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/" && doors.demo {
        return Redirect::temporary("/demo").into_response();
    }
    let page = Page::at(path);
    if page == Some(Page::Demo) && !doors.demo {
        return Problem::new(Code::NotFound).into_response();
    }
    let Some(asset) = switchboard_web::find(page.map_or(path, |page| page.path())) else {
        return Problem::new(Code::NotFound).into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = Problem::new(Code::MethodNotAllowed).into_response();
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut response = body(asset, request.headers());
    let headers = response.headers_mut();
    if let Some(page) = page {
        let ancestors = if page.is_framed() {
            ancestors(&doors, request.uri().query()).await
        } else {
            Vec::new()
        };
        let policy = page.content_security_policy(ancestors.iter().map(String::as_str));
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    response
}

/// The asset in the best encoding that the client takes, or that it has it already.
fn body(asset: &'static Asset, request: &HeaderMap) -> Response {
    let text = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let accepts = text(header::ACCEPT_ENCODING).unwrap_or_default();
    let accepts = |coding: &str| {
        accepts.split(',').any(|one| {
            let mut parts = one.split(';').map(str::trim);
            parts.next() == Some(coding) && parts.next() != Some("q=0")
        })
    };
    let is_known = text(header::IF_NONE_MATCH)
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.etag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let (bytes, coding) = match (asset.br, asset.gz) {
            (Some(bytes), _) if accepts("br") => (bytes, Some("br")),
            (_, Some(bytes)) if accepts("gzip") => (bytes, Some("gzip")),
            _ => (asset.raw, None),
        };
        let mut response = bytes.into_response();
        let headers = response.headers_mut();
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let media = HeaderValue::from_static(asset.content_type);
        headers.insert(header::CONTENT_TYPE, media);
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(asset.cache_control()));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static(asset.cross_origin_resource_policy()),
    );
    response
}

/// Pages that may frame a widget: those of its own list.
async fn ancestors(doors: &Doors, query: Option<&str>) -> Vec<String> {
    let named = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("id=").or_else(|| pair.strip_prefix("widget=")));
    let Some(address) = named.and_then(Address::parse) else { return Vec::new() };
    match doors.directory.widget(&address.tenant, &address.widget).await {
        Ok(Some(widget)) => {
            widget.value.settings.allowed_origins.iter().map(ToString::to_string).collect()
        }
        // A page that only we may frame is the safe answer when the settings cannot be read.
        Ok(None) | Err(_) => Vec::new(),
    }
}
