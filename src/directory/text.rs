//! Texts of people and settings, cleaned and bounded.

use std::sync::Arc;

use switchboard_domain::intake::is_mail_address;

use super::Error;

/// A text on one line: control characters stripped, trimmed, at most so many bytes. Empty is
/// none.
pub(crate) fn line(
    field: &'static str,
    text: &str,
    bytes_max: usize,
) -> Result<Option<Arc<str>>, Error> {
    if text.contains('\0') {
        return Err(Error::Invalid { field, why: "holds a NUL character" });
    }
    if text.len() > bytes_max {
        return Err(Error::Invalid { field, why: "is too long" });
    }
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    let clean = clean.trim();
    Ok((!clean.is_empty()).then(|| clean.into()))
}

/// Checks that a text of several lines holds no control characters but line ends and tabs, and
/// at most so many bytes.
pub(crate) fn check_lines(field: &'static str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() > bytes_max {
        return Err(Error::Invalid { field, why: "is too long" });
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Error::Invalid { field, why: "holds control characters" });
    }
    Ok(())
}

/// Checks that a text looks like a mail address.
pub(crate) fn check_email(text: &str) -> Result<(), Error> {
    if is_mail_address(text) {
        return Ok(());
    }
    Err(Error::Invalid { field: "email", why: "is not a mail address" })
}

/// Whether a text is a short name: 1 to 64 of a–z, 0–9, - and _, not beginning with a sign.
pub(crate) fn is_short_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 64
        && text.bytes().next().is_some_and(is_plain)
        && text.bytes().all(|byte| is_plain(byte) || matches!(byte, b'-' | b'_'))
}

/// The words for a name that is not short.
pub(crate) const SHORT_NAME: &str =
    "must be 1 to 64 characters of a-z, 0-9, - and _, beginning with a letter or digit";
