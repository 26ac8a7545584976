//! Looking for a conversation by what its card says.

use crate::card::Card;
use crate::limit::{SEARCH_BYTES_MAX, SEARCH_WORDS_MAX};
use crate::trail::Page;

/// Characters of a word from which it may name a conversation's id: fewer are in too many.
const ID_CHARS_MIN: usize = 8;

/// What is looked for: every word must be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    words: Vec<String>,
}

impl Query {
    /// What somebody typed; `None` when that is nothing, or longer than anybody types.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if text.len() > SEARCH_BYTES_MAX {
            return None;
        }
        let words: Vec<String> = text
            .split(|c: char| c.is_whitespace() || c.is_control())
            .map(|word| folded(word.trim_start_matches('#')))
            .filter(|word| !word.is_empty())
            .collect();
        (!words.is_empty() && words.len() <= SEARCH_WORDS_MAX).then_some(Self { words })
    }

    /// Whether a conversation has every word somewhere in its number, id, subject, tags, newest
    /// line, its visitor's name, address or phone, its agent's name, or the address or title of the
    /// page that its visitor is on.
    #[must_use]
    pub fn finds(&self, card: &Card, page: Option<&Page>) -> bool {
        let number = card.number.0.to_string();
        let id = card.id.to_string();
        let texts = [
            card.visitor_name(),
            card.visitor_email(),
            card.visitor_phone(),
            card.subject(),
            card.agent_name(),
            card.last_text(),
            page.map(|page| &*page.url),
            page.map(|page| &*page.title),
        ];
        let all = joined(texts.into_iter().flatten().chain(card.tags()));
        self.words.iter().all(|word| {
            all.contains(word.as_str())
                || number.starts_with(word.as_str())
                || word.chars().count() >= ID_CHARS_MIN && id.starts_with(word.as_str())
        })
    }

    /// Whether every word is somewhere in these texts.
    #[must_use]
    pub fn finds_in<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let all = joined(texts);
        self.words.iter().all(|word| all.contains(word.as_str()))
    }
}

/// Texts as they are looked through. No word holds a line end, so none is found across two of them.
fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for text in texts {
        fold_into(&mut all, text);
        all.push('\n');
    }
    all
}

/// A text as it is compared: without case, accents, vowel signs and stretching, in the letters of
/// the Latin alphabets of Europe, Greek and Arabic.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(&mut folded, text);
    folded
}

fn fold_into(folded: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
        } else {
            c.to_lowercase().for_each(|c| fold_one(folded, c));
        }
    }
}

fn fold_one(folded: &mut String, c: char) {
    folded.push(match c {
        // Accents by themselves, Arabic vowel signs and the stretching of lines.
        '\u{300}'..='\u{36f}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' => return,
        'ß' => return folded.push_str("ss"),
        'æ' => return folded.push_str("ae"),
        'œ' => return folded.push_str("oe"),
        'þ' => return folded.push_str("th"),
        'ĳ' => return folded.push_str("ij"),
        'ŀ' => return folded.push_str("l·"),
        'ŉ' => return folded.push_str("ʼn"),
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' | 'ð' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ĥ' | 'ħ' => 'h',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => 'i',
        'ĵ' => 'j',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ŧ' | 'ț' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ŵ' => 'w',
        'ý' | 'ÿ' | 'ŷ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' => 'ι',
        'ό' => 'ο',
        'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ώ' => 'ω',
        'ς' => 'σ',
        'آ' | 'أ' | 'إ' | 'ٱ' => 'ا',
        'ؤ' => 'و',
        'ئ' | 'ى' => 'ي',
        'ة' => 'ه',
        'ۀ' => 'ە',
        'ۂ' => 'ہ',
        c => c,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::fixture::*;
    use crate::conversation::{Command, Start};
    use crate::ids::Timestamp;

    fn card() -> Card {
        let mut created = created();
        created.visitor.name = Some("Renée Müller".into());
        created.visitor.email = Some("Renee@Example.com".into());
        created.visitor.phone = Some("+49 30 1234".into());
        created.subject = Some("Straße nach Łódź".into());
        let mut chat = Chat::empty();
        let (welcome, message) = (None, Some("أهلاً وسهلاً".into()));
        let created = Box::new(created);
        let create = Command::Create { created, welcome, message, start: Start::Waiting };
        chat.must(&vera(), create);
        chat.must(&ben(), Command::Tag { tags: vec!["Refund".into()] });
        chat.must(&ben(), accept(&ben()));
        Card::of(chat.state())
    }

    #[test]
    fn every_word_is_found_without_case_and_accents() {
        let card = card();
        let number = card.number.0.to_string();
        let id = card.id.to_string();
        for good in [
            "renee",
            "RENÉE muller",
            "mull ren",
            "example.com",
            "RENEE@EXAMPLE.COM",
            "+49 1234",
            "strasse",
            "lodz",
            "refund",
            "ben",
            "اهلا",
            &number,
            &format!("#{number}"),
            &number[..4],
            &id,
            &id[..8],
            "  renee\t refund ",
        ] {
            assert!(Query::new(good).is_some_and(|query| query.finds(&card, None)), "{good}");
        }
        for bad in ["renate", "renee refunds", "muller@", &id[1..], "\u{1F600}"] {
            assert!(Query::new(bad).is_some_and(|query| !query.finds(&card, None)), "{bad}");
        }
    }

    /// Letters of the alphabets that are folded: the Latin ones of Europe, Greek, Arabic.
    const LETTERS: [std::ops::RangeInclusive<char>; 6] = [
        'À'..='ž',
        'Ș'..='ț',
        'Ά'..='ώ',
        '\u{620}'..='\u{652}',
        '\u{670}'..='\u{671}',
        '\u{67e}'..='\u{6cc}',
    ];

    /// The console looks for people by the same letters; its test reads the same list.
    #[test]
    fn letters_are_folded_as_the_console_does() {
        let letters = LETTERS.into_iter().flatten().filter(|c| c.is_alphanumeric());
        let made: String = letters.map(|c| format!("{c} {}\n", folded(&c.to_string()))).collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/letters.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == made, "tests/golden/letters.txt is out of date: run with UPDATE_GOLDEN=1");
    }

    #[test]
    fn the_page_of_the_visitor_is_looked_through_beside_the_card() {
        let card = card();
        let page =
            Page::new("https://shop.example/Ferns?sort=1", "Fougères", Timestamp(1)).unwrap();
        for good in ["shop.example/ferns", "fougeres", "renee ferns", "https://shop"] {
            let query = Query::new(good).unwrap();
            assert!(query.finds(&card, Some(&page)) && !query.finds(&card, None), "{good}");
        }
        assert!(!Query::new("cacti").unwrap().finds(&card, Some(&page)));
    }

    #[test]
    fn nothing_and_too_much_is_no_query() {
        for none in ["", "  ", "\n", "#", "\u{301}"] {
            assert_eq!(Query::new(none), None, "{none:?}");
        }
        assert_eq!(Query::new(&"a".repeat(SEARCH_BYTES_MAX + 1)), None);
        assert_eq!(Query::new(&"a ".repeat(SEARCH_WORDS_MAX + 1)), None);
        assert!(Query::new(&"a ".repeat(SEARCH_WORDS_MAX)).is_some());
    }
}
