//! `accept-race`: two agents accept one conversation at once. One wins, the other is told who.

use std::path::PathBuf;

use serde_json::json;

use crate::client::http::Http;
use crate::client::{Connection, Encoding};
use crate::report::Report;
use crate::server::{Server, scratch};

/// A campaign of races.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// How many races: 100 is the short form, 1,000 the long one.
    #[arg(long, default_value_t = 100)]
    pub races: u32,
}

/// Runs the races.
///
/// # Errors
/// When the server cannot be run, or a race had another end.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let mut report = Report::new(format!("accept-race: {} races", args.races));
    let dir = scratch(&args.server)?;
    let mut server = Server::new(&args.server, dir.path())?;
    server.start().await?;
    let mut http = Http::new(server.public);
    let mut agents = Vec::new();
    for name in ["ada", "ben"] {
        let token = http.sign_in(name).await?.token;
        let mut connection = Connection::open(server.public, Encoding::Json).await?;
        let id = connection.hello(&token, &uuid::Uuid::new_v4().to_string()).await?;
        agents.push((id, connection));
    }
    let [(ada_id, ada), (ben_id, ben)] = agents.as_mut_slice() else {
        anyhow::bail!("two agents");
    };
    let (mut wins, mut odd) = ([0_u32; 2], Vec::new());
    for race in 0..args.races {
        let id = http.create(None).await?.id;
        // Whoever writes first would win too often: take turns.
        let (first, second) = if race % 2 == 0 {
            tokio::join!(ada.act(&id, "accept", json!({})), ben.act(&id, "accept", json!({})))
        } else {
            let (b, a) =
                tokio::join!(ben.act(&id, "accept", json!({})), ada.act(&id, "accept", json!({})));
            (a, b)
        };
        let (winner, loser, named) = match (first?, second?) {
            (Ok(()), Err(refusal)) => (0, refusal, &*ada_id),
            (Err(refusal), Ok(())) => (1, refusal, &*ben_id),
            both => {
                odd.push(format!("race {race}: {both:?}"));
                continue;
            }
        };
        if let Some(n) = wins.get_mut(winner) {
            *n += 1;
        }
        let by = loser.by.as_ref().map(|by| by.id.as_str());
        if loser.code != "already_accepted" || by != Some(named) {
            odd.push(format!("race {race}: the loser was told {loser:?}, the winner is {named}"));
        }
        // Closing gives the winner its place back: capacity is part of the rule.
        let closed = if winner == 0 {
            ada.act(&id, "close", json!({})).await?
        } else {
            ben.act(&id, "close", json!({})).await?
        };
        if closed.is_err() {
            odd.push(format!("race {race}: close: {closed:?}"));
        }
    }
    let facts = format!("{} won by ada, {} by ben, {} odd", wins[0], wins[1], odd.len());
    report.check("one wins, the other is told who", odd.is_empty(), facts);
    report.check("both can win", wins.iter().all(|n| *n > 0), format!("{wins:?}"));
    for line in odd.iter().take(5) {
        report.note(line);
    }
    report.check("panics", server.n_panics() == 0, format!("{} in the log", server.n_panics()));
    server.kill().await?;
    report.finish()
}
