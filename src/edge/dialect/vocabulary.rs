//! How a dialect's words are read and written. The words themselves are each dialect's own.

use crate::edge::problem::{Code, Problem};

/// Every case of something, with its word.
#[derive(Clone, Copy, Debug)]
pub struct Words<T: 'static>(pub &'static [(T, &'static str)]);

impl<T: Copy + PartialEq> Words<T> {
    /// The word for a case.
    #[must_use]
    pub fn word(self, case: T) -> &'static str {
        self.0.iter().find(|(known, _)| *known == case).map_or("", |(_, word)| word)
    }

    /// The case of a word.
    #[must_use]
    pub fn named(self, word: &str) -> Option<T> {
        self.0.iter().find(|(_, known)| *known == word).map(|(case, _)| *case)
    }
}

/// What a client named, if it named anything.
///
/// # Errors
///
/// [`Code::Invalid`] for a word that names nothing.
pub fn asked<T>(
    what: &str,
    word: Option<&str>,
    named: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let unknown = || Problem::with(Code::Invalid, format!("there is no such {what}"));
    word.map(|word| named(word).ok_or_else(unknown)).transpose()
}
