//! Which passwords are taken: long ones that nobody would try first. No rules about kinds of
//! characters, which make passwords worse (NIST SP 800-63B).

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::directory::Error;

/// Characters at least.
pub const CHARS_MIN: usize = 10;
/// Characters at most: hashing reads them all, and a phrase is shorter.
pub const CHARS_MAX: usize = 256;
/// The commonest passwords of at least [`CHARS_MIN`] characters, from the list of zxcvbn (MIT).
const COMMON: &str = include_str!("common_passwords.txt");
/// What somebody tries first here.
const PRODUCT: &str = "switchboard";

/// A password as somebody typed it; never shown.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password)]
pub struct Password(String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Password {
    /// The bytes to be hashed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it is too long for any account: such a one is never hashed.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.0.len() > CHARS_MAX * 4
    }

    /// Checks it for somebody of that mail address and name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], saying why in words for people. `field` is how the request names it.
    pub fn check(&self, field: &'static str, email: &str, name: Option<&str>) -> Result<(), Error> {
        let invalid = |why| Err(Error::Invalid { field, why });
        let n_chars = self.0.chars().count();
        if n_chars < CHARS_MIN {
            return invalid("must have at least 10 characters");
        }
        if n_chars > CHARS_MAX {
            return invalid("may have at most 256 characters");
        }
        static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| COMMON.lines().collect());
        let folded = self.0.to_lowercase();
        if KNOWN.contains(folded.as_str()) || is_one_character(&folded) {
            return invalid("is one of the commonest: it is tried first");
        }
        let local = email.split('@').next().unwrap_or_default();
        let guessed = [PRODUCT, email, local].into_iter().chain(name);
        if guessed.map(str::to_lowercase).any(|guess| is_guess(&folded, &guess)) {
            return invalid("is the name, the mail address or the product: it is tried first");
        }
        Ok(())
    }
}

/// Whether a password is a guess, as it is or with a few digits and signs around it.
fn is_guess(password: &str, guess: &str) -> bool {
    let bare = |text: &str| -> String { text.chars().filter(|c| c.is_alphabetic()).collect() };
    let (password, guess) = (bare(password), bare(guess));
    !guess.is_empty() && password == guess
}

fn is_one_character(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    chars.all(|c| Some(c) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), &'static str> {
        let email = "ada.lovelace@example.com";
        match Password::from(password).check("password", email, Some("Ada Lovelace")) {
            Ok(()) => Ok(()),
            Err(Error::Invalid { field: "password", why }) => Err(why),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn long_and_rare_passwords_are_taken_whatever_they_are_made_of() {
        for good in [
            "correct horse battery staple",
            "fern fern field",
            "пароль для ада",
            "🦀🦀🦀🐢🦀🦀🦀🦀🦀🦀",
            &"a b".repeat(80),
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn short_common_and_guessable_passwords_are_refused() {
        let table: &[(&str, &str)] = &[
            ("", "at least"),
            ("123456789", "at least"),
            ("🦀🦀🦀", "at least"),
            (&"ab".repeat(129), "at most"),
            ("1234567890", "commonest"),
            ("Qwertyuiop", "commonest"),
            ("aaaaaaaaaaaa", "commonest"),
            ("Ada Lovelace", "tried first"),
            ("adalovelace1", "tried first"),
            ("Ada.Lovelace@example.com", "tried first"),
            ("Switchboard!", "tried first"),
            ("switchboard2026", "tried first"),
        ];
        for (password, words) in table {
            let why = check(password).expect_err(password);
            assert!(why.contains(words), "{password}: {why}");
        }
    }

    #[test]
    fn the_list_holds_what_can_be_typed_here_and_nothing_twice() {
        let all: HashSet<&str> = COMMON.lines().collect();
        assert_eq!(all.len(), COMMON.lines().count());
        assert!(all.len() >= 1_000);
        assert!(all.iter().all(|p| p.chars().count() >= CHARS_MIN && p.to_lowercase() == **p));
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", Password::from("correct horse")), "Password(…)");
    }
}
