//! What those hear who are turned away before any route: in words, not by a reset.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long we listen to somebody we have turned away. Closing with unread bytes would reset the
/// connection, and the words would be lost on the way.
const LINGER: Duration = Duration::from_secs(1);

/// When to come back, in seconds.
const RETRY_AFTER_SECONDS: u64 = 5;

const NODE_FULL: &str =
    r#"{"type":"about:blank","title":"The server is full.","status":503,"code":"busy"}"#;
const ADDRESS_FULL: &str = r#"{"type":"about:blank","title":"Too many connections from this address.","status":429,"code":"rate_limited"}"#;

/// Why somebody is turned away at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The node is full.
    NodeFull,
    /// The address is.
    AddressFull,
}

/// Tells a plain socket and closes it.
pub(super) async fn tell(mut stream: TcpStream, why: Why) {
    let (status, words) = match why {
        Why::NodeFull => ("503 Service Unavailable", NODE_FULL),
        Why::AddressFull => ("429 Too Many Requests", ADDRESS_FULL),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         retry-after: {RETRY_AFTER_SECONDS}\r\nconnection: close\r\n\r\n{words}",
        words.len()
    );
    let telling = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 512];
        while stream.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Whoever has gone does not need to be told.
    let _told = tokio::time::timeout(LINGER, telling).await;
}

/// The same for a request on a connection that goes on.
pub(super) fn address_full() -> Response<Body> {
    let mut response = Response::new(Body::from(ADDRESS_FULL));
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    response
}
