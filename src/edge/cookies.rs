//! Cookies of a browser: that it is signed in, and that it was here before.
//!
//! `__Host-` makes browsers hold us to what the rest says: only over TLS (or on this machine), for
//! this host alone and all of its paths; no other host of the domain can plant one.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::accounts::Entered;
use crate::accounts::credential::AGE_MS;

const SIGN_IN: &str = "__Host-switchboard";
const DEVICE: &str = "__Host-switchboard-device";
/// How long a browser remembers that it was here, in seconds: browsers keep cookies no longer.
const DEVICE_SECONDS: i64 = 400 * 86_400;

/// The cookie of a sign-in.
#[must_use]
pub fn sign_in(headers: &HeaderMap) -> Option<&str> {
    find(headers, SIGN_IN)
}

/// The word of an earlier sign-in.
#[must_use]
pub fn device(headers: &HeaderMap) -> Option<&str> {
    find(headers, DEVICE)
}

/// The value of a cookie that is there once; of two nobody knows which is ours.
#[must_use]
pub fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(found, value)| (found == name).then_some(value));
    match (values.next(), values.next()) {
        (value, None) => value,
        (_, Some(_)) => None,
    }
}

/// An answer that signs the browser in.
pub fn entering(answer: impl IntoResponse, entered: &Entered) -> Response {
    let mut response = answer.into_response();
    set(&mut response, SIGN_IN, &entered.secret, AGE_MS / 1_000);
    set(&mut response, DEVICE, &entered.device, DEVICE_SECONDS);
    response
}

/// An answer that signs the browser out; it stays known.
pub fn leaving(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    set(&mut response, SIGN_IN, "", 0);
    response
}

fn set(response: &mut Response, name: &str, value: &str, seconds: i64) {
    let cookie =
        format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        sign_in(&headers).map(str::to_owned)
    }

    #[test]
    fn a_cookie_counts_when_it_is_there_once_under_its_whole_name() {
        let table: &[(&[&str], Option<&str>)] = &[
            (&[], None),
            (&["other=1"], None),
            (&["__Host-switchboard=x"], Some("x")),
            (&["a=b; __Host-switchboard=x; c=d"], Some("x")),
            (&["a=b", "__Host-switchboard=x"], Some("x")),
            (&["__Host-switchboard-device=y"], None),
            (&["__Host-switchboard=x; __Host-switchboard=y"], None),
            (&["__Host-switchboard=x", "__Host-switchboard=y"], None),
            (&["x__Host-switchboard=x"], None),
            (&["__host-switchboard=x"], None),
        ];
        for (lines, expected) in table {
            assert_eq!(found(lines).as_deref(), *expected, "{lines:?}");
        }
    }
}
