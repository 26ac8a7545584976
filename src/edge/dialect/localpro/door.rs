//! The door of the socket: users come by the label of their session, agents by a token, or from a
//! network that the operator trusts.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use switchboard_domain::person::{Principal, Role};

use super::live::Live;
use super::rest::Refused;
use super::{Hall, Localpro, label};
use crate::accounts::api_key;
use crate::auth::Identity;
use crate::edge::caller::require;
use crate::edge::cookies;
use crate::edge::dialect::caller::{handshake_token, of_handshake};
use crate::edge::dialect::cors::Origins;
use crate::edge::dialect::request::{Asked, Doorway};
use crate::edge::dialect::web_socket;
use crate::edge::doors::Doors;
use crate::edge::listener::Peer;
use crate::edge::problem::{Code, Problem};

/// How every signed token begins: its head is JSON.
const SIGNED: &str = "eyJ";

/// The route.
pub(super) fn router() -> Router<Arc<Doors>> {
    Router::new().route("/ws/live-chat", get(socket))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    session_id: Option<String>,
    admin: Option<String>,
    user_id: Option<String>,
}

/// What a client says when it asks for a socket.
struct Handshake {
    wanted: Wanted,
    headers: HeaderMap,
    uri: Uri,
    peer: Peer,
    origins: Arc<Origins>,
    upgrade: WebSocketUpgrade,
}

impl FromRequestParts<Arc<Doors>> for Handshake {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, doors: &Arc<Doors>) -> Result<Self, Refused> {
        let Asked(wanted, _) = Asked::<Localpro, Wanted>::from_request_parts(parts, doors).await?;
        let peer = *parts.extensions.get::<Peer>().ok_or(Code::Internal)?;
        let origins = Arc::clone(parts.extensions.get::<Arc<Origins>>().ok_or(Code::Internal)?);
        let upgrade = WebSocketUpgrade::from_request_parts(parts, doors).await;
        let upgrade = upgrade.map_err(|rejection: WebSocketUpgradeRejection| {
            Problem::with(Code::BadRequest, rejection.body_text())
        })?;
        let (headers, uri) = (parts.headers.clone(), parts.uri.clone());
        // Browsers end a connection of which no subprotocol was chosen.
        let chosen = subprotocols(&headers).find(|it| !is_token(it));
        let chosen = chosen.or_else(|| subprotocols(&headers).next()).map(str::to_owned);
        let upgrade = upgrade.protocols(chosen);
        Ok(Self { wanted, headers, uri, peer, origins, upgrade })
    }
}

async fn socket(
    State(doors): Doorway,
    Extension(hall): Extension<Arc<Hall>>,
    handshake: Handshake,
) -> Result<Response, Refused> {
    let address = handshake.peer.address;
    let identity = match handshake.wanted.admin.as_deref() {
        Some("true") => of_agent(&doors, &hall, &handshake).await?,
        Some(_) | None => of_user(&doors, &hall, &handshake).await?,
    };
    let upgrade = handshake.upgrade;
    Ok(web_socket::open::<Live>(doors, &hall.places, upgrade, identity, address).await?)
}

async fn of_user(
    doors: &Doors,
    hall: &Hall,
    handshake: &Handshake,
) -> Result<Arc<Identity>, Problem> {
    let Handshake { wanted, headers, peer, origins, .. } = handshake;
    origins.check(&hall.profile.home, headers)?;
    doors.charge(&hall.calls, peer.address)?;
    let label = wanted.session_id.as_deref().unwrap_or_default();
    Ok(label::open(doors, hall, headers, (label, peer.address)).await?.identity)
}

async fn of_agent(
    doors: &Doors,
    hall: &Hall,
    handshake: &Handshake,
) -> Result<Arc<Identity>, Problem> {
    let Handshake { wanted, headers, uri, peer, origins, .. } = handshake;
    let said = subprotocols(headers).find(|it| is_token(it));
    let has_credential =
        handshake_token(said, headers, uri).is_some() || cookies::sign_in(headers).is_some();
    let user = wanted.user_id.as_deref();
    let identity = match user {
        Some(user) if !has_credential && is_trusted(hall, peer) => {
            vouched(doors, hall, user, peer).await?
        }
        Some(_) | None => of_handshake(doors, said, headers, uri, peer.address).await?,
    };
    require(&identity, Role::Agent)?;
    origins.check(&identity.tenant, headers)?;
    let own = identity.person.as_ref().map(|person| &*person.value.external_id);
    if user.is_some_and(|user| Some(user) != own) {
        return Err(Problem::with(Code::Forbidden, "userId is not who the token is of"));
    }
    Ok(identity)
}

/// An agent by id alone.
async fn vouched(
    doors: &Doors,
    hall: &Hall,
    user: &str,
    peer: &Peer,
) -> Result<Arc<Identity>, Problem> {
    let identity = match doors.auth.vouched_agent(&hall.profile.home, user).await {
        Ok(identity) => identity,
        Err(error) => {
            doors.charge(&doors.budgets.refusals, peer.address)?;
            return Err(error.into());
        }
    };
    if let Principal::Agent(agent) = identity.caller.author.principal {
        doors.presence.alive(&identity.tenant, agent);
    }
    Ok(Arc::new(identity))
}

/// Whether a client is in a network that is trusted. Behind a proxy of which the operator has not
/// told us everybody seems to be where the proxy is; there nobody is trusted.
fn is_trusted(hall: &Hall, peer: &Peer) -> bool {
    let is_known = !peer.is_forwarded || peer.address != peer.direct.ip().to_canonical();
    is_known && hall.profile.trusted.iter().any(|network| network.holds(peer.address))
}

/// The subprotocols that a client offers, in its order.
fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

/// Whether a subprotocol is a token by its look: `new WebSocket(url, ["bearer", token])`.
fn is_token(text: &str) -> bool {
    text.starts_with(api_key::PREFIX) || text.starts_with(SIGNED)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::http::HeaderValue;
    use switchboard_domain::ids::TenantId;

    use super::super::Profile;
    use super::*;
    use crate::edge::dialect::seat::Places;
    use crate::edge::limits::{PerAddress, Rate};

    #[test]
    fn a_token_is_found_among_subprotocols() {
        for (offered, token) in [
            (&["bearer, eyJhbGc.b.c"][..], Some("eyJhbGc.b.c")),
            (&["eyJhbGc.b.c"], Some("eyJhbGc.b.c")),
            (&["chat", "sbk_acme.x"], Some("sbk_acme.x")),
            (&["chat.v1.json"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in offered {
                let line = HeaderValue::from_static(line);
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, line);
            }
            assert_eq!(subprotocols(&headers).find(|it| is_token(it)), token, "{offered:?}");
        }
    }

    #[test]
    fn nobody_is_trusted_behind_a_proxy_that_is_not_known() {
        let rate = || PerAddress::new(Rate::new(1, tokio::time::Duration::from_secs(1)));
        let trusted = vec!["10.1.0.0/16".parse().unwrap()];
        let profile = Profile { home: TenantId("acme".into()), trusted };
        let (calls, guesses) = (rate(), rate());
        let hall = Hall { profile, places: Places::new(1), calls, guesses };
        for (direct, forwarded, hops, is) in [
            ("10.1.2.3:1", None, 0, true),
            ("10.2.2.3:1", None, 0, false),
            // A stranger through a proxy of which nobody told.
            ("10.1.2.3:1", Some("203.0.113.7"), 0, false),
            ("10.1.2.3:1", Some("10.1.9.9"), 0, false),
            // The same through one that was told of.
            ("10.1.2.3:1", Some("203.0.113.7"), 1, false),
            ("10.9.2.3:1", Some("10.1.9.9"), 1, true),
        ] {
            let direct: SocketAddr = direct.parse().unwrap();
            let mut headers = HeaderMap::new();
            if let Some(forwarded) = forwarded {
                headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
            }
            let peer = Peer::read(&headers, direct, hops);
            assert_eq!(is_trusted(&hall, &peer), is, "{peer:?}");
        }
    }
}
