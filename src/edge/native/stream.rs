//! The door of `/v1/stream`: upgrade and subprotocol. The rest is [`connection`](super::connection).

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::connection;
use super::wire::Codec;
use crate::edge::doors::Doors;
use crate::edge::listener::{Peer, Wire};
use crate::edge::problem::{Code, Problem};

/// Bytes of one frame or message: the longest text with every byte escaped, and its envelope.
const FRAME_BYTES_MAX: usize = 128 * 1024;
/// Bytes read at once: more than most frames have. They stay with every idle connection; the
/// library's default is 128 KiB.
const READ_BYTES: usize = 512;
/// Bytes gathered before they are written; also about what an idle connection keeps.
const WRITE_BYTES: usize = 2 * 1024;
/// Bytes that may wait for the socket: one large view over what is gathered. We flush after each
/// batch, so this only bounds a mistake of ours.
const WRITE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Opens a socket.
///
/// # Errors
///
/// A [`Problem`] when this is no upgrade or the node drains.
pub async fn open(
    State(doors): State<Arc<Doors>>,
    Extension(peer): Extension<Peer>,
    wire: Option<Extension<Wire>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade =
        upgrade.map_err(|rejection| Problem::with(Code::BadRequest, rejection.body_text()))?;
    if doors.is_draining() {
        return Err(Code::Draining.into());
    }
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).map(Box::from);
    let upgrade = upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .protocols(Codec::SUBPROTOCOLS);
    let codec = Codec::of_subprotocol(upgrade.selected_protocol().map(|value| value.as_bytes()));
    let (address, wire) = (peer.address, wire.map(|Extension(wire)| wire));
    Ok(upgrade
        .on_upgrade(move |socket| connection::run(socket, doors, codec, origin, address, wire))
        .into_response())
}
