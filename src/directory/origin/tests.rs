use super::{Origin, Pattern};

#[test]
fn origins_are_read_only_as_browsers_write_them() {
    for good in [
        "https://good.example",
        "https://good.example:8443",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://[::1]:80",
        "https://xn--bcher-kva.example",
        "https://a_b.example",
    ] {
        let parsed: Result<Origin, _> = good.parse();
        let is_default_port = good.ends_with(":80");
        assert_eq!(parsed.is_ok(), !is_default_port, "{good}");
        if let Ok(origin) = parsed {
            assert_eq!(origin.to_string(), good);
        }
    }
}

#[test]
fn patterns_say_what_they_allow() {
    let table: &[(&str, &[&str], &[&str])] = &[
        (
            "https://good.example",
            &["https://good.example"],
            &["http://good.example", "https://good.example:444", "https://a.good.example"],
        ),
        (
            "https://*.good.example:8443",
            &["https://a.good.example:8443", "https://a.b.good.example:8443"],
            &["https://good.example:8443", "https://a.good.example", "https://agood.example:8443"],
        ),
        (
            "http://localhost:*",
            &["http://localhost", "http://localhost:1", "http://localhost:65535"],
            &["https://localhost", "http://127.0.0.1:1", "http://localhost.evil.example:1"],
        ),
        ("http://[::1]:8080", &["http://[::1]:8080"], &["http://[::1]", "http://[::2]:8080"]),
    ];
    for (pattern, allowed, refused) in table {
        let parsed: Pattern = pattern.parse().unwrap();
        assert_eq!(parsed.to_string(), *pattern);
        for origin in *allowed {
            assert!(parsed.allows(&origin.parse().unwrap()), "{pattern} {origin}");
        }
        for origin in *refused {
            let origin: Result<Origin, _> = origin.parse();
            assert!(!origin.is_ok_and(|origin| parsed.allows(&origin)), "{pattern}");
        }
    }
}

#[test]
fn patterns_that_allow_too_much_are_refused() {
    for bad in [
        "",
        "*",
        "https://*",
        "https://*.com",
        "https://*.*.example.com",
        "https://a.*.example.com",
        "https://*example.com",
        "http://good.example",
        "http://*.localhost",
        "https://good.example:*",
        "https://good.example:0",
        "https://good.example:99999",
        "https://good.example/",
        "https://good.example/path",
        "https://user@good.example",
        "https://Good.example",
        "https://good.example.",
        "https://bücher.example",
        "https://*.127.0.0.1",
        "https://[::1",
        "ftp://good.example",
        "null",
        "good.example",
    ] {
        assert!(bad.parse::<Pattern>().is_err(), "{bad}");
    }
}
