//! What people write: cleaned before it is stored, never escaped (clients escape when they show).

use std::sync::Arc;

use crate::conversation::Rejection;
use crate::limit::PREVIEW_CHARS_MAX;

/// A text of one or more lines: control characters are stripped, but for line feed and tab.
///
/// `what` names the part in a refusal. The text is shared, not copied, when nothing is stripped.
///
/// # Errors
///
/// [`Rejection::TooLarge`] when longer than `bytes_max` as it came; [`Rejection::Invalid`] when it
/// holds a NUL or shows nothing but white space.
pub fn text(what: &'static str, raw: &Arc<str>, bytes_max: usize) -> Result<Arc<str>, Rejection> {
    let cleaned = cleaned(what, raw, bytes_max, is_stripped_in_text)?;
    if cleaned.trim().is_empty() {
        return Err(Rejection::Invalid { what, why: "must not be empty" });
    }
    Ok(cleaned)
}

/// A text that may be left out: `None` when nothing but white space remains.
///
/// # Errors
///
/// As [`text`], except that an empty text is fine.
pub fn optional_text(
    what: &'static str,
    raw: &Arc<str>,
    bytes_max: usize,
) -> Result<Option<Arc<str>>, Rejection> {
    let cleaned = cleaned(what, raw, bytes_max, is_stripped_in_text)?;
    Ok((!cleaned.trim().is_empty()).then_some(cleaned))
}

/// One line that may be left out, such as a name or a subject: every control character is
/// stripped and white space at both ends trimmed; `None` when nothing remains.
///
/// # Errors
///
/// As [`text`], except that an empty line is fine.
pub fn line(
    what: &'static str,
    raw: &Arc<str>,
    bytes_max: usize,
) -> Result<Option<Arc<str>>, Rejection> {
    let cleaned = cleaned(what, raw, bytes_max, char::is_control)?;
    let trimmed = cleaned.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    Ok(Some(if trimmed.len() == cleaned.len() { cleaned } else { trimmed.into() }))
}

/// The beginning of a text in one line, for lists: white space runs become single spaces, at most
/// [`PREVIEW_CHARS_MAX`] characters.
#[must_use]
pub fn preview(text: &str) -> Arc<str> {
    let beginning = text.as_bytes().get(..PREVIEW_CHARS_MAX).unwrap_or(text.as_bytes());
    if let Some(line) = plain(beginning)
        && !line.starts_with(' ')
        && !line.contains("  ")
    {
        return line.trim_end().into();
    }
    let mut line = String::with_capacity(text.len().min(PREVIEW_CHARS_MAX));
    let mut n_chars = 0;
    let mut gap = false;
    for char in text.trim_start().chars() {
        if n_chars == PREVIEW_CHARS_MAX {
            break;
        }
        if !char.is_whitespace() {
            line.push(char);
        } else if !gap {
            line.push(' ');
        } else {
            continue;
        }
        gap = char.is_whitespace();
        n_chars += 1;
    }
    line.trim_end().into()
}

fn cleaned(
    what: &'static str,
    raw: &Arc<str>,
    bytes_max: usize,
    is_stripped: fn(char) -> bool,
) -> Result<Arc<str>, Rejection> {
    if raw.len() > bytes_max {
        return Err(Rejection::TooLarge { what, max: bytes_max });
    }
    if plain(raw.as_bytes()).is_some() {
        return Ok(Arc::clone(raw));
    }
    if raw.contains('\0') {
        return Err(Rejection::Invalid { what, why: "must not contain NUL" });
    }
    if raw.contains(is_stripped) {
        return Ok(raw.chars().filter(|char| !is_stripped(*char)).collect::<String>().into());
    }
    Ok(Arc::clone(raw))
}

/// The bytes as text if every one is a visible ASCII character or a space: of most messages, and
/// seen without a look at each character.
fn plain(bytes: &[u8]) -> Option<&str> {
    let is_plain = bytes.iter().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    if is_plain { std::str::from_utf8(bytes).ok() } else { None }
}

fn is_stripped_in_text(char: char) -> bool {
    char.is_control() && char != '\n' && char != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_lines_and_drops_control_characters() {
        for (raw, expect) in [
            ("hello", "hello"),
            ("one\r\ntwo\tthree", "one\ntwo\tthree"),
            (
                "bell\u{7}, escape\u{1b}[31m, delete\u{7f}, next line\u{85}",
                "bell, escape[31m, delete, next line",
            ),
            ("<b>&amp;</b>", "<b>&amp;</b>"),
            (" kept ", " kept "),
        ] {
            assert_eq!(text("text", &raw.into(), 100).as_deref(), Ok(expect), "{raw:?}");
        }
    }

    #[test]
    fn text_without_anything_to_strip_is_shared() {
        let raw: Arc<str> = "hello".into();
        let Ok(cleaned) = text("text", &raw, 100) else { panic!("refused") };
        assert!(Arc::ptr_eq(&raw, &cleaned));
    }

    #[test]
    fn nul_empty_and_oversized_texts_are_refused() {
        let empty = Err(Rejection::Invalid { what: "text", why: "must not be empty" });
        let nul = Err(Rejection::Invalid { what: "text", why: "must not contain NUL" });
        for (raw, expect) in [
            ("", empty.clone()),
            (" \n\t", empty.clone()),
            ("\u{7}\u{1b}", empty),
            ("a\0b", nul),
            ("four", Ok("four".into())),
            ("fives", Err(Rejection::TooLarge { what: "text", max: 4 })),
            ("äöü", Err(Rejection::TooLarge { what: "text", max: 4 })),
        ] {
            assert_eq!(text("text", &raw.into(), 4), expect, "{raw:?}");
        }
    }

    #[test]
    fn a_line_is_one_line_or_nothing() {
        for (raw, expect) in
            [("Ada", Some("Ada")), (" A\nd\ta ", Some("Ada")), ("", None), (" \n ", None)]
        {
            assert_eq!(line("name", &raw.into(), 100), Ok(expect.map(Into::into)), "{raw:?}");
        }
    }

    #[test]
    fn a_preview_is_short_and_one_line() {
        let long = "ä".repeat(PREVIEW_CHARS_MAX + 1);
        let plain = "a".repeat(PREVIEW_CHARS_MAX + 1);
        let cut = format!("{} ä", &plain[..PREVIEW_CHARS_MAX - 1]);
        for (text, expect) in [
            ("  hello \n\n world ", "hello world"),
            ("plain words ", "plain words"),
            ("two  gaps", "two gaps"),
            ("a\u{7f}b", "a\u{7f}b"),
            ("", ""),
            (long.as_str(), &long[..2 * PREVIEW_CHARS_MAX]),
            (plain.as_str(), &plain[..PREVIEW_CHARS_MAX]),
            (cut.as_str(), &plain[..PREVIEW_CHARS_MAX - 1]),
        ] {
            assert_eq!(&*preview(text), expect);
        }
    }
}
