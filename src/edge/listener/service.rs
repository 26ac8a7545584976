//! One connection's requests on their way to the routes, and the answers back.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tower::ServiceExt as _;

use super::gate::AddressPlace;
use super::peer::Peer;
use super::socket::Turns;
use super::wire::Wire;
use super::{Rules, body, refusal};
use crate::metrics::Refused;

/// What answers the requests of one connection.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) rules: Arc<Rules>,
    pub(super) app: Router,
    pub(super) turns: Arc<Turns>,
    pub(super) direct: SocketAddr,
    pub(super) wire: Option<Wire>,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Answer>, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.turns.begin();
        let peer = Peer::read(request.headers(), self.direct, self.rules.hops);
        request.extensions_mut().insert(peer);
        if let Some(wire) = &self.wire {
            request.extensions_mut().insert(wire.clone());
        }
        // Behind a proxy each request is its client's; else the whole socket was counted.
        let place =
            if self.rules.hops > 0 { self.rules.gate.enter_from(peer.address) } else { Ok(None) };
        let turns = Arc::clone(&self.turns);
        let Ok(place) = place else {
            self.rules.metrics.connections.refuse(Refused::AddressFull);
            let end = End { turns, _place: None };
            return Box::pin(async {
                Ok(refusal::address_full().map(|body| Answer { body, _end: end }))
            });
        };
        let config = &self.rules.config;
        let request = request.map(|incoming| {
            body::bounded(
                incoming,
                config.body_bytes_max,
                config.body_timeout(),
                self.rules.metrics.connections.refused.of("slow"),
            )
        });
        let answering = self.app.clone().oneshot(request);
        Box::pin(async move {
            let response = answering.await?;
            let place = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                turns.upgrade(place);
                None
            } else {
                place
            };
            let end = End { turns, _place: place };
            Ok(response.map(|body| Answer { body, _end: end }))
        })
    }
}

/// The body of an answer; when it is gone, the next request may begin.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    _end: End,
}

/// Ends a request's turn when it is dropped, and gives its place back.
#[derive(Debug)]
struct End {
    turns: Arc<Turns>,
    _place: Option<AddressPlace>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.turns.end();
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
