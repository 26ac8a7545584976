//! Opens very many conversations, through the doors of all nodes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hyper::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Crowd, TOLD_EVERY};
use crate::client::Error;
use crate::client::http::{Created, Http};
use crate::history::Conversation;
use crate::report::Report;

/// Who opens at once: a database answers many together.
const OPENERS: usize = 48;
/// How often a node may say that it is busy.
const TRIES: u32 = 100;
/// The pause before it is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// One open conversation.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) number: Conversation,
    pub(super) id: String,
    pub(super) log: String,
    /// How far it had got when it was opened.
    pub(super) head: u64,
    /// Of a visitor who is connected later.
    pub(super) secret: Option<String>,
    /// How far its visitor has heard it.
    pub(super) heard: AtomicU64,
    /// How far the agent has.
    pub(super) heard_by_agent: AtomicU64,
    /// When the newest message was sent that was acked.
    pub(super) pulse: AtomicU64,
    /// How far it goes, as it was read in the end.
    pub(super) read_to: AtomicU64,
}

impl Room {
    /// Whether what happens in it is written down.
    pub(super) const fn is_judged(&self) -> bool {
        self.secret.is_some()
    }
}

/// Opens the conversations of these numbers. The first `visitors` of all are empty, because their
/// visitors come and talk; the others begin with a message.
pub(super) async fn open(
    crowd: &Arc<Crowd>,
    numbers: Range<usize>,
    visitors: usize,
    report: &Report,
) -> Result<()> {
    let opened = Arc::new(AtomicUsize::new(0));
    let (began, all) = (tokio::time::Instant::now(), numbers.len());
    let mut openers = JoinSet::new();
    for opener in 0..OPENERS {
        let mine: Vec<usize> = numbers.clone().skip(opener).step_by(OPENERS).collect();
        let at = crowd.cluster.get(opener % crowd.cluster.len()).copied().context("a node")?;
        let opened = Arc::clone(&opened);
        openers.spawn(async move {
            let mut http = Http::new(at);
            let mut rooms = Vec::with_capacity(mine.len());
            for number in mine {
                let is_visited = number < visitors;
                let created = created(&mut http, !is_visited).await?;
                rooms.push(Arc::new(Room {
                    number: u32::try_from(number)?,
                    id: created.id,
                    log: created.log,
                    head: created.head,
                    secret: created.visitor.secret.filter(|_| is_visited),
                    heard: AtomicU64::new(0),
                    heard_by_agent: AtomicU64::new(0),
                    pulse: AtomicU64::new(0),
                    read_to: AtomicU64::new(0),
                }));
                opened.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(rooms)
        });
    }
    let mut rooms = Vec::with_capacity(all);
    while !openers.is_empty() {
        tokio::select! {
            done = openers.join_next() => if let Some(done) = done { rooms.extend(done??) },
            () = sleep(TOLD_EVERY) => {
                report.note(format!("{} of {all} opened", opened.load(Ordering::Relaxed)));
            }
        }
    }
    rooms.sort_by_key(|room| room.number);
    crowd.rooms.write().extend(rooms);
    report.note(format!("{all} conversations opened in {:.0?}", began.elapsed()));
    Ok(())
}

async fn created(http: &mut Http, says_something: bool) -> Result<Created> {
    let body = if says_something {
        json!({"widget": "demo", "message": {"text": "Hello, where is my parcel?"}})
    } else {
        json!({"widget": "demo"})
    };
    for _ in 0..TRIES {
        match http.json(Method::POST, "/v1/conversations", None, Some(&body)).await {
            Err(Error::Status { status: 503, .. }) => sleep(AGAIN_AFTER).await,
            outcome => return outcome.context("a new conversation"),
        }
    }
    bail!("no conversation could be opened")
}
