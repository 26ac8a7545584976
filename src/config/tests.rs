use super::*;

fn load(file: &str, environment: &[(&str, &str)]) -> Result<Config, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("switchboard.toml");
    std::fs::write(&path, file).unwrap();
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(&path), environment)
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
    let config = load(
        "[server]\nlisten = \"127.0.0.1:1\"\nbehind_proxy = 1\n",
        &[
            ("SWITCHBOARD_SERVER_LISTEN", "127.0.0.1:2"),
            ("SWITCHBOARD_SERVER_ALLOWED_ORIGINS", "https://a.example, https://b.example"),
            ("SWITCHBOARD_SERVER_DEMO", "true"),
            ("SWITCHBOARD_SERVER_NODE", "7"),
            ("SWITCHBOARD_LISTENER_CONNECTIONS_MAX", "7"),
            ("SWITCHBOARD_ENVIRONMENT", "development"),
            ("SWITCHBOARD_ACTORS_AGENTS_SEE", "own"),
            ("SWITCHBOARD_JWT_SECRET", "01234567890123456789012345678901"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    config.check().unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.server.behind_proxy, 1);
    assert_eq!(config.server.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.server.node, "7", "a text that looks like a number stays a text");
    assert!(config.server.demo);
    assert_eq!(config.listener.connections_max, 7);
    assert_eq!(config.actors.agents_see, AgentsSee::Own);
    assert_eq!(config.jwt.secret.unwrap().len(), 32);
    assert_eq!(config.actors.idle_ms, 15_000);
    assert_eq!(config.environment, Environment::Development);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let config = load("[server]\nnode = \"a\"", &[("SWITCHBOARD_SERVER_NODE", "")]).unwrap();
    assert_eq!(config.server.node, "a");
}

#[test]
fn aliases_of_the_allowed_origins_add_up_and_our_own_name_wins() {
    let (a, b, c) = ("https://a.example", "https://b.example", "https://c.example");
    let ours = ("SWITCHBOARD_SERVER_ALLOWED_ORIGINS", c);
    for (environment, expected) in [
        (vec![("ALLOWED_ORIGINS", a)], vec![a]),
        (vec![("CORS_ORIGIN", b)], vec![b]),
        (vec![("ALLOWED_ORIGINS", a), ("CORS_ORIGIN", b)], vec![a, b]),
        (vec![("ALLOWED_ORIGINS", a), ours], vec![c]),
        (vec![ours, ("CORS_ORIGIN", b)], vec![c]),
    ] {
        let config = load("", &environment).unwrap();
        assert_eq!(config.server.allowed_origins, expected, "{environment:?}");
    }
}

#[test]
fn what_kubernetes_sets_for_a_service_of_our_name_is_not_ours() {
    load(
        "",
        &[
            ("SWITCHBOARD_SERVICE_HOST", "10.0.0.1"),
            ("SWITCHBOARD_SERVICE_PORT", "80"),
            ("SWITCHBOARD_SERVICE_PORT_HTTP", "80"),
            ("SWITCHBOARD_PORT", "tcp://10.0.0.1:80"),
            ("SWITCHBOARD_PORT_80_TCP_ADDR", "10.0.0.1"),
        ],
    )
    .unwrap();
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    for (file, variable, key, nearest) in [
        ("enviroment = \"production\"", None, "enviroment", "environment"),
        ("[sever]\nnode = \"a\"", None, "sever", "server"),
        ("[server]\nlisten_on = \"x\"", None, "server.listen_on", "server.listen"),
        ("[actors]\nidle_s = 1", None, "actors.idle_s", "actors.idle_ms"),
        (
            "",
            Some("SWITCHBOARD_SERVER_LISTN"),
            "SWITCHBOARD_SERVER_LISTN",
            "SWITCHBOARD_SERVER_LISTEN",
        ),
        ("", Some("SWITCHBOARD_JWT_SECRETS"), "SWITCHBOARD_JWT_SECRETS", "SWITCHBOARD_JWT_SECRET"),
    ] {
        let environment: Vec<_> = variable.map(|name| (name, "1")).into_iter().collect();
        match load(file, &environment) {
            Err(Error::Unknown { key: found, nearest: named }) => {
                assert_eq!((found.as_str(), named.as_str()), (key, nearest));
            }
            other => panic!("{key}: {other:?}"),
        }
    }
}

#[test]
fn a_value_of_the_wrong_kind_names_its_setting() {
    for (file, variable, key) in [
        ("environment = \"test\"", None, "environment"),
        ("server = 1", None, "server"),
        ("[server]\nlisten = \"somewhere\"", None, "server.listen"),
        ("[server]\nbehind_proxy = -1", None, "server.behind_proxy"),
        ("[actors]\nidle_ms = \"soon\"", None, "actors.idle_ms"),
        ("", Some(("SWITCHBOARD_SERVER_LISTEN", "somewhere")), "SWITCHBOARD_SERVER_LISTEN"),
        ("", Some(("SWITCHBOARD_SERVER_BEHIND_PROXY", "300")), "SWITCHBOARD_SERVER_BEHIND_PROXY"),
        ("", Some(("SWITCHBOARD_SERVER_DEMO", "maybe")), "SWITCHBOARD_SERVER_DEMO"),
        ("", Some(("SWITCHBOARD_ENVIRONMENT", "test")), "SWITCHBOARD_ENVIRONMENT"),
    ] {
        let environment: Vec<_> = variable.into_iter().collect();
        match load(file, &environment) {
            Err(Error::Value { key: found, what }) => {
                assert_eq!(found, key);
                assert!(!what.is_empty());
            }
            other => panic!("{key}: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_toml_names_the_file() {
    let error = load("[server", &[]).unwrap_err();
    assert!(matches!(&error, Error::Syntax { path, .. } if path.ends_with("switchboard.toml")));
    let missing = Path::new("/nowhere/switchboard.toml");
    assert!(matches!(Config::load(Some(missing), []), Err(Error::Read { .. })));
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let demo = "environment = \"development\"\n[server]\ndemo = true";
    let secret = format!("[jwt]\nsecret = \"{SECRET}\"");
    let short = format!("[jwt]\nsecret = \"{}\"", &SECRET[1..]);
    for (file, fine) in [
        ("", true),
        (demo, true),
        ("[server]\ndemo = true", false),
        (&format!("{demo}\nlisten = \"0.0.0.0:80\"\nbehind_proxy = 1"), false),
        (&secret, true),
        (&short, false),
        ("[server]\nlisten = \"127.0.0.1:80\"", true),
        ("[server]\nlisten = \"[::1]:80\"", true),
        ("[server]\nlisten = \"0.0.0.0:80\"", false),
        ("[server]\nlisten = \"[::]:80\"", false),
        ("[server]\nlisten = \"192.0.2.1:80\"", false),
        ("[server]\nlisten = \"0.0.0.0:80\"\nbehind_proxy = 1", true),
        ("[server]\nlisten = \"0.0.0.0:80\"\ntls_cert = \"c\"\ntls_key = \"k\"", true),
        ("[server]\ntls_cert = \"c\"", false),
        ("[server]\ntls_key = \"k\"", false),
        ("[server]\ndrain_seconds = 31", false),
        ("[server]\nnode = \"\"", false),
        ("[server]\nnode = \"a b\"", false),
        ("[server]\npublic_url = \"https://chat.example.com\"", true),
        ("[server]\npublic_url = \"http://127.0.0.1:8080\"", true),
        ("[server]\npublic_url = \"https://chat.example.com/\"", false),
        ("[server]\npublic_url = \"chat.example.com\"", false),
        ("[server]\nallowed_origins = [\"https://*.example.com\"]", true),
        ("[server]\nallowed_origins = [\"*\"]", false),
        ("[server]\nallowed_origins = [\"https://*\"]", false),
        ("[listener]\nconnections_max = 0", false),
        ("[listener]\nhead_timeout_ms = 0", false),
        ("[actors]\nidle_ms = 0", false),
        ("[store]\ncache_mib = 0", false),
        ("[auth]\nleeway_seconds = 5", true),
        ("[auth]\nleeway_seconds = 3000", false),
        ("[dialects]\nsocket_io_ping_ms = 100\nsocket_io_pong_ms = 120000", true),
        ("[dialects]\nsocket_io_ping_ms = 30001", false),
        ("[dialects]\nsocket_io_pong_ms = 99", false),
        ("[log]\nfilter = \"a=b=c\"", false),
    ] {
        assert_eq!(load(file, &[]).unwrap().check().is_ok(), fine, "{file}");
    }
}

#[test]
fn a_secret_is_shown_nowhere() {
    let config = load(&format!("[jwt]\nsecret = \"{SECRET}\""), &[]).unwrap();
    assert!(!format!("{config:?}").contains(SECRET));
    assert!(!serde_json::to_string(&config).unwrap().contains(SECRET));
}
