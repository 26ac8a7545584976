//! `writer`: the store engine in a process of its own that can be killed. It appends and says each
//! append on standard output after the engine acked it: `<conversation> <seq>`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use switchboard_domain::conversation::Stream;
use switchboard_domain::ids::Seq;
use switchboard_store::embedded::{Config, Embedded, NoMeter};
use switchboard_store::testkit::{append, created, key, message};
use switchboard_store::{ConversationKey, Page, Range, Store};
use tokio::task::JoinSet;

/// Conversations, each with one caller that waits for its ack.
const CALLERS: u64 = 16;

/// The engine as a victim of the fault tests.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where the engine keeps its data.
    #[arg(long)]
    pub data_dir: PathBuf,
}

/// The text of an event, by which a reader knows it.
#[must_use]
pub fn text(conversation: u64, seq: u64) -> String {
    format!("{conversation} {seq} {:-<150}", "")
}

fn named(conversation: u64) -> ConversationKey {
    key("writer", conversation)
}

/// The texts of a conversation in order, the first event aside.
///
/// # Errors
/// When the engine does not open, or refuses to read.
pub async fn stored(dir: &std::path::Path) -> anyhow::Result<Vec<Vec<String>>> {
    let store = Embedded::open(Config::new(dir), Arc::new(NoMeter))?;
    let mut all = Vec::new();
    for conversation in 0..CALLERS {
        let mut texts = Vec::new();
        let mut last = Seq(0);
        loop {
            let page = Page {
                key: named(conversation),
                stream: Stream::Public,
                range: Range::After(last),
                limit: 500,
            };
            let events = store.read(page).await?;
            let Some(newest) = events.last() else { break };
            last = newest.seq;
            for event in &events {
                if let switchboard_domain::conversation::Body::Message { text, .. } = &event.body {
                    texts.push(text.to_string());
                }
            }
        }
        all.push(texts);
    }
    Ok(all)
}

/// Appends until it is killed, going on where the directory's data ends.
///
/// # Errors
/// When the engine refuses.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let heads = stored(&args.data_dir).await?;
    let store: Arc<dyn Store> =
        Arc::new(Embedded::open(Config::new(&args.data_dir), Arc::new(NoMeter))?);
    let mut callers = JoinSet::new();
    for (conversation, texts) in (0_u64..).zip(heads) {
        let store = store.clone();
        callers.spawn(async move {
            let key = named(conversation);
            // Again after a restart: the same append changes nothing.
            store.append(append(&key, &[created(1_000_000 + conversation)])).await?;
            for seq in u64::try_from(texts.len())? + 2.. {
                let event = message(seq, &text(conversation, seq));
                store.append(append(&key, &[event])).await?;
                writeln!(std::io::stdout().lock(), "{conversation} {seq}")?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    Ok(())
}
