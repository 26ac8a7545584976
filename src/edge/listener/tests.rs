use std::time::Instant;

use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::StatusCode;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::*;

/// What a test waits for before it says that something does not happen.
const PATIENCE: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    lead: phase::Lead,
    metrics: Arc<Metrics>,
    /// Opened by the test to let `/held` answer and upgraded sockets go.
    gate: Arc<Notify>,
    serving: JoinHandle<usize>,
}

fn plain() -> Manner {
    Manner { is_production: true, hops: 0, tls: None }
}

fn serve(config: &Config, manner: Manner) -> Served {
    let (lead, watch) = phase::starting();
    lead.advance(Phase::Ready);
    let metrics = Metrics::new();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = Listener::bind(any_port, config, manner, &metrics).unwrap();
    let address = listener.local_address().unwrap();
    let gate = Arc::new(Notify::new());
    let serving = tokio::spawn(listener.serve(routes(&gate), watch));
    Served { address, lead, metrics, gate, serving }
}

fn routes(gate: &Arc<Notify>) -> Router {
    let (held, upgraded) = (Arc::clone(gate), Arc::clone(gate));
    Router::new()
        .route("/", get(async || "here"))
        .route("/echo", post(async |body: String| body))
        .route("/large", get(async || vec![0_u8; 64 * 1024 * 1024]))
        .route(
            "/peer",
            get(async |request: Request| {
                request.extensions().get::<Peer>().unwrap().address.to_string()
            }),
        )
        .route(
            "/held",
            get(async move || {
                held.notified().await;
                "held"
            }),
        )
        .route(
            "/upgrade",
            get(async move |mut request: Request| {
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let _socket = upgrade.await.unwrap();
                    upgraded.notified().await;
                });
                (StatusCode::SWITCHING_PROTOCOLS, [("upgrade", "test"), ("connection", "upgrade")])
                    .into_response()
            }),
        )
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request and reads the head of the answer and what came with it.
    async fn ask(&self, socket: &mut TcpStream, request: &str) -> String {
        socket.write_all(request.as_bytes()).await.unwrap();
        read_some(socket).await
    }

    fn refused(&self, why: Refused) -> u64 {
        let name = format!("{why:?}");
        let name = name.chars().fold(String::new(), |mut name, c| {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
            name
        });
        self.metrics.connections.refused.of(&name).get()
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const UPGRADE: &str =
    "GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: test\r\n\r\n";

async fn read_some(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut buffer = vec![0; 4_096];
    let read = tokio::time::timeout(PATIENCE, socket.read(&mut buffer)).await.unwrap();
    let read = read.unwrap_or(0);
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

/// How long it takes until the other end is closed, whatever still comes.
async fn closed_after(socket: &mut (impl AsyncRead + Unpin)) -> Duration {
    let began = Instant::now();
    let mut sink = vec![0; 64 * 1024];
    let closing = async { while socket.read(&mut sink).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(PATIENCE, closing).await.expect("the connection is closed");
    began.elapsed()
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it happens");
}

#[tokio::test]
async fn a_head_that_drips_is_cut_and_others_are_served() {
    let config = Config { head_timeout_ms: 1_000, ..Config::default() };
    let served = serve(&config, plain());
    let (mut read, mut write) = served.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        for byte in GET.bytes().cycle().filter(|byte| *byte != b'\n') {
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut quick = served.connect().await;
    assert!(served.ask(&mut quick, GET).await.starts_with("HTTP/1.1 200"));
    assert!(closed_after(&mut read).await >= Duration::from_millis(500));
    dripping.abort();
    until(|| served.refused(Refused::Slow) == 1).await;
}

#[tokio::test]
async fn a_connection_may_wait_longer_for_a_request_than_the_request_may_take() {
    let config = Config { head_timeout_ms: 1_000, idle_timeout_ms: 60_000, ..Config::default() };
    let served = serve(&config, plain());
    let mut socket = served.connect().await;
    assert!(served.ask(&mut socket, GET).await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(served.ask(&mut socket, GET).await.starts_with("HTTP/1.1 200"));
    assert_eq!(served.refused(Refused::Slow), 0, "waiting is not slow");
    socket.write_all(b"GET / HT").await.unwrap();
    closed_after(&mut socket).await;
    assert_eq!(served.refused(Refused::Slow), 1, "a second head has no more time than a first");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let config = Config { head_timeout_ms: 1_000, idle_timeout_ms: 1_000, ..Config::default() };
    let served = serve(&config, plain());
    let mut socket = served.connect().await;
    assert!(served.ask(&mut socket, GET).await.starts_with("HTTP/1.1 200"));
    assert!(closed_after(&mut socket).await >= Duration::from_millis(500));
    assert_eq!(served.refused(Refused::Slow), 0, "waiting is not slow");
}

#[tokio::test]
async fn a_full_node_says_so_and_takes_in_again() {
    let config = Config { connections_max: 2, ..Config::default() };
    let served = serve(&config, plain());
    let mut first = served.connect().await;
    assert!(served.ask(&mut first, GET).await.starts_with("HTTP/1.1 200"));
    let mut second = served.connect().await;
    assert!(served.ask(&mut second, GET).await.starts_with("HTTP/1.1 200"));
    let mut third = served.connect().await;
    let answer = served.ask(&mut third, GET).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after"), "{answer}");
    assert_eq!(served.refused(Refused::NodeFull), 1);
    assert_eq!(served.metrics.connections.open.get(), 2);
    drop(first);
    until(|| served.metrics.connections.open.get() == 1).await;
    let mut fourth = served.connect().await;
    assert!(served.ask(&mut fourth, GET).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_address_is_capped_in_production_alone() {
    let config = Config { connections_per_address_max: 1, ..Config::default() };
    for (is_production, expected) in [(true, "HTTP/1.1 429"), (false, "HTTP/1.1 200")] {
        let served = serve(&config, Manner { is_production, hops: 0, tls: None });
        let mut first = served.connect().await;
        assert!(served.ask(&mut first, GET).await.starts_with("HTTP/1.1 200"));
        let mut second = served.connect().await;
        let answer = served.ask(&mut second, GET).await;
        assert!(answer.starts_with(expected), "{answer}");
    }
}

#[tokio::test]
async fn behind_a_proxy_each_client_is_capped_by_its_own_address() {
    let config = Config { connections_per_address_max: 1, ..Config::default() };
    let served = serve(&config, Manner { is_production: true, hops: 1, tls: None });
    let from = |path: &str, client: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 8.8.8.8, {client}\r\n\r\n")
    };
    let mut holder = served.connect().await;
    holder.write_all(from("/held", "192.0.2.1").as_bytes()).await.unwrap();
    let mut socket = served.connect().await;
    assert!(served.ask(&mut socket, &from("/peer", "192.0.2.2")).await.ends_with("192.0.2.2"));
    let answer = async || served.ask(&mut served.connect().await, &from("/", "192.0.2.1")).await;
    while !answer().await.starts_with("HTTP/1.1 429") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    served.gate.notify_one();
    assert!(read_some(&mut holder).await.ends_with("held"));
    while !answer().await.starts_with("HTTP/1.1 200") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let upgrade = UPGRADE.replace("host: a", "host: a\r\nx-forwarded-for: 192.0.2.9");
    let mut upgraded = served.connect().await;
    assert!(served.ask(&mut upgraded, &upgrade).await.starts_with("HTTP/1.1 101"));
    let mut again = served.connect().await;
    let answer = served.ask(&mut again, &from("/", "192.0.2.9")).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "an upgraded socket keeps its place: {answer}");
}

#[tokio::test]
async fn a_head_or_body_that_is_too_large_is_refused() {
    let config = Config { head_bytes_max: 9_000, body_bytes_max: 2_000, ..Config::default() };
    let served = serve(&config, plain());
    let head = |bytes| format!("GET / HTTP/1.1\r\nhost: a\r\nx-a: {}\r\n\r\n", "a".repeat(bytes));
    let body = |bytes: usize| {
        let body = "a".repeat(bytes);
        format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {bytes}\r\n\r\n{body}")
    };
    let pieces = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_owned()
        + &format!("3e8\r\n{}\r\n", "a".repeat(1_000)).repeat(3)
        + "0\r\n\r\n";
    for (request, expected) in [
        (head(7_000), "HTTP/1.1 200"),
        (head(10_000), "HTTP/1.1 431"),
        (body(2_000), "HTTP/1.1 200"),
        (body(2_001), "HTTP/1.1 413"),
        (pieces, "HTTP/1.1 413"),
        ("nonsense\r\n\r\n".to_owned(), "HTTP/1.1 400"),
    ] {
        let answer = served.ask(&mut served.connect().await, &request).await;
        assert!(answer.starts_with(expected), "{expected}: {answer}");
    }
    until(|| served.refused(Refused::Malformed) == 2).await;
}

#[tokio::test]
async fn a_body_that_drips_is_cut() {
    let config = Config { body_timeout_ms: 200, ..Config::default() };
    let served = serve(&config, plain());
    let mut socket = served.connect().await;
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nonly this";
    let answer = served.ask(&mut socket, head).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    closed_after(&mut socket).await;
    assert_eq!(served.refused(Refused::Slow), 1);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    let config = Config { write_timeout_ms: 200, ..Config::default() };
    let served = serve(&config, plain());
    let mut socket = served.connect().await;
    socket.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(|| served.metrics.connections.open.get() == 1).await;
    until(|| served.metrics.connections.open.get() == 0).await;
    assert_eq!(served.refused(Refused::Slow), 1);
}

#[tokio::test]
async fn a_drain_ends_what_waits_finishes_what_is_asked_and_takes_nobody_in() {
    let served = serve(&Config::default(), plain());
    let mut waiting = served.connect().await;
    assert!(served.ask(&mut waiting, GET).await.starts_with("HTTP/1.1 200"));
    let mut asked = served.connect().await;
    asked.write_all(b"GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut upgraded = served.connect().await;
    assert!(served.ask(&mut upgraded, UPGRADE).await.starts_with("HTTP/1.1 101"));
    until(|| served.metrics.connections.open.get() == 3).await;

    served.lead.advance(Phase::Draining);
    closed_after(&mut waiting).await;
    assert!(TcpStream::connect(served.address).await.is_err());
    assert_eq!(served.metrics.connections.open.get(), 2, "one is asked, one is upgraded");
    served.gate.notify_waiters();
    let answer = read_some(&mut asked).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("held"), "{answer}");
    assert_eq!(tokio::time::timeout(PATIENCE, served.serving).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_cut_does_not_wait() {
    let served = serve(&Config::default(), plain());
    let mut upgraded = served.connect().await;
    assert!(served.ask(&mut upgraded, UPGRADE).await.starts_with("HTTP/1.1 101"));
    served.lead.advance(Phase::Draining);
    served.lead.advance(Phase::Cutting);
    assert_eq!(tokio::time::timeout(PATIENCE, served.serving).await.unwrap().unwrap(), 1);
}

/// A folder with a copy of a test certificate.
fn certificate(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_certificate(name, &folder);
    folder
}

fn copy_certificate(name: &str, folder: &tempfile::TempDir) {
    for kind in ["pem", "key"] {
        let from =
            format!("{}/src/edge/listener/tls/test-{name}.{kind}", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(from, folder.path().join(kind)).unwrap();
    }
}

fn load(folder: &tempfile::TempDir) -> Result<Arc<Tls>, tls::Error> {
    Tls::load(&folder.path().join("pem"), &folder.path().join("key"))
}

/// Speaks TLS, trusting one of the test certificates, and asks once.
async fn ask_trusting(name: &str, served: &Served) -> Result<String, io::Error> {
    let path = format!("{}/src/edge/listener/tls/test-{name}.pem", env!("CARGO_MANIFEST_DIR"));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut socket = connector.connect(name, served.connect().await).await?;
    socket.write_all(GET.as_bytes()).await?;
    Ok(read_some(&mut socket).await)
}

#[tokio::test]
async fn a_certificate_is_read_again_and_a_broken_one_changes_nothing() {
    let folder = certificate("a");
    let tls = load(&folder).unwrap();
    let served = serve(&Config::default(), Manner { tls: Some(Arc::clone(&tls)), ..plain() });
    assert!(ask_trusting("a", &served).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask_trusting("b", &served).await.is_err());
    assert!(!tls.is_stale());

    copy_certificate("b", &folder);
    assert!(tls.is_stale());
    tls.reload().unwrap();
    assert!(!tls.is_stale());
    assert!(ask_trusting("b", &served).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask_trusting("a", &served).await.is_err());

    std::fs::write(folder.path().join("pem"), "nothing").unwrap();
    assert!(tls.reload().is_err());
    assert!(ask_trusting("b", &served).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn files_that_are_no_certificate_are_refused() {
    let folder = certificate("a");
    let other = certificate("b");
    std::fs::copy(other.path().join("key"), folder.path().join("key")).unwrap();
    assert!(matches!(load(&folder), Err(tls::Error::Use { .. })));
    std::fs::write(folder.path().join("pem"), "nothing").unwrap();
    assert!(matches!(load(&folder), Err(tls::Error::Empty { .. })));
    std::fs::remove_file(folder.path().join("pem")).unwrap();
    assert!(matches!(load(&folder), Err(tls::Error::Read { .. })));
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_cut_and_one_that_fails_is_counted() {
    let folder = certificate("a");
    let config = Config { handshake_timeout_ms: 1_000, ..Config::default() };
    let served = serve(&config, Manner { tls: Some(load(&folder).unwrap()), ..plain() });
    let mut silent = served.connect().await;
    closed_after(&mut silent).await;
    assert_eq!(served.refused(Refused::Slow), 1);
    let mut plain = served.connect().await;
    plain.write_all(GET.as_bytes()).await.unwrap();
    closed_after(&mut plain).await;
    assert_eq!(served.refused(Refused::Handshake), 1);
    until(|| served.metrics.connections.open.get() == 0).await;
}
