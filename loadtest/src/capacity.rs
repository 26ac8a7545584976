//! `capacity`: random queue operations on a live server, two accepts at once among them. An agent
//! never accepts above capacity; assignment by a person may exceed it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use hyper::Method;
use serde_json::{Value, json};

use crate::client::frame::Refusal;
use crate::client::http::Http;
use crate::client::{Connection, Encoding};
use crate::kill::Sabotage;
use crate::report::Report;
use crate::rng::Rng;
use crate::server::{Server, scratch};

/// Conversations that wait are filled up to so many.
const WAITING: usize = 8;

/// A campaign of queue operations.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The server binary.
    #[arg(long, env = "SWITCHBOARD_BIN", default_value = "target/release/switchboard")]
    pub server: PathBuf,
    /// How many operations: 500 is the short form, 10,000 the long one.
    #[arg(long, default_value_t = 500)]
    pub operations: u32,
    /// The seed of a run to repeat.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run the server with this sabotage and demand that an agent gets above capacity.
    #[arg(long)]
    pub expect_red: Option<Sabotage>,
}

/// An agent with two connections, so that it can race itself.
struct Agent {
    name: &'static str,
    id: String,
    token: String,
    capacity: usize,
    desks: [Connection; 2],
}

/// What the campaign knows: who has which conversation; none waits.
#[derive(Default)]
struct Known {
    owners: BTreeMap<String, Option<usize>>,
}

impl Known {
    fn active(&self, agent: usize) -> usize {
        self.owners.values().filter(|owner| **owner == Some(agent)).count()
    }

    fn pick(&self, rng: &mut Rng, wanted: impl Fn(Option<usize>) -> bool) -> Option<String> {
        let all: Vec<_> = self.owners.iter().filter(|(_, owner)| wanted(**owner)).collect();
        all.get(rng.index(all.len())).map(|(id, _)| (*id).clone())
    }

    fn set(&mut self, id: &str, owner: Option<usize>) {
        self.owners.insert(id.to_owned(), owner);
    }
}

#[derive(Debug, Default)]
struct Tally {
    accepted: u32,
    at_capacity: u32,
    /// Refused although there was room: a reservation that was not given back.
    refused_with_room: u32,
    odd: Vec<String>,
}

struct Campaign {
    http: Http,
    agents: [Agent; 2],
    known: Known,
    tally: Tally,
    rng: Rng,
}

/// Runs the campaign.
///
/// # Errors
/// When the server cannot be run, or an agent got above capacity.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(Rng::fresh_seed);
    let mut report = Report::new(format!("capacity: {} operations, seed {seed}", args.operations));
    let dir = scratch(&args.server)?;
    let mut server = Server::new(&args.server, dir.path())?;
    server.set_environment(args.expect_red.map(Sabotage::environment).into_iter().collect());
    server.start().await?;
    let mut http = Http::new(server.public);
    let agents = [agent(&server, &mut http, "ada").await?, agent(&server, &mut http, "ben").await?];
    let mut campaign = Campaign {
        http,
        agents,
        known: Known::default(),
        tally: Tally::default(),
        rng: Rng::new(seed),
    };
    for _ in 0..args.operations {
        campaign.step().await?;
    }
    let tally = &campaign.tally;
    let facts = format!("{} accepted, {} at capacity", tally.accepted, tally.at_capacity);
    if let Some(red) = args.expect_red {
        report.check(&format!("red by {}", red.name()), !tally.odd.is_empty(), facts);
        server.kill().await?;
        return report.finish();
    }
    report.check("nobody accepts above capacity", tally.odd.is_empty(), facts);
    for line in tally.odd.iter().take(5) {
        report.note(line);
    }
    let reached = tally.accepted > 0 && tally.at_capacity > 0;
    report.check("the bound was reached", reached, format!("{} refusals", tally.at_capacity));
    let facts = format!("{} refused although there was room", tally.refused_with_room);
    report.check("places are given back", tally.refused_with_room == 0, facts);
    campaign.compare(&mut report).await?;
    report.check("panics", server.n_panics() == 0, format!("{} in the log", server.n_panics()));
    server.kill().await?;
    report.finish()
}

async fn agent(server: &Server, http: &mut Http, name: &'static str) -> anyhow::Result<Agent> {
    let signed_in = http.sign_in(name).await?;
    let (token, id) = (signed_in.token, signed_in.principal.id);
    let mut desks = Vec::new();
    for _ in 0..2 {
        let mut desk = Connection::open(server.public, Encoding::Json).await?;
        desk.hello(&token, &uuid::Uuid::new_v4().to_string()).await?;
        desks.push(desk);
    }
    let me: Value = http.json(Method::GET, "/v1/agents/me", Some(&token), None).await?;
    let capacity = me.get("capacity").and_then(Value::as_u64).context("an agent has a capacity")?;
    let desks = <[Connection; 2]>::try_from(desks).ok().context("two connections")?;
    Ok(Agent { name, id, token, capacity: usize::try_from(capacity)?, desks })
}

impl Campaign {
    async fn step(&mut self) -> anyhow::Result<()> {
        while self.known.owners.values().filter(|owner| owner.is_none()).count() < WAITING {
            let id = self.http.create(None).await?.id;
            self.known.set(&id, None);
        }
        let agent = self.rng.index(2);
        match self.rng.below(100) {
            0..40 => self.accept_two(agent).await,
            40..55 => self.accept_one_by_both().await,
            55..75 => self.end("close").await,
            75..85 => self.end("requeue").await,
            85..93 => self.assign(agent).await,
            _ => self.set_capacity(agent).await,
        }
    }

    /// One agent accepts two conversations at once, perhaps with one place left.
    async fn accept_two(&mut self, agent: usize) -> anyhow::Result<()> {
        let Some(first) = self.known.pick(&mut self.rng, |owner| owner.is_none()) else {
            return Ok(());
        };
        let second = loop {
            match self.known.pick(&mut self.rng, |owner| owner.is_none()) {
                Some(other) if other != first => break other,
                Some(_) => {}
                None => return Ok(()),
            }
        };
        let Some(Agent { desks: [left, right], .. }) = self.agents.get_mut(agent) else {
            return Ok(());
        };
        let (a, b) = tokio::join!(
            left.act(&first, "accept", json!({})),
            right.act(&second, "accept", json!({}))
        );
        let room = self.capacity(agent).saturating_sub(self.known.active(agent));
        let mut n_refused = 0;
        for (id, answer) in [(first, a?), (second, b?)] {
            n_refused += usize::from(self.enter(&id, agent, answer));
        }
        // Both at once: with one place left one of them is refused, with two neither.
        if n_refused > 2_usize.saturating_sub(room) {
            self.tally.refused_with_room += 1;
        }
        Ok(())
    }

    async fn accept_one_by_both(&mut self) -> anyhow::Result<()> {
        let Some(id) = self.known.pick(&mut self.rng, |owner| owner.is_none()) else {
            return Ok(());
        };
        let [ada, ben] = &mut self.agents;
        let (Some(left), Some(right)) = (ada.desks.first_mut(), ben.desks.first_mut()) else {
            return Ok(());
        };
        let (a, b) =
            tokio::join!(left.act(&id, "accept", json!({})), right.act(&id, "accept", json!({})));
        for (agent, answer) in [(0, a?), (1, b?)] {
            match &answer {
                Err(refusal) if refusal.code == "already_accepted" => {}
                _ => drop(self.enter(&id, agent, answer)),
            }
        }
        Ok(())
    }

    /// Enters the answer to an accept; whether it was refused for want of a place.
    fn enter(&mut self, id: &str, agent: usize, answer: Result<(), Refusal>) -> bool {
        let (active, capacity) = (self.known.active(agent), self.capacity(agent));
        let name = self.agents.get(agent).map_or("", |agent| agent.name);
        match answer {
            Ok(()) => {
                self.tally.accepted += 1;
                if active >= capacity {
                    self.tally
                        .odd
                        .push(format!("{name} has {active} of {capacity}, accepted {id}"));
                }
                if let Some(Some(owner)) = self.known.owners.get(id) {
                    self.tally.odd.push(format!("{name} accepted {id}, which {owner} has"));
                }
                self.known.set(id, Some(agent));
                false
            }
            Err(refusal) if refusal.code == "at_capacity" => {
                self.tally.at_capacity += 1;
                true
            }
            Err(refusal) => {
                self.tally.odd.push(format!("{name} accepts {id}: {refusal:?}"));
                false
            }
        }
    }

    async fn end(&mut self, action: &str) -> anyhow::Result<()> {
        let Some(id) = self.known.pick(&mut self.rng, |owner| owner.is_some()) else {
            return Ok(());
        };
        self.admin(&id, action, json!({})).await?;
        if action == "close" {
            self.known.owners.remove(&id);
        } else {
            self.known.set(&id, None);
        }
        Ok(())
    }

    async fn assign(&mut self, agent: usize) -> anyhow::Result<()> {
        let Some(id) = self.known.pick(&mut self.rng, |owner| owner.is_none()) else {
            return Ok(());
        };
        let to = self.agents.get(agent).map(|agent| agent.id.clone()).unwrap_or_default();
        self.admin(&id, "assign", json!({"agent": to})).await?;
        self.known.set(&id, Some(agent));
        Ok(())
    }

    async fn admin(&mut self, id: &str, action: &str, args: Value) -> anyhow::Result<()> {
        let [Agent { desks: [desk, _], .. }, _] = &mut self.agents;
        if let Err(refusal) = desk.act(id, action, args).await? {
            self.tally.odd.push(format!("{action} {id}: {refusal:?}"));
        }
        Ok(())
    }

    async fn set_capacity(&mut self, agent: usize) -> anyhow::Result<()> {
        let max = 1 + self.rng.index(6);
        let Some(agent) = self.agents.get_mut(agent) else { return Ok(()) };
        let body = json!({"max": max});
        let path = "/v1/agents/me/capacity";
        let _: Value = self.http.json(Method::PUT, path, Some(&agent.token), Some(&body)).await?;
        agent.capacity = max;
        Ok(())
    }

    fn capacity(&self, agent: usize) -> usize {
        self.agents.get(agent).map_or(0, |agent| agent.capacity)
    }

    /// In the end the server counts as we do.
    async fn compare(&mut self, report: &mut Report) -> anyhow::Result<()> {
        for (number, agent) in self.agents.iter().enumerate() {
            let path = "/v1/agents/me";
            let me: Value = self.http.json(Method::GET, path, Some(&agent.token), None).await?;
            let active = me.get("active").and_then(Value::as_u64);
            let known = self.known.active(number);
            let same = active == u64::try_from(known).ok();
            let name = format!("{} counts its conversations", agent.name);
            report.check(&name, same, format!("{active:?}, known {known}"));
        }
        Ok(())
    }
}
