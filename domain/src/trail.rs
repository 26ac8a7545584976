//! Where a visitor has been, and what they did there: the last steps on the site, as the widget
//! tells them.

use std::sync::Arc;

use crate::ids::Timestamp;
use crate::limit::{PAGE_TITLE_BYTES_MAX, PAGE_URL_BYTES_MAX, TRAIL_PAGES_MAX};

/// A page that a visitor looked at, or what they did on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its address, of `http` or `https`.
    pub url: Arc<str>,
    /// Its title; empty when it has none.
    pub title: Arc<str>,
    /// What the visitor did there, in the words of the site; `None` for looking at it.
    pub did: Option<Arc<str>>,
    /// When it was told.
    pub at: Timestamp,
}

impl Page {
    /// A page as a widget told it; `None` for what no agent should be offered to open: another
    /// scheme, names or passwords before the host, spaces and control characters. A long title is
    /// cut, a long address is none, for half of it leads elsewhere.
    #[must_use]
    pub fn new(url: &str, title: &str, at: Timestamp) -> Option<Self> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_bad = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
        if host.is_empty()
            || host.contains('@')
            || url.len() > PAGE_URL_BYTES_MAX
            || url.chars().any(is_bad)
        {
            return None;
        }
        Some(Self { url: url.into(), title: short_line(title), did: None, at })
    }

    /// The same page, and what the visitor did on it; nothing when that says nothing. A long text
    /// is cut.
    #[must_use]
    pub fn doing(self, what: &str) -> Self {
        let did = short_line(what);
        Self { did: (!did.is_empty()).then_some(did), ..self }
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let did = self.did.as_ref().map_or(0, |did| did.len());
        size_of::<Self>() + self.url.len() + self.title.len() + did
    }
}

fn short_line(text: &str) -> Arc<str> {
    let mut clean = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if clean.len() + c.len_utf8() > PAGE_TITLE_BYTES_MAX {
            break;
        }
        clean.push(c);
    }
    clean.trim().into()
}

/// The last steps of a visitor, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail(Vec<Page>);

impl Trail {
    /// Takes a step; answers whether that is news. The page that the visitor is on already, under
    /// the same title, is none; what is done there is, each time.
    pub fn follow(&mut self, page: Page) -> bool {
        if page.did.is_none()
            && let Some(last) = self.0.last_mut().filter(|last| last.url == page.url)
        {
            if last.title == page.title {
                return false;
            }
            // The title came late: it is still the same visit.
            last.title = page.title;
            return true;
        }
        if self.0.len() >= TRAIL_PAGES_MAX {
            self.0.remove(0);
        }
        // Most visitors have been on one page: no room for four.
        self.0.reserve_exact(1);
        self.0.push(page);
        true
    }

    /// The steps, oldest first.
    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.0
    }

    /// About how much memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Page::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: &str, title: &str) -> Option<Page> {
        Page::new(url, title, Timestamp(1))
    }

    #[test]
    fn only_addresses_that_an_agent_may_open_are_pages() {
        for good in ["https://shop.example", "http://shop.example/a?b#c", "https://[::1]:8/@x"] {
            assert!(page(good, "").is_some(), "{good}");
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "javascript://shop.example/%0aalert(1)",
            "data:text/html,x",
            "https://",
            "https:///x",
            "https://user:secret@shop.example/",
            "https://shop.example/a b",
            "https://shop.example/\u{2028}",
            "https://shop.example\\@evil.example/",
            "HTTPS://shop.example/",
            "/relative",
        ] {
            assert!(page(bad, "").is_none(), "{bad}");
        }
        let long = format!("https://shop.example/{}", "a".repeat(PAGE_URL_BYTES_MAX));
        assert!(page(&long, "").is_none());
    }

    #[test]
    fn titles_are_one_short_line() {
        let title = |text: &str| page("https://a.example/", text).map(|page| page.title);
        assert_eq!(title(" A\n\u{0}B ").as_deref(), Some("AB"));
        let long = title(&"ä".repeat(PAGE_TITLE_BYTES_MAX)).unwrap_or_default();
        assert_eq!(long.len(), PAGE_TITLE_BYTES_MAX);
    }

    #[test]
    fn what_is_done_on_a_page_is_news_each_time() {
        let mut trail = Trail::default();
        let at = || page("https://a.example/", "A");
        let mut follow = |page: Option<Page>| page.is_some_and(|page| trail.follow(page));
        assert!(follow(at()));
        assert!(follow(at().map(|page| page.doing(" added\n to cart "))));
        assert!(follow(at().map(|page| page.doing("added to cart"))));
        assert!(!follow(at()), "still there");
        assert!(!follow(at().map(|page| page.doing("\u{7}"))), "did nothing");
        let did: Vec<_> = trail.pages().iter().map(|page| page.did.as_deref()).collect();
        assert_eq!(did, [None, Some("added to cart"), Some("added to cart")]);
    }

    #[test]
    fn a_trail_keeps_the_last_pages_and_no_page_twice_in_a_row() {
        let mut trail = Trail::default();
        let mut follow = |url: &str, title: &str| {
            page(&format!("https://a.example/{url}"), title).is_some_and(|page| trail.follow(page))
        };
        assert!(follow("1", ""));
        assert!(!follow("1", ""));
        assert!(follow("1", "One"));
        assert!(follow("2", ""));
        assert!(follow("1", "One"));
        for n in 0..TRAIL_PAGES_MAX - 1 {
            assert!(follow(&format!("x{n}"), ""));
        }
        assert_eq!(trail.pages().len(), TRAIL_PAGES_MAX);
        assert_eq!(&*trail.pages()[0].url, "https://a.example/1");
        assert_eq!(&*trail.pages()[0].title, "One");
    }
}
