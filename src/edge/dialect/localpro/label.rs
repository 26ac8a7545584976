//! Who opens a session: whoever has the cookie of its beginning, and until somebody showed it,
//! whoever knows its label.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use switchboard_domain::ids::{ConversationId, TenantId};

use super::Hall;
use crate::auth::{AuthError, Identity, VisitorToken};
use crate::directory::session_label::SessionLabel;
use crate::edge::cookies;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// How long a browser keeps the cookie, in seconds: as long as people come back to a chat.
const SECONDS: u32 = 30 * 86_400;
/// Bits of chance that a label needs to open its session alone, for as long as it does.
const CHANCE_BITS_MIN: u32 = 40;

/// A session, and who opened it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) conversation: ConversationId,
    pub(super) identity: Arc<Identity>,
}

impl Opened {
    fn new(known: SessionLabel, identity: Identity) -> Self {
        Self { conversation: known.conversation, identity: Arc::new(identity) }
    }
}

/// Opens a session by its label. What opens nothing is paid for, and answered alike whether there
/// is such a session or not.
pub(super) async fn open(
    doors: &Doors,
    hall: &Hall,
    headers: &HeaderMap,
    (label, address): (&str, IpAddr),
) -> Result<Opened, Problem> {
    let tenant = &hall.profile.home;
    if let Some(known) = doors.directory.session_label(tenant, label).await? {
        let known = known.value;
        if let Some(identity) = by_cookie(doors, tenant, headers, label, known).await? {
            return Ok(Opened::new(known, identity));
        }
        if !known.sealed {
            match doors.auth.vouched_visitor(tenant, known.visitor).await {
                Ok(identity) => return Ok(Opened::new(known, identity)),
                Err(AuthError::Directory(error)) => return Err(error.into()),
                Err(_nobody) => {}
            }
        }
    }
    doors.charge(&hall.guesses, address)?;
    Err(no_session())
}

/// The session is not there for who asks.
pub(super) fn no_session() -> Problem {
    Problem::with(Code::NotFound, "there is no such session")
}

/// The visitor whom a request's cookie shows, if it is the one of that label. Once it was shown,
/// the label opens nothing without it.
pub(super) async fn by_cookie(
    doors: &Doors,
    tenant: &TenantId,
    headers: &HeaderMap,
    label: &str,
    known: SessionLabel,
) -> Result<Option<Identity>, Problem> {
    let Some(secret) = cookies::find(headers, &cookie_name(label)) else { return Ok(None) };
    let Some(token) = VisitorToken::parse(secret) else { return Ok(None) };
    if token.tenant != *tenant || token.visitor != known.visitor {
        return Ok(None);
    }
    let Ok(identity) = doors.auth.authenticate(secret).await else { return Ok(None) };
    if !known.sealed {
        doors.directory.seal_session_label(tenant, label).await?;
    }
    Ok(Some(identity))
}

/// The cookie that opens a session. Pages of other sites may send it, each site its own, because
/// browsers keep no other cookies there; which pages may call at all is asked by their origin.
pub(super) fn cookie(label: &str, token: &VisitorToken) -> Option<HeaderValue> {
    let (name, secret) = (cookie_name(label), token.reveal());
    let text =
        format!("{name}={secret}; Path=/; Max-Age={SECONDS}; HttpOnly; Secure; SameSite=None");
    HeaderValue::from_str(&(text + "; Partitioned")).ok()
}

/// A browser may have several sessions, and not every label may stand in a cookie's name.
fn cookie_name(label: &str) -> String {
    let digest = Sha256::digest(label.as_bytes());
    format!("__Host-live-chat-{}", URL_SAFE_NO_PAD.encode(&digest[..12]))
}

/// Whether a label is too easily guessed to open a session alone: what stands behind its last mark
/// is short, or counts.
pub(super) fn is_guessable(label: &str) -> bool {
    let tail = label.rsplit(['-', '_', '.', ':', '~']).next().unwrap_or_default();
    let has = |class: fn(&u8) -> bool| tail.as_bytes().iter().any(class);
    let is_hex = tail.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    // Hundredths of a bit that one letter says at most, by the letters that there are.
    let per_letter: u32 = match (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase)) {
        (false, false) => 332,
        (true, false) if is_hex => 400,
        (true, false) | (false, true) => 516,
        (true, true) => 595,
    };
    let is_number = tail.bytes().all(|b| b.is_ascii_digit());
    let n_letters = u32::try_from(tail.len()).unwrap_or(u32::MAX);
    // Numbers count, or tell the time.
    is_number || n_letters.saturating_mul(per_letter) < CHANCE_BITS_MIN * 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_with_little_chance_in_it_is_guessable() {
        for (label, guessable) in [
            ("session-1701691234567-abc123", true),
            ("session-1701691234567-k3j9x0q2z", false),
            ("session-123", true),
            ("session-1701691234567", true),
            ("0f8fad5b-d9cb-469f-a165-70867728950e", false),
            ("session-Zx9Kq2P", false),
            ("session-Zx9Kq2", true),
            ("session-", true),
            ("abcdefghij", false),
        ] {
            assert_eq!(is_guessable(label), guessable, "{label}");
        }
    }

    #[test]
    fn a_cookie_is_of_one_label_and_hidden_from_pages() {
        let tenant = TenantId("acme".into());
        let visitor = switchboard_domain::ids::VisitorId::from_u128(1);
        let token = VisitorToken::new(tenant, visitor, [7; 32]);
        let value = cookie("session-1:~a", &token).unwrap();
        let text = value.to_str().unwrap();
        assert!(text.starts_with(&format!("{}=sbv_acme.", cookie_name("session-1:~a"))), "{text}");
        for part in ["HttpOnly", "Secure", "Path=/", "SameSite=None", "Partitioned"] {
            assert!(text.contains(part), "{text}");
        }
        assert_ne!(cookie_name("session-1"), cookie_name("session-2"));
    }
}
