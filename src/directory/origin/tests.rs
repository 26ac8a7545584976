use super::{Origin, Pattern};
use crate::directory::testing::{Setup, tenant};
use crate::directory::widget::{Settings, Widget};

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

/// S2: sixty origins against the lists of one tenant.
#[tokio::test]
async fn only_exact_entries_of_the_tenants_own_widgets_are_allowed() {
    let setup = Setup::new().await;
    let (acme, other) = (tenant("acme"), tenant("other"));
    let list = |origins: &[&str]| Settings {
        name: "Main".to_owned(),
        allowed_origins: origins.iter().map(|origin| origin.parse().unwrap()).collect(),
        ..Settings::default()
    };
    let lists: [(_, _, &[&str]); 3] = [
        (&acme, "main", &["https://good.example", "https://*.wild.example", "http://localhost:*"]),
        (&acme, "shop", &["https://shop.example:8443", "https://xn--bcher-kva.example"]),
        (&other, "main", &["https://other.example"]),
    ];
    for (tenant, id, origins) in lists {
        let widget = Widget::new(id, list(origins)).unwrap();
        setup.directory.create_widget(tenant, widget).await.unwrap();
    }
    let allowed = [
        "https://good.example",
        "https://a.wild.example",
        "https://a.b.wild.example",
        "https://shop.example:8443",
        "https://xn--bcher-kva.example",
        "http://localhost",
        "http://localhost:3000",
    ];
    let refused = [
        "",
        "null",
        "*",
        "https://",
        "https://evil.example",
        "https://other.example",
        "http://good.example",
        "https://good.example:8443",
        "https://good.example:443",
        "https://good.example:0443",
        "https://good.example:",
        "https://good.example:x",
        "https://good.example:-1",
        "https://good.example:65536",
        "https://good.example:443:443",
        "https://good.example/",
        "https://good.example/path",
        "https://good.example?x",
        "https://good.example#x",
        "https://good.example.",
        "https://good.example..",
        "https://.good.example",
        "https://Good.example",
        "https://GOOD.EXAMPLE",
        "HTTPS://good.example",
        "https:/good.example",
        "https:good.example",
        "//good.example",
        "good.example",
        "wss://good.example",
        "ftp://good.example",
        "file://good.example",
        "https://good.example.evil.example",
        "https://evilgood.example",
        "https://sub.good.example",
        "https://good.example@evil.example",
        "https://user@good.example",
        "https://user:pass@good.example",
        "https://good.example%2eevil.example",
        "https://good.example\u{0}.evil.example",
        "https://good.example evil.example",
        "https://good.example,https://evil.example",
        " https://good.example",
        "https://good.example ",
        "https://good.example\r\n",
        "https://gооd.example",
        "https://good。example",
        "https://xn--good-.example",
        "https://bücher.example",
        "https://wild.example",
        "https://.wild.example",
        "https://*.wild.example",
        "https://evilwild.example",
        "https://a.wild.example.evil.example",
        "https://a.wild.example:8443",
        "http://a.wild.example",
        "https://shop.example",
        "https://localhost:3000",
        "http://localhost:0",
        "http://localhost.evil.example",
        "http://127.0.0.1:3000",
        "http://127.1:3000",
        "http://[::1]:3000",
        "http://0x7f000001",
        "http://2130706433",
    ];
    assert!(allowed.len() + refused.len() >= 60);
    let may = |tenant, text: &str| {
        text.parse().is_ok_and(|origin| setup.directory.allows_origin(tenant, &origin))
    };
    for origin in allowed {
        assert!(may(&acme, origin), "{origin:?}");
        assert!(!may(&other, origin), "{origin:?} elsewhere");
    }
    for origin in refused {
        assert!(!may(&acme, origin), "{origin:?}");
    }
    assert!(may(&other, "https://other.example"));
    // Before the caller is known, every tenant's pages are.
    let known = |text: &str| setup.directory.knows_origin(&text.parse().unwrap());
    assert!(known("https://other.example") && known("https://good.example"));
    assert!(!known("https://evil.example"));
}

#[tokio::test]
async fn a_changed_list_counts_at_once_and_after_a_restart() {
    let mut setup = Setup::new().await;
    let acme = tenant("acme");
    let widget = |origin: &str| {
        let allowed_origins = vec![origin.parse().unwrap()];
        let settings = Settings { name: "Main".to_owned(), allowed_origins, ..Settings::default() };
        Widget::new("main", settings).unwrap()
    };
    let old = "https://old.example".parse().unwrap();
    let new = "https://new.example".parse().unwrap();
    setup.directory.create_widget(&acme, widget("https://old.example")).await.unwrap();
    assert!(setup.directory.allows_origin(&acme, &old));
    setup.directory.replace_widget(&acme, widget("https://new.example"), None).await.unwrap();
    assert!(!setup.directory.allows_origin(&acme, &old));
    assert!(setup.directory.allows_origin(&acme, &new));
    setup.restart().await;
    assert!(!setup.directory.allows_origin(&acme, &old));
    assert!(setup.directory.allows_origin(&acme, &new));
}
