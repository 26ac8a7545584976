//! The way to the server, on which statements can be held back: what was sent arrives late, as it
//! does from a machine that stood still.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a frame of the protocol begins with: version, flags, two bytes of stream, opcode, and four
/// of length.
const HEADER: usize = 9;
const RESULT: u8 = 0x08;
const PREPARE: u8 = 0x09;
const EXECUTE: u8 = 0x0A;
/// Of a result that tells the id of a prepared statement.
const PREPARED: [u8; 4] = [0, 0, 0, 4];
/// What does not come in this time never comes.
const STUCK_AFTER: Duration = Duration::from_secs(20);

/// A way to the server of one engine's own.
pub(crate) struct Wire {
    /// Where the engine finds it.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Statements by id, once prepared.
    statements: Mutex<HashMap<Vec<u8>, String>>,
    /// Those that were executed since they were last asked for.
    executed: Mutex<Vec<String>>,
    held: watch::Sender<Held>,
}

/// Statements that begin so are held back, and how many wait.
#[derive(Default)]
struct Held {
    statement: Option<&'static str>,
    waiting: usize,
}

impl Held {
    fn holds(&self, statement: &str) -> bool {
        self.statement.is_some_and(|held| statement.starts_with(held))
    }
}

impl Wire {
    /// At the server's own address, which a driver combines with the port that it was told.
    pub(crate) async fn to(server: &str) -> Self {
        let server: SocketAddr = server.parse().expect("an address on this machine");
        let listener = TcpListener::bind((server.ip(), 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((engine, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.expect("the server answers");
                theirs.connect(engine, server);
            }
        });
        Self { address, shared }
    }

    /// From now on a statement that begins so waits, and everything behind it.
    pub(crate) fn hold(&self, statement: &'static str) {
        self.shared.held.send_modify(|held| held.statement = Some(statement));
    }

    /// Waits until one does.
    pub(crate) async fn holds_one(&self) {
        let mut held = self.shared.held.subscribe();
        let waits = held.wait_for(|held| held.waiting > 0);
        let waits = tokio::time::timeout(STUCK_AFTER, waits).await;
        waits.expect("the statement is sent").expect("the wire is there");
    }

    /// The statements that were executed since this was last asked.
    pub(crate) fn executed(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.executed.lock())
    }

    /// Lets it go.
    pub(crate) fn release(&self) {
        self.shared.held.send_modify(|held| held.statement = None);
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, engine: TcpStream, server: TcpStream) {
        let (asks, answered) = engine.into_split();
        let (answers, asked) = server.into_split();
        let preparing = Arc::new(Mutex::new(HashMap::new()));
        tokio::spawn(Arc::clone(self).carry(asks, asked, Arc::clone(&preparing)));
        tokio::spawn(Arc::clone(self).carry(answers, answered, preparing));
    }

    /// Carries frames one way until either end is gone. `preparing` has statements by stream.
    async fn carry(
        self: Arc<Self>,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        preparing: Arc<Mutex<HashMap<[u8; 2], String>>>,
    ) {
        loop {
            let mut frame = vec![0; HEADER];
            if from.read_exact(&mut frame).await.is_err() {
                return;
            }
            let length: [u8; 4] = frame[5..].try_into().expect("four bytes");
            let length = usize::try_from(u32::from_be_bytes(length)).expect("a length");
            frame.resize(HEADER + length, 0);
            if from.read_exact(&mut frame[HEADER..]).await.is_err() {
                return;
            }
            let (stream, opcode, body) = ([frame[2], frame[3]], frame[4], &frame[HEADER..]);
            match opcode {
                PREPARE => {
                    let statement = String::from_utf8_lossy(&body[4..]).into_owned();
                    preparing.lock().insert(stream, statement);
                }
                RESULT if body.starts_with(&PREPARED) => {
                    if let Some(statement) = preparing.lock().remove(&stream) {
                        self.statements.lock().insert(id(&body[4..]), statement);
                    }
                }
                EXECUTE => {
                    let statement = self.statements.lock().get(&id(body)).cloned();
                    let statement = statement.unwrap_or_default();
                    self.executed.lock().push(statement.clone());
                    self.pass(&statement).await;
                }
                _ => {}
            }
            if to.write_all(&frame).await.is_err() {
                return;
            }
        }
    }

    async fn pass(&self, statement: &str) {
        let mut held = self.held.subscribe();
        if !held.borrow().holds(statement) {
            return;
        }
        self.held.send_modify(|held| held.waiting += 1);
        // It is there as long as this is.
        drop(held.wait_for(|held| !held.holds(statement)).await);
        self.held.send_modify(|held| held.waiting -= 1);
    }
}

/// The id of a statement: its length in two bytes, and so many more.
fn id(bytes: &[u8]) -> Vec<u8> {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    bytes[2..2 + length].to_vec()
}
