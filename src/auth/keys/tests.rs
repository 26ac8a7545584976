use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use switchboard_domain::ids::Timestamp;
use switchboard_domain::person::Role;

use super::{Error, Keys, Mint, TOKEN_BYTES_MAX};
use crate::auth::testing::{
    EC_ACME, ED_ACME, ED_OTHER, SECRET, acme_token, claims, default_token, key_set, keys, load,
    secret, sign_hmac, sign_pair, sign_text, unsigned, with,
};
use crate::auth::{Config, Flaw, Refused, SecretConfig};
use crate::directory::testing::START_S;

const NOW: Timestamp = Timestamp(START_S * 1_000);

/// What a hostile token is refused for.
fn check(keys: &Keys, table: Vec<(&str, String, Refused)>) -> usize {
    let n = table.len();
    for (name, token, expected) in table {
        let refused = keys.check(&token, NOW).map(|(key, claims)| (key.name.clone(), claims));
        assert_eq!(refused, Err(expected), "{name}: {token}");
    }
    n
}

fn is(flaw: Flaw) -> Refused {
    Refused::Invalid(flaw)
}

/// A token of `default`, signed well under any header.
fn headed(header: &Value) -> String {
    sign_hmac(Algorithm::HS256, SECRET, header, &claims())
}

/// A token under `ed-acme` with other members in its header, signed by that pair.
fn ed(pair: &crate::auth::testing::Pair, header: Value) -> String {
    sign_pair(pair, &with(json!({"alg": "EdDSA", "kid": "ed-acme"}), header), &claims())
}

#[test]
fn honest_tokens_come_in() {
    let keys = keys();
    for (token, tenant, role) in [
        (default_token(json!({})), "default", Role::Agent),
        (headed(&json!({"alg": "HS256"})), "default", Role::Agent),
        (headed(&json!({"alg": "HS256", "typ": "at+jwt", "x": [1]})), "default", Role::Agent),
        (acme_token(json!({})), "acme", Role::Agent),
        (acme_token(json!({"tenant": "acme", "role": "owner"})), "acme", Role::Owner),
        (ed(&ED_ACME, json!({"jku": "https://evil.example/jwks"})), "acme", Role::Agent),
        (ed(&ED_OTHER, json!({"kid": "ed-other"})), "other", Role::Agent),
        // The key gives agents at most.
        (
            sign_pair(
                &EC_ACME,
                &json!({"alg": "ES256", "kid": "ec-acme"}),
                &with(claims(), json!({"role": "SUPER_ADMIN"})),
            ),
            "acme",
            Role::Agent,
        ),
        (acme_token(json!({"role": null})), "acme", Role::Visitor),
        (
            acme_token(json!({"exp": START_S + 1, "nbf": START_S, "iat": START_S})),
            "acme",
            Role::Agent,
        ),
        // Within the leeway of five seconds.
        (acme_token(json!({"exp": START_S - 4, "nbf": START_S + 4})), "acme", Role::Agent),
        (acme_token(json!({"exp": 1_800_000_000.75})), "acme", Role::Agent),
    ] {
        let (key, claims) = keys.check(&token, NOW).unwrap_or_else(|e| panic!("{e:?}: {token}"));
        assert_eq!((&*key.tenant.0, claims.role), (tenant, role), "{token}");
    }
}

#[test]
fn no_token_chooses_its_algorithm_or_key() {
    let good = default_token(json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let none = |alg: &str| {
        format!("{}.", unsigned(&json!({"alg": alg}).to_string(), &claims().to_string()))
    };
    let hmac = |algorithm, alg: &str| {
        sign_hmac(algorithm, SECRET, &json!({"alg": alg, "typ": "JWT"}), &claims())
    };
    let confused = |public: &[u8], kid: &str| {
        let header = json!({"alg": "HS256", "kid": kid});
        sign_hmac(Algorithm::HS256, public, &header, &claims())
    };
    let ed_public = URL_SAFE_NO_PAD.decode(ED_ACME.public[0]).unwrap();
    let ec_public = URL_SAFE_NO_PAD.decode(EC_ACME.public[0]).unwrap();
    let kid = |kid: Value| headed(&json!({"alg": "HS256", "kid": kid}));
    let attacker = json!({"kty": "OKP", "crv": "Ed25519", "x": ED_OTHER.public[0]});
    let flipped = {
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[31] ^= 1;
        URL_SAFE_NO_PAD.encode(bytes)
    };
    let swapped = {
        let admin = with(claims(), json!({"role": "owner"}));
        let header = signed.split('.').next().unwrap();
        format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(admin.to_string()))
    };
    let n = check(
        &keys(),
        vec![
            ("none", none("none"), is(Flaw::Algorithm)),
            ("None", none("None"), is(Flaw::Algorithm)),
            ("NONE", none("NONE"), is(Flaw::Algorithm)),
            ("nOnE", none("nOnE"), is(Flaw::Algorithm)),
            ("none, signed", headed(&json!({"alg": "none"})), is(Flaw::Algorithm)),
            ("no alg", headed(&json!({"typ": "JWT"})), is(Flaw::Algorithm)),
            ("alg is a number", headed(&json!({"alg": 256})), is(Flaw::Algorithm)),
            ("alg is a list", headed(&json!({"alg": ["HS256"]})), is(Flaw::Algorithm)),
            ("alg in lower case", headed(&json!({"alg": "hs256"})), is(Flaw::Algorithm)),
            ("HS384", hmac(Algorithm::HS384, "HS384"), is(Flaw::Algorithm)),
            ("HS512", hmac(Algorithm::HS512, "HS512"), is(Flaw::Algorithm)),
            ("HS512 as HS256", hmac(Algorithm::HS512, "HS256"), is(Flaw::Signature)),
            ("RS256", headed(&json!({"alg": "RS256"})), is(Flaw::Algorithm)),
            ("PS256", headed(&json!({"alg": "PS256"})), is(Flaw::Algorithm)),
            ("ES384", headed(&json!({"alg": "ES384"})), is(Flaw::Algorithm)),
            ("EdDSA key as secret", confused(&ed_public, "ed-acme"), is(Flaw::Algorithm)),
            ("its text", confused(ED_ACME.public[0].as_bytes(), "ed-acme"), is(Flaw::Algorithm)),
            ("ES256 key as secret", confused(&ec_public, "ec-acme"), is(Flaw::Algorithm)),
            ("EdDSA without kid", ed(&ED_ACME, json!({"kid": null})), is(Flaw::Algorithm)),
            ("ES256 under EdDSA", ed(&ED_ACME, json!({"alg": "ES256"})), is(Flaw::Algorithm)),
            ("EdDSA under ES256", ed(&ED_ACME, json!({"kid": "ec-acme"})), is(Flaw::Algorithm)),
            ("unknown kid", kid(json!("nobody")), is(Flaw::Key)),
            ("kid is a path", kid(json!("../../../../dev/null")), is(Flaw::Key)),
            ("kid is SQL", kid(json!("x' UNION SELECT 'secret' --")), is(Flaw::Key)),
            ("kid is a command", kid(json!("| id")), is(Flaw::Key)),
            ("kid is empty", kid(json!("")), is(Flaw::Key)),
            ("kid is null", kid(Value::Null), is(Flaw::Key)),
            ("kid is a number", kid(json!(0)), is(Flaw::Key)),
            ("kid is a list", kid(json!(["ed-acme"])), is(Flaw::Key)),
            ("kid of the secret", kid(json!("(secret)")), is(Flaw::Key)),
            ("kid in other case", ed(&ED_ACME, json!({"kid": "ED-ACME"})), is(Flaw::Key)),
            ("kid with NUL", ed(&ED_ACME, json!({"kid": "ed-acme\0"})), is(Flaw::Key)),
            (
                "empty secret",
                sign_hmac(Algorithm::HS256, b"", &json!({"alg": "HS256"}), &claims()),
                is(Flaw::Signature),
            ),
            (
                "another secret",
                sign_hmac(Algorithm::HS256, &[7; 32], &json!({"alg": "HS256"}), &claims()),
                is(Flaw::Signature),
            ),
            ("empty signature", format!("{signed}."), is(Flaw::Signature)),
            ("half a signature", format!("{signed}.{}", &signature[..20]), is(Flaw::Signature)),
            ("one bit", format!("{signed}.{flipped}"), is(Flaw::Signature)),
            ("padded signature", format!("{good}="), is(Flaw::Signature)),
            ("zero signature", format!("{signed}.{}", "A".repeat(43)), is(Flaw::Signature)),
            ("other claims", swapped, is(Flaw::Signature)),
            ("another tenant's key", ed(&ED_OTHER, json!({})), is(Flaw::Signature)),
            ("jwk", ed(&ED_OTHER, json!({"jwk": attacker.clone()})), is(Flaw::Signature)),
            (
                "jwk without kid",
                ed(&ED_OTHER, json!({"jwk": attacker, "kid": null})),
                is(Flaw::Algorithm),
            ),
            ("jku", ed(&ED_OTHER, json!({"jku": "https://evil.example/k"})), is(Flaw::Signature)),
            ("x5u", ed(&ED_OTHER, json!({"x5u": "https://evil.example/c"})), is(Flaw::Signature)),
            ("x5c", ed(&ED_OTHER, json!({"x5c": ["MIIB"]})), is(Flaw::Signature)),
            (
                "an all-zero EdDSA signature",
                format!(
                    "{}.{}",
                    unsigned(r#"{"alg":"EdDSA","kid":"ed-acme"}"#, &claims().to_string()),
                    "A".repeat(86)
                ),
                is(Flaw::Signature),
            ),
            (
                "an all-zero ES256 signature",
                format!(
                    "{}.{}",
                    unsigned(r#"{"alg":"ES256","kid":"ec-acme"}"#, &claims().to_string()),
                    "A".repeat(86)
                ),
                is(Flaw::Signature),
            ),
            ("crit", headed(&json!({"alg": "HS256", "crit": ["exp"]})), is(Flaw::Critical)),
            (
                "b64",
                headed(&json!({"alg": "HS256", "b64": false, "crit": ["b64"]})),
                is(Flaw::Critical),
            ),
            (
                "another type",
                headed(&json!({"alg": "HS256", "typ": "secevent+jwt"})),
                is(Flaw::Type),
            ),
            ("type is a number", headed(&json!({"alg": "HS256", "typ": 1})), is(Flaw::Type)),
        ],
    );
    assert!(n >= 50, "{n}");
}

#[test]
fn what_is_no_token_is_refused() {
    let good = default_token(json!({}));
    let under_secret = |signed: String| {
        let key = EncodingKey::from_secret(SECRET);
        let signature = crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{signed}.{signature}")
    };
    let header = r#"{"alg":"HS256"}"#;
    let text = |header: &str, claims: &str| under_secret(unsigned(header, claims));
    let exp = START_S + 3_600;
    let deep = format!(r#"{{"sub":"a","exp":{exp},"x":{}{}}}"#, "[".repeat(300), "]".repeat(300));
    let bytes = |payload: &[u8]| {
        let header = URL_SAFE_NO_PAD.encode(header);
        under_secret(format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload)))
    };
    let standard = {
        let claims = with(claims(), json!({"name": "\u{ff}\u{ff}\u{fe}??>>"}));
        let header = URL_SAFE_NO_PAD.encode(header);
        under_secret(format!("{header}.{}", STANDARD.encode(claims.to_string())))
    };
    let parts: Vec<&str> = good.split('.').collect();
    let n = check(
        &keys(),
        vec![
            ("nothing", String::new(), is(Flaw::Shape)),
            ("dots", "..".to_owned(), is(Flaw::Shape)),
            ("two parts", parts[..2].join("."), is(Flaw::Shape)),
            ("four parts", format!("{good}.x"), is(Flaw::Shape)),
            ("five parts", "a.b.c.d.e".to_owned(), is(Flaw::Shape)),
            ("a scheme before it", format!("Bearer {good}"), is(Flaw::Shape)),
            ("a space before it", format!(" {good}"), is(Flaw::Shape)),
            ("a line end after it", format!("{good}\n"), is(Flaw::Signature)),
            ("too long", "x".repeat(TOKEN_BYTES_MAX + 1), is(Flaw::Size)),
            (
                "a header too long",
                headed(&json!({"alg": "HS256", "x": "x".repeat(2_048)})),
                is(Flaw::Size),
            ),
            ("claims in standard base64", standard, is(Flaw::Shape)),
            ("claims are no JSON", text(header, "sub=ada"), is(Flaw::Shape)),
            ("claims are a list", text(header, "[]"), is(Flaw::Shape)),
            ("claims are a text", text(header, "\"ada\""), is(Flaw::Shape)),
            ("claims are cut off", text(header, r#"{"sub":"ada""#), is(Flaw::Shape)),
            ("claims go on", text(header, &format!("{} x", claims())), is(Flaw::Shape)),
            ("claims are too deep", text(header, &deep), is(Flaw::Shape)),
            ("claims are no UTF-8", bytes(b"{\"sub\":\"\xff\"}"), is(Flaw::Shape)),
            ("a header that is a list", text("[]", &claims().to_string()), is(Flaw::Shape)),
            (
                "alg twice",
                text(r#"{"alg":"none","alg":"HS256"}"#, &claims().to_string()),
                is(Flaw::Shape),
            ),
            (
                "kid twice",
                sign_text(
                    &ED_ACME,
                    &unsigned(
                        r#"{"alg":"EdDSA","kid":"ed-other","kid":"ed-acme"}"#,
                        &claims().to_string(),
                    ),
                ),
                is(Flaw::Shape),
            ),
            (
                "sub twice",
                text(header, &format!(r#"{{"sub":"a","sub":"b","exp":{exp}}}"#)),
                is(Flaw::Shape),
            ),
            (
                "role twice",
                text(
                    header,
                    &format!(r#"{{"sub":"a","role":"visitor","role":"owner","exp":{exp}}}"#),
                ),
                is(Flaw::Shape),
            ),
            (
                "exp twice",
                text(header, &format!(r#"{{"sub":"a","exp":1,"exp":{exp}}}"#)),
                is(Flaw::Shape),
            ),
        ],
    );
    assert!(n >= 20, "{n}");
}

#[test]
fn claims_are_held_to_their_key_and_their_time() {
    let long = "s".repeat(257);
    let table = vec![
        ("no exp", json!({"exp": null}), is(Flaw::Expiry)),
        ("exp is a text", json!({"exp": "1999999999"}), is(Flaw::Expiry)),
        ("exp is true", json!({"exp": true}), is(Flaw::Expiry)),
        ("exp is negative", json!({"exp": -1}), is(Flaw::Expiry)),
        ("exp is immense", json!({"exp": 1e300}), is(Flaw::Expiry)),
        ("exp is out of range", json!({"exp": u64::MAX}), is(Flaw::Expiry)),
        ("exp in milliseconds", json!({"exp": START_S * 1_000}), is(Flaw::Expiry)),
        ("ended at the leeway", json!({"exp": START_S - 5}), is(Flaw::Expired)),
        ("ended long ago", json!({"exp": 0}), is(Flaw::Expired)),
        ("not yet", json!({"nbf": START_S + 6}), is(Flaw::NotYet)),
        ("nbf is a text", json!({"nbf": "0"}), is(Flaw::NotBefore)),
        ("iat is a text", json!({"iat": "0"}), is(Flaw::IssuedAt)),
        ("another tenant", json!({"tenant": "other"}), is(Flaw::Tenant)),
        ("tenants", json!({"tenant": ["acme"]}), is(Flaw::Tenant)),
        ("tenant in other case", json!({"tenant": "Acme"}), is(Flaw::Tenant)),
        ("tenant is empty", json!({"tenant": ""}), is(Flaw::Tenant)),
        ("tenant is a number", json!({"tenant": 1}), is(Flaw::Tenant)),
        ("no sub", json!({"sub": null}), is(Flaw::Subject)),
        ("sub is empty", json!({"sub": ""}), is(Flaw::Subject)),
        ("sub is blank", json!({"sub": "  "}), is(Flaw::Subject)),
        ("sub is zero", json!({"sub": 0}), is(Flaw::Subject)),
        ("sub is negative", json!({"sub": -1}), is(Flaw::Subject)),
        ("sub is a fraction", json!({"sub": 1.5}), is(Flaw::Subject)),
        ("sub is beyond 2^53", json!({"sub": 9_007_199_254_740_992_u64}), is(Flaw::Subject)),
        ("sub is an object", json!({"sub": {"$ne": ""}}), is(Flaw::Subject)),
        ("sub with NUL", json!({"sub": "ada\u{0}"}), is(Flaw::Subject)),
        ("sub with a line end", json!({"sub": "ada\nrole: admin"}), is(Flaw::Subject)),
        ("sub is too long", json!({"sub": long}), is(Flaw::Subject)),
        ("an unknown role", json!({"role": "root"}), Refused::UnknownRole),
        ("a role in other case", json!({"role": "Admin"}), Refused::UnknownRole),
        ("an empty role", json!({"role": ""}), Refused::UnknownRole),
        ("roles", json!({"role": ["admin"]}), Refused::UnknownRole),
        ("a role by number", json!({"role": 4}), Refused::UnknownRole),
    ];
    let tokens =
        table.into_iter().map(|(name, change, why)| (name, acme_token(change), why)).collect();
    let n = check(&keys(), tokens);
    // A null tenant cannot be said through `with`, which takes null for "absent".
    let mut null = claims();
    null["tenant"] = Value::Null;
    let header = json!({"alg": "EdDSA", "kid": "ed-acme"});
    let token = sign_pair(&ED_ACME, &header, &null);
    check(&keys(), vec![("tenant is null", token, is(Flaw::Tenant))]);
    assert!(n >= 30, "{n}");
}

#[test]
fn issuer_and_audience_are_checked_when_configured() {
    let config = Config {
        issuer: Some("https://id.example".to_owned()),
        audience: Some("switchboard".to_owned()),
        ..Config::default()
    };
    let keys = load(&key_set(), config).unwrap();
    let good = json!({"iss": "https://id.example", "aud": "switchboard"});
    let token = |change: Value| acme_token(with(good.clone(), change));
    for honest in [token(json!({})), token(json!({"aud": ["else", "switchboard"]}))] {
        let (key, claims) = keys.check(&honest, NOW).unwrap();
        assert_eq!(claims.issuer.as_deref(), Some("https://id.example"));
        assert_eq!(
            key.source(),
            crate::directory::person::Source::Issuer("https://id.example".into())
        );
    }
    check(
        &keys,
        vec![
            ("no iss", token(json!({"iss": null})), is(Flaw::Issuer)),
            ("another iss", token(json!({"iss": "https://id.example.evil"})), is(Flaw::Issuer)),
            ("a slash more", token(json!({"iss": "https://id.example/"})), is(Flaw::Issuer)),
            ("isses", token(json!({"iss": ["https://id.example"]})), is(Flaw::Issuer)),
            ("no aud", token(json!({"aud": null})), is(Flaw::Audience)),
            ("another aud", token(json!({"aud": "switchboard2"})), is(Flaw::Audience)),
            ("other auds", token(json!({"aud": ["a", "b"]})), is(Flaw::Audience)),
            ("no auds", token(json!({"aud": []})), is(Flaw::Audience)),
            ("mixed auds", token(json!({"aud": ["switchboard", 1]})), is(Flaw::Audience)),
            ("aud is an object", token(json!({"aud": {"switchboard": 1}})), is(Flaw::Audience)),
        ],
    );
}

#[test]
fn a_key_file_that_could_be_misused_is_refused() {
    let good = key_set()["keys"][0].clone();
    let table = [
        ("no kid", json!({"kid": null})),
        ("an empty kid", json!({"kid": ""})),
        ("the secret's name", json!({"kid": "(secret)"})),
        ("no tenant", json!({"tenant": null})),
        ("a tenant with a dot", json!({"tenant": "a.b"})),
        ("an empty tenant", json!({"tenant": ""})),
        ("an unknown role", json!({"role": "root"})),
        ("a private part", json!({"d": "AAAA"})),
        ("for encryption", json!({"use": "enc"})),
        ("another alg", json!({"alg": "ES256"})),
        ("HS256", json!({"kty": "oct", "k": "AAAA", "crv": null, "x": null, "alg": "HS256"})),
        ("RSA", json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "crv": null, "x": null})),
        ("another curve", json!({"kty": "EC", "crv": "P-384", "y": good["x"].clone()})),
        (
            "not on the curve",
            json!({"kty": "EC", "crv": "P-256", "y": good["x"].clone(), "alg": "ES256"}),
        ),
        ("too short", json!({"x": "AAAA"})),
        ("no base64", json!({"x": "***"})),
    ];
    for (name, change) in table {
        let file = json!({"keys": [with(good.clone(), change)]});
        assert!(load(&file, Config::default()).is_err(), "{name}");
    }
    assert!(load(&json!({"keys": [good.clone()]}), Config::default()).is_ok());
    let twice = load(&json!({"keys": [good.clone(), good]}), Config::default());
    assert!(matches!(twice, Err(Error::Key { why: "is there twice", .. })));
}

#[test]
fn without_secret_and_file_nothing_comes_in_or_is_signed() {
    let keys = Keys::load(&SecretConfig::default(), &Config::default()).unwrap();
    check(&keys, vec![("good elsewhere", default_token(json!({})), is(Flaw::Key))]);
    assert!(matches!(keys.mint(&mint()), Err(Error::NoSecret)));
}

fn mint() -> Mint<'static> {
    Mint {
        subject: "ada",
        name: Some("Ada"),
        email: Some("ada@example.org"),
        role: Role::Admin,
        now: NOW,
        lifetime_s: 60,
    }
}

#[test]
fn a_minted_token_is_accepted_under_every_setting() {
    let renamed = Config {
        issuer: Some("us".to_owned()),
        audience: Some("us too".to_owned()),
        role_claim: Some("rank".to_owned()),
        name_claim: Some("called".to_owned()),
        email_claim: Some("mail".to_owned()),
        ..Config::default()
    };
    for config in [Config::default(), renamed] {
        let keys = Keys::load(&secret(), &config).unwrap();
        let token = keys.mint(&mint()).unwrap();
        let (key, claims) = keys.check(&token, NOW).unwrap();
        assert_eq!(
            (&*key.tenant.0, &*claims.subject, claims.role),
            ("default", "ada", Role::Admin)
        );
        assert_eq!(claims.profile.name.as_deref(), Some("Ada"));
        assert_eq!(claims.profile.email.as_deref(), Some("ada@example.org"));
        assert_eq!(claims.expires_at, NOW.plus_ms(60_000));
        assert!(keys.check(&token, NOW.plus_ms(65_000)).is_err());
    }
}

#[test]
fn claims_are_cleaned_and_bounded() {
    let keys = keys();
    let read = |change| keys.check(&acme_token(change), NOW).unwrap().1;
    let claims = read(json!({
        "sub": 42,
        "name": format!("\u{7}Ada\r\n {}", "ä".repeat(200)),
        "given_name": "Ada", "family_name": ["Lovelace"], "email": "  ",
        "account_created_at": "2020-01-02T03:04:05Z", "account_status": "active",
        "iat": START_S + 1_000_000,
    }));
    assert_eq!(&*claims.subject, "42");
    let name = claims.profile.name.unwrap();
    assert!(name.starts_with("Ada ä") && name.len() <= 200, "{name}");
    assert_eq!(claims.profile.given_name.as_deref(), Some("Ada"));
    assert_eq!((claims.profile.family_name, claims.profile.email), (None, None));
    assert_eq!(claims.profile.account_created_at, Some(Timestamp(1_577_934_245_000)));
    assert_eq!(claims.profile.account_status.as_deref(), Some("active"));
    assert_eq!(claims.issued_at, NOW, "a token from the future was made now at the latest");
    let claims = read(json!({"account_created_at": 1_577_934_245}));
    assert_eq!(claims.profile.account_created_at, Some(Timestamp(1_577_934_245_000)));
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let printed = format!("{:?}", keys());
    let secret = std::str::from_utf8(SECRET).unwrap();
    assert!(printed.contains("ed-acme") && !printed.contains(secret), "{printed}");
}
