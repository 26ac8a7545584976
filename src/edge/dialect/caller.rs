//! Who calls, in a dialect: the same credentials as everywhere, wherever its clients put them.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, Method, Uri, header};
use switchboard_domain::person::Principal;

use crate::accounts::api_key::Scope;
use crate::auth::Identity;
use crate::edge::cookies;
use crate::edge::doors::{Doors, bearer};
use crate::edge::problem::{Code, Problem};

/// Checks a credential; a bad one is paid for by its address.
///
/// # Errors
///
/// [`Code::Unauthenticated`] and the like.
pub async fn authenticate(
    doors: &Doors,
    token: Option<&str>,
    address: IpAddr,
) -> Result<Arc<Identity>, Problem> {
    let token = token.ok_or(Code::Unauthenticated)?;
    let identity = match doors.auth.authenticate(token).await {
        Ok(identity) => identity,
        Err(error) => {
            doors.charge(&doors.budgets.refusals, address)?;
            return Err(error.into());
        }
    };
    // Whatever an agent asks shows that the agent is there.
    if let Principal::Agent(agent) = identity.caller.author.principal {
        doors.presence.alive(&identity.tenant, agent);
    }
    Ok(Arc::new(identity))
}

/// The caller of a request with a bearer token.
///
/// # Errors
///
/// [`Code::Unauthenticated`] and the like, [`Code::MissingScope`] for an API key that may not.
pub async fn of_request(
    doors: &Doors,
    method: &Method,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Arc<Identity>, Problem> {
    let identity = authenticate(doors, bearer(headers), address).await?;
    let scope = if method.is_safe() { Scope::ConversationsRead } else { Scope::ConversationsWrite };
    require_scope(&identity, scope)?;
    Ok(identity)
}

/// Who opens a WebSocket: by a token, which the client may also have said in another way that its
/// dialect knows, else by the sign-in of one of our own pages. Browsers send cookies along whoever
/// asks, so a sign-in has to come with an origin of ours.
///
/// # Errors
///
/// [`Code::Unauthenticated`] and the like.
pub async fn of_handshake(
    doors: &Doors,
    said: Option<&str>,
    headers: &HeaderMap,
    uri: &Uri,
    address: IpAddr,
) -> Result<Arc<Identity>, Problem> {
    let token = handshake_token(said, headers, uri);
    let identity = match (token, cookies::sign_in(headers)) {
        (None, Some(cookie)) => {
            let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
            if !origin.is_some_and(|origin| doors.is_own_origin(origin)) {
                return Err(Code::OriginRefused.into());
            }
            match doors.auth.authenticate_cookie(cookie).await {
                Ok((identity, _csrf)) => Arc::new(identity),
                Err(error) => {
                    doors.charge(&doors.budgets.refusals, address)?;
                    return Err(error.into());
                }
            }
        }
        (token, _) => authenticate(doors, token, address).await?,
    };
    require_scope(&identity, Scope::ConversationsRead)?;
    Ok(identity)
}

/// Checks what an API key was made for. People may do whatever their role allows.
///
/// # Errors
///
/// [`Code::MissingScope`].
pub fn require_scope(identity: &Identity, scope: Scope) -> Result<(), Problem> {
    if identity.permits(scope) { Ok(()) } else { Err(Code::MissingScope.into()) }
}

/// The token that a handshake carries: what the client says in it, else its `Authorization`, else
/// `?token=`.
#[must_use]
pub fn handshake_token<'a>(
    said: Option<&'a str>,
    headers: &'a HeaderMap,
    uri: &'a Uri,
) -> Option<&'a str> {
    let without_scheme = |text: &'a str| text.strip_prefix("Bearer ").unwrap_or(text);
    said.map(without_scheme).or_else(|| bearer(headers)).or_else(|| in_query(uri))
}

/// A token in a query. Ours have no character that would have to be escaped there.
fn in_query(uri: &Uri) -> Option<&str> {
    let pairs = uri.query()?.split('&');
    pairs.filter_map(|pair| pair.strip_prefix("token=")).find(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_says_its_token_in_one_of_three_places() {
        let plain = HeaderMap::new();
        let bearer = HeaderMap::from_iter([(header::AUTHORIZATION, "Bearer b".parse().unwrap())]);
        let bare: Uri = "/socket.io/?EIO=4".parse().unwrap();
        let query: Uri = "/socket.io/?EIO=4&token=c".parse().unwrap();
        for (said, headers, uri, expected) in [
            (Some("a"), &bearer, &query, Some("a")),
            (Some("Bearer a"), &plain, &bare, Some("a")),
            (None, &bearer, &query, Some("b")),
            (None, &plain, &query, Some("c")),
            (None, &plain, &bare, None),
        ] {
            assert_eq!(handshake_token(said, headers, uri), expected);
        }
    }
}
