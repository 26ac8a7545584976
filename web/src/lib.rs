//! The widget, the console and the demo page, embedded.
//!
//! [`find`] answers a path with its bytes, already compressed; nothing is allocated or decompressed
//! at run time. Three of the assets are [`Page`]s: documents that must be sent with the content
//! security policy made here, because script and style of each page were written to live under it.

/// A file as a browser gets it.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// The path that finds it, such as `/console` or `/assets/console-4f1d2c.js`.
    pub path: &'static str,
    /// For the `Content-Type` header.
    pub content_type: &'static str,
    /// For the `ETag` header, quotes included. Weak, because one tag stands for all encodings.
    pub etag: &'static str,
    /// The bytes as they are.
    pub raw: &'static [u8],
    /// The bytes for `Content-Encoding: br`; `None` when that would not be smaller.
    pub br: Option<&'static [u8]>,
    /// The bytes for `Content-Encoding: gzip`; `None` when that would not be smaller.
    pub gz: Option<&'static [u8]>,
    /// Whether the name changes with the content, so that a browser may keep it for ever.
    pub immutable: bool,
}

impl Asset {
    /// For the `Cache-Control` header.
    ///
    /// The loader stands in other people's pages under a fixed name: an hour old is fresh enough,
    /// a day old is shown while the new one is fetched. Documents name the hashed files of one
    /// build, so they are asked for each time (and answered 304).
    #[must_use]
    pub fn cache_control(&self) -> &'static str {
        match self.path {
            _ if self.immutable => "public, max-age=31536000, immutable",
            LOADER => "public, max-age=3600, stale-while-revalidate=86400",
            _ => "no-cache",
        }
    }

    /// For the `Cross-Origin-Resource-Policy` header: the loader alone is for other people's pages.
    #[must_use]
    pub fn cross_origin_resource_policy(&self) -> &'static str {
        if self.path == LOADER { "cross-origin" } else { "same-origin" }
    }
}

/// Where sites fetch the script that puts the launcher into their pages.
pub const LOADER: &str = "/loader.js";

/// What the launcher calls the chat, and closing what is said of it, on a page in that language, such
/// as `ar-EG`. The loader has the English words itself, and nobody else's.
#[must_use]
pub fn launcher(language: &str) -> Option<[&'static str; 2]> {
    match language.split('-').next() {
        Some("ar") => Some(["الدردشة", "إغلاق الدردشة"]),
        _ => None,
    }
}

/// The same script under the name that sites of another house's snippet ask for.
const LOADER_TOO: &str = "/chat-widget.js";

/// A document, as opposed to the scripts, styles and pictures it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Where agents work.
    Console,
    /// The widget as a page of its own, where links from mails lead.
    Chat,
    /// A shop that has the widget, for trying out.
    Demo,
    /// The inside of the widget: lives in an iframe of other people's pages.
    Widget,
}

impl Page {
    const ALL: [Self; 4] = [Self::Console, Self::Chat, Self::Demo, Self::Widget];

    /// The page at this path. The console is one document for all of its places, such as
    /// `/console/c/<conversation>`: its script reads the rest.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        let below = |page: Self| path.strip_prefix(page.path());
        Self::ALL.into_iter().find(|page| match below(*page) {
            Some("") => true,
            Some(rest) => *page == Self::Console && rest.starts_with('/'),
            None => false,
        })
    }

    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Console => "/console",
            Self::Chat => "/chat",
            Self::Demo => "/demo",
            Self::Widget => "/widget",
        }
    }

    /// Whether pages of a widget's sites may frame it.
    #[must_use]
    pub const fn is_framed(self) -> bool {
        match self {
            Self::Chat | Self::Widget => true,
            Self::Console | Self::Demo => false,
        }
    }

    /// For the `Content-Security-Policy` header.
    ///
    /// `ancestors` are the origins whose pages may frame the widget (scheme, host and port, as in
    /// `https://shop.example`), besides our own: the console shows it while its settings change.
    /// Pages that are not [framed](Self::is_framed) have no ancestors. An IPv6 address is left
    /// out: no policy can name one.
    #[must_use]
    pub fn content_security_policy<'a>(
        self,
        ancestors: impl IntoIterator<Item = &'a str>,
    ) -> String {
        let own = match self {
            Self::Console => "connect-src 'self'; frame-src 'self'; img-src 'self' blob: data:",
            Self::Chat | Self::Widget => "connect-src 'self'; img-src 'self' blob: data:",
            Self::Demo => "connect-src 'self'; frame-src 'self'; img-src 'self'",
        };
        let mut policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; {own}; base-uri 'none'; \
             form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; \
             frame-ancestors"
        );
        policy.push_str(if self.is_framed() { " 'self'" } else { " 'none'" });
        let named = ancestors.into_iter().filter(|ancestor| !ancestor.contains('['));
        for ancestor in named.filter(|_| self.is_framed()) {
            policy.push(' ');
            policy.push_str(ancestor);
        }
        policy
    }
}

/// The asset at a path (without query); `None` when there is none.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    let path = if path == LOADER_TOO { LOADER } else { path };
    let found = ASSETS.binary_search_by_key(&path, |asset| asset.path).ok()?;
    ASSETS.get(found)
}

/// All assets, by path.
#[must_use]
pub fn all() -> &'static [Asset] {
    ASSETS
}

/// Whether this build has placeholders instead of the pages (there was no Node to build them).
#[must_use]
pub const fn is_placeholder() -> bool {
    PLACEHOLDER
}

include!(concat!(env!("OUT_DIR"), "/table.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_found_by_its_path_and_nothing_else_is() {
        for asset in all() {
            assert_eq!(find(asset.path).map(|found| found.etag), Some(asset.etag));
        }
        assert!(all().is_sorted_by_key(|asset| asset.path));
        for path in ["", "/", "/consoles", "/console/", "/assets/", "/widget.html", "/zzz"] {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_launcher_has_the_words_of_every_language_file() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/locales");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let language = path.file_stem().unwrap().to_str().unwrap();
            let Some([chat, close]) = launcher(language) else {
                assert_eq!(language, "en");
                continue;
            };
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(&format!("\"chat\": \"{chat}\"")), "{language}");
            assert!(text.contains(&format!("\"close\": \"{close}\"")), "{language}");
            assert_eq!(launcher(&format!("{language}-XX")), launcher(language));
        }
        assert_eq!((launcher("arn"), launcher("en-GB"), launcher("")), (None, None, None));
    }

    #[test]
    fn pages_and_loader_exist_in_every_build() {
        for path in ["/console", "/demo", "/widget", "/chat", LOADER, LOADER_TOO] {
            let asset = find(path).unwrap();
            assert!(!asset.raw.is_empty());
            assert!(!asset.immutable);
        }
    }

    #[test]
    fn every_place_of_the_console_is_the_console() {
        for path in ["/console", "/console/", "/console/c/0190", "/console/settings/people"] {
            assert_eq!(Page::at(path), Some(Page::Console), "{path}");
        }
        for path in ["/consoles", "/demo/console", "/widget/x", "/demo/", "/", ""] {
            assert_eq!(Page::at(path), None, "{path}");
        }
    }

    #[test]
    fn what_a_page_names_is_embedded() {
        for page in Page::ALL {
            let html = std::str::from_utf8(find(page.path()).unwrap().raw).unwrap();
            let named: Vec<&str> = html
                .split('"')
                .filter(|value| value.starts_with("/assets/") || *value == LOADER)
                .collect();
            assert_eq!(named.is_empty(), is_placeholder(), "{page:?}");
            for path in named {
                assert!(find(path).is_some(), "{page:?} names {path}");
            }
        }
    }

    #[test]
    fn pages_have_no_inline_script_or_style() {
        for page in Page::ALL {
            let html = std::str::from_utf8(find(page.path()).unwrap().raw).unwrap();
            assert!(!html.contains("<style"), "{page:?}");
            assert!(!html.contains(" style="), "{page:?}");
            for script in html.split("<script").skip(1) {
                let (tag, rest) = script.split_once('>').unwrap();
                assert!(tag.contains(" src="), "{page:?}: <script{tag}>");
                assert!(rest.starts_with("</script>"), "{page:?}");
            }
        }
    }

    #[test]
    fn only_the_widget_may_be_framed_and_only_by_those_named() {
        let shop = ["https://shop.example", "http://[::1]:*", "http://localhost:*"];
        let ends = |page: Page, end: &str| {
            let policy = page.content_security_policy(shop);
            assert!(policy.ends_with(&format!("frame-ancestors {end}")), "{policy}");
        };
        for page in [Page::Widget, Page::Chat] {
            ends(page, "'self' https://shop.example http://localhost:*");
            assert!(page.content_security_policy([]).ends_with("frame-ancestors 'self'"));
        }
        for page in [Page::Console, Page::Demo] {
            ends(page, "'none'");
        }
    }

    #[test]
    fn the_loader_is_the_same_under_both_names() {
        let [one, other] = [LOADER, LOADER_TOO].map(|path| find(path).unwrap());
        assert_eq!((one.etag, one.path), (other.etag, other.path));
        assert_eq!(other.cross_origin_resource_policy(), "cross-origin");
    }

    #[test]
    fn hashed_names_are_kept_for_ever_and_documents_are_not() {
        for asset in all() {
            assert_eq!(asset.cache_control().contains("immutable"), asset.immutable);
            assert_eq!(asset.immutable, asset.path.starts_with("/assets/"));
        }
    }

    #[test]
    fn compressed_copies_are_smaller() {
        for asset in all() {
            for copy in [asset.br, asset.gz].into_iter().flatten() {
                assert!(copy.len() < asset.raw.len(), "{}", asset.path);
            }
        }
    }
}
