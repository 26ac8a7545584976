//! The HTTP side: one keep-alive connection, opened again when the server closed it.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frame::{Event, Person};
use super::{ANSWER_TIMEOUT, Error};
use crate::history::Stream;

/// An HTTP client of one server.
#[derive(Debug)]
pub struct Http {
    address: SocketAddr,
    open: Option<SendRequest<Full<Bytes>>>,
}

/// An answer with its whole body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// A conversation that was just created.
#[derive(Clone, Debug, Deserialize)]
pub struct Created {
    /// Its id.
    pub id: String,
    /// The identity of its history.
    pub log: String,
    /// The last position of its public stream.
    #[serde(default)]
    pub head: u64,
    /// Whoever opened it.
    pub visitor: Visitor,
}

/// The visitor of a new conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct Visitor {
    /// The identity.
    pub id: String,
    /// The credential, for an anonymous visitor, once.
    pub secret: Option<String>,
}

/// A signed-in agent.
#[derive(Clone, Debug, Deserialize)]
pub struct SignedIn {
    /// The credential.
    pub token: String,
    /// Who it is.
    pub principal: Person,
}

/// A page of a stream.
#[derive(Clone, Debug, Deserialize)]
pub struct Page {
    /// The events, in order.
    pub items: Vec<Event>,
    /// Whether there are more.
    pub more: bool,
    /// The last position there is.
    pub head: u64,
}

impl Http {
    /// A client of the server at `address`; it connects when first used.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Sends one request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer in time.
    pub async fn request(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let request = async {
            let mut sender = match self.open.take() {
                Some(sender) if !sender.is_closed() => sender,
                _ => connect(self.address).await?,
            };
            sender.ready().await?;
            let mut head = Request::builder()
                .method(&method)
                .uri(path)
                .header("host", self.address.to_string());
            if let Some(token) = token {
                head = head.header("authorization", format!("Bearer {token}"));
            }
            if method == Method::POST {
                head = head.header("idempotency-key", uuid::Uuid::new_v4().to_string());
            }
            if body.is_some() {
                head = head.header("content-type", "application/json");
            }
            let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
            let request =
                head.body(Full::new(bytes)).map_err(|error| Error::Protocol(error.to_string()))?;
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            self.open = Some(sender);
            Ok(Answer { status, body })
        };
        timeout(ANSWER_TIMEOUT, request).await.or(Err(Error::Timeout("an http request")))?
    }

    /// As [`Http::request`], and reads the body of a success.
    ///
    /// # Errors
    /// Also when the status is not a success, or the body is not as expected.
    pub async fn json<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<T, Error> {
        let what = format!("{method} {path}");
        let answer = self.request(method, path, token, body).await?;
        let start = || {
            let text = String::from_utf8_lossy(&answer.body);
            text.chars().take(300).collect::<String>()
        };
        if !(200..300).contains(&answer.status) {
            return Err(Error::Status { what, status: answer.status, body: start() });
        }
        let empty = answer.body.is_empty();
        let body = if empty { &b"null"[..] } else { &answer.body[..] };
        serde_json::from_slice(body)
            .map_err(|error| Error::Protocol(format!("{what}: {error}: {}", start())))
    }

    /// Opens a conversation as `token`, or as a new anonymous visitor.
    ///
    /// # Errors
    /// As [`Http::json`].
    pub async fn create(&mut self, token: Option<&str>) -> Result<Created, Error> {
        let body = json!({"widget": "demo"});
        self.json(Method::POST, "/v1/conversations", token, Some(&body)).await
    }

    /// Signs an agent of the demo in: `ada` (admin) or `ben`.
    ///
    /// # Errors
    /// As [`Http::json`].
    pub async fn sign_in(&mut self, name: &str) -> Result<SignedIn, Error> {
        let body = json!({"as": name});
        self.json(Method::POST, "/v1/demo/sign-in", None, Some(&body)).await
    }

    /// One page of a stream after a position.
    ///
    /// # Errors
    /// As [`Http::json`].
    pub async fn page(
        &mut self,
        token: &str,
        conversation: &str,
        stream: Stream,
        after: u64,
    ) -> Result<Page, Error> {
        let name = match stream {
            Stream::Public => "public",
            Stream::Internal => "internal",
        };
        let path = format!(
            "/v1/conversations/{conversation}/messages?stream={name}&after={after}&limit=200"
        );
        self.json(Method::GET, &path, Some(token), None).await
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Ends with the connection; its error is the request's too.
    tokio::spawn(connection);
    Ok(sender)
}
