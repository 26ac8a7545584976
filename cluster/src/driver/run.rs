//! The task that owns the machines.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{Order, Peers, Settings, Standing, Work};
use crate::claims::{Claims, Deed, Survey};
use crate::lease::{Ask, End, Lease};
use crate::members::Members;
use crate::ownership::{Epoch, Many, NodeName, Ownership as _};
use crate::placement::{Candidate, Placement};
use crate::rows::{LeaseRow, LeaseState, Life, Outcome, OwnerRow, Rows, Unreadable};
use crate::rules::Rules;
use crate::shard::Shard;
use crate::time::Moment;

/// Claims and releases under way at once: enough to take a thousand shards in a second or two
/// from a small database, few enough not to starve the lease.
const DEEDS_AT_ONCE: usize = 32;
/// Between two rounds that begin because others ask for what is not served here: a reading of all
/// rows, so that a node which believes something old cannot keep the database busy.
const ASKED_EVERY: Duration = Duration::from_millis(200);

type Owners = BTreeMap<Shard, OwnerRow>;

/// What came of something that was sent.
enum News {
    LeaseRead(Result<Option<LeaseRow>, Unreadable>),
    LeaseSwapped(Outcome<LeaseRow>),
    Rows(Result<(Vec<(NodeName, LeaseRow)>, Owners), Unreadable>),
    Surveyed(Result<Survey, Unreadable>),
    Marked(NodeName, Outcome<LeaseRow>),
    Claimed(Shard, Outcome<OwnerRow>),
    Settled(Shard),
    Released(Shard, Outcome<OwnerRow>),
}

/// Where a round stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// The next begins then.
    Due(Moment),
    /// Rows are being read.
    Reading,
    /// Claims and releases are under way.
    Acting,
}

pub(super) struct Run {
    settings: Settings,
    rows: Arc<dyn Rows>,
    work: Arc<dyn Work>,
    many: Arc<Many>,
    standing: watch::Sender<Standing>,
    peers: watch::Sender<Peers>,
    lease: Lease,
    claims: Claims,
    /// Who should serve what, as of the last plan.
    suggested: Placement,
    members: Members,
    /// Everything under way; ends with the life.
    tasks: JoinSet<News>,
    round: Round,
    /// When the last round began.
    began: Moment,
    /// Claims and releases that wait for their turn.
    deeds: VecDeque<Deed>,
    n_acting: usize,
    /// Shards settled: they are released as soon as no rows are being read.
    settled: Vec<Shard>,
    /// Shards that are served from now on; told after it was published.
    claimed: Vec<(Shard, Epoch)>,
    /// Whether the last plan had nothing to do.
    is_settled: bool,
    /// Whether anything came of the round, so that the next may follow at once.
    has_progressed: bool,
    is_draining: bool,
    is_leaving: bool,
    was_trusted: bool,
}

impl Run {
    pub(super) fn new(
        settings: Settings,
        rows: Arc<dyn Rows>,
        work: Arc<dyn Work>,
        many: Arc<Many>,
        standing: watch::Sender<Standing>,
        peers: watch::Sender<Peers>,
    ) -> Self {
        let rules = Rules::default();
        let (lease, claims) = begin(&settings);
        Self {
            members: Members::new(settings.times, rules),
            settings,
            rows,
            work,
            many,
            standing,
            peers,
            lease,
            claims,
            suggested: Placement::default(),
            tasks: JoinSet::new(),
            round: Round::Due(Moment::default()),
            began: Moment::default(),
            deeds: VecDeque::new(),
            n_acting: 0,
            settled: Vec::new(),
            claimed: Vec::new(),
            is_settled: false,
            has_progressed: false,
            is_draining: false,
            is_leaving: false,
            was_trusted: false,
        }
    }

    pub(super) async fn go(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let many = Arc::clone(&self.many);
        loop {
            self.step();
            if let Some(end) = self.lease.end() {
                if end == End::Released || self.is_leaving || self.is_draining {
                    self.end();
                    return;
                }
                self.begin_anew();
                continue;
            }
            let wait = self.wakes_at().since(self.now());
            tokio::select! {
                Some(news) = self.tasks.join_next() => match news {
                    Ok(news) => self.hear(news),
                    Err(error) => {
                        tracing::error!(%error, "the rows of the cluster broke");
                        self.end();
                        return;
                    }
                },
                Some(order) = orders.recv() => self.obey(order),
                () = many.was_asked_in_vain() => self.look_soon(),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The next round may have something to claim that was just given away: its clients wait.
    fn look_soon(&mut self) {
        if let Round::Due(at) = &mut self.round {
            *at = (*at).min(self.began.after(ASKED_EVERY));
        }
    }

    fn now(&self) -> Moment {
        (self.settings.clock)()
    }

    /// Everything that is due, in an order in which nothing leaves before it is published.
    fn step(&mut self) {
        // What has come is heard first: a plan should know of it.
        while let Some(Ok(news)) = self.tasks.try_join_next() {
            self.hear(news);
        }
        let now = self.now();
        self.ask(now);
        self.begin_round(now);
        if self.round != Round::Reading {
            for shard in std::mem::take(&mut self.settled) {
                self.deeds.extend(self.claims.settled(shard));
            }
        }
        self.many.publish(&self.lease, &self.claims);
        for (shard, epoch) in std::mem::take(&mut self.claimed) {
            self.work.claimed(shard, epoch);
        }
        self.act();
        self.end_round(now);
        self.tell(now);
    }

    fn ask(&mut self, now: Moment) {
        let Some(ask) = self.lease.poll(now) else { return };
        let node = &self.lease.life().node;
        match ask {
            Ask::Read => {
                let reply = self.rows.lease(node);
                self.tasks.spawn(async { News::LeaseRead(reply.await) });
            }
            Ask::Swap { expect, row } => {
                let reply = self.rows.swap_lease(node, expect, row);
                self.tasks.spawn(async { News::LeaseSwapped(reply.await) });
            }
        }
    }

    fn begin_round(&mut self, now: Moment) {
        let Round::Due(at) = self.round else { return };
        // Who may not own anything need not know who does, and marks nobody.
        if now < at || !self.lease.is_trusted(now) {
            return;
        }
        self.round = Round::Reading;
        self.began = now;
        self.has_progressed = false;
        let rows = Arc::clone(&self.rows);
        self.tasks.spawn(async move {
            let read = async {
                let leases = rows.leases().await?;
                Ok((leases, rows.owners().await?.into_iter().collect()))
            };
            News::Rows(read.await)
        });
    }

    /// Sends deeds, as many as may be under way.
    fn act(&mut self) {
        while self.n_acting < DEEDS_AT_ONCE {
            let Some(deed) = self.deeds.pop_front() else { return };
            match deed {
                Deed::Claim { shard, expect, row } => {
                    let reply = self.rows.swap_owner(shard, expect, row);
                    self.tasks.spawn(async move { News::Claimed(shard, reply.await) });
                    self.n_acting += 1;
                }
                Deed::Release { shard, expect, row } => {
                    let reply = self.rows.swap_owner(shard, Some(expect), row);
                    self.tasks.spawn(async move { News::Released(shard, reply.await) });
                    self.n_acting += 1;
                }
                Deed::Settle { shard, epoch } => {
                    let settled = self.work.settle(shard, epoch);
                    self.tasks.spawn(async move {
                        settled.await;
                        News::Settled(shard)
                    });
                }
                Deed::Drop { shard } => self.work.drop_shard(shard),
            }
        }
    }

    fn end_round(&mut self, now: Moment) {
        if self.round != Round::Acting || self.n_acting > 0 || !self.deeds.is_empty() {
            return;
        }
        let pause = if self.has_progressed { Duration::ZERO } else { self.every() };
        let at = now.after(pause);
        // Whoever dies is followed as soon as it may be.
        let watched = self.members.next_overdue(now).unwrap_or(at);
        self.round = Round::Due(at.min(watched));
        if self.is_draining && self.claims.is_empty() {
            self.lease.release();
        }
    }

    const fn every(&self) -> Duration {
        self.settings.times.renew_every()
    }

    /// When there is something to do though nothing comes.
    fn wakes_at(&self) -> Moment {
        let far = self.now().after(self.every());
        let lease = self.lease.wakes_at().unwrap_or(far);
        let round = match self.round {
            Round::Due(at) if self.was_trusted => at,
            Round::Due(_) | Round::Reading | Round::Acting => far,
        };
        // That a lease has run out is told when it happens.
        let until = self.lease.trusted_until().filter(|_| self.was_trusted).unwrap_or(far);
        lease.min(round).min(until).min(far)
    }

    fn hear(&mut self, news: News) {
        let now = self.now();
        match news {
            News::LeaseRead(found) => self.lease.read(now, found),
            News::LeaseSwapped(outcome) => self.lease.swapped(now, outcome),
            News::Rows(Ok((leases, owners))) => self.survey(now, leases, owners),
            News::Surveyed(Ok(survey)) => self.plan(now, &survey),
            News::Rows(Err(Unreadable)) | News::Surveyed(Err(Unreadable)) => {
                self.round = Round::Due(now.after(self.every()));
            }
            News::Marked(node, outcome) => {
                if outcome == Outcome::Applied {
                    tracing::warn!(%node, "a node was watched in vain, its lease is over");
                    // What it owned can be claimed at once.
                    self.has_progressed = true;
                    if let Round::Due(at) = &mut self.round {
                        *at = now;
                    }
                }
            }
            News::Claimed(shard, outcome) => {
                self.n_acting -= 1;
                self.has_progressed |= outcome == Outcome::Applied;
                let epoch = self.claims.claimed(shard, &outcome);
                self.claimed.extend(epoch.map(|epoch| (shard, epoch)));
            }
            News::Settled(shard) => {
                self.settled.push(shard);
                if matches!(self.round, Round::Due(_)) {
                    self.round = Round::Acting;
                }
            }
            News::Released(shard, outcome) => {
                self.n_acting -= 1;
                self.has_progressed |= outcome == Outcome::Applied;
                if let Some(epoch) = self.claims.released(shard, &outcome) {
                    // Whoever asks here until that one has claimed it finds the way at once, also
                    // after this node has read who owns what for the last time.
                    if let Some(next) = self.suggested.of(shard) {
                        self.many.moved(shard, next.clone());
                    }
                    self.work.released(shard, epoch);
                }
            }
        }
    }

    /// Takes in who is there and who owns what, and asks for the leases that must be read after.
    fn survey(&mut self, now: Moment, leases: Vec<(NodeName, LeaseRow)>, owners: Owners) {
        self.members.observe(now, leases);
        self.many.learn(&owners);
        let me = &self.settings.node;
        let others = self.members.addresses().filter(|(node, _)| *node != me);
        let peers = others.map(|(node, address)| (node.clone(), address.into())).collect();
        self.peers.send_if_modified(|told| {
            let is_news = *told != peers;
            *told = peers;
            is_news
        });
        let overdue: Vec<_> = self
            .members
            .overdue(now)
            .filter(|(node, _)| *node != me)
            .map(|(node, row)| (node.clone(), row.clone()))
            .collect();
        for (node, row) in overdue {
            let dead = row.marked(LeaseState::Dead);
            let reply = self.rows.swap_lease(&node, Some(row.version()), dead);
            self.tasks.spawn(async move { News::Marked(node, reply.await) });
        }
        let doubted = self.claims.doubted(&owners, &self.placement(now));
        let rows = Arc::clone(&self.rows);
        self.tasks.spawn(async move {
            let read = async {
                let mut leases = BTreeMap::new();
                for node in doubted {
                    if let Some(lease) = rows.lease(&node).await? {
                        leases.insert(node, lease);
                    }
                }
                Ok(Survey { owners, leases })
            };
            News::Surveyed(read.await)
        });
    }

    /// Who should serve what. This node knows best of itself: its own row may be read late.
    fn placement(&self, now: Moment) -> Placement {
        let me = &self.settings.node;
        let mut candidates = self.members.candidates(now);
        candidates.retain(|candidate| candidate.node != *me);
        if !self.is_draining {
            candidates.push(Candidate { node: me.clone(), weight: self.settings.weight });
        }
        Placement::over(&candidates)
    }

    fn plan(&mut self, now: Moment, survey: &Survey) {
        self.round = Round::Acting;
        // A claim is good only of a life whose lease stands.
        if !self.lease.is_trusted(now) {
            return;
        }
        let placement = self.placement(now);
        let deeds = self.claims.plan(survey, &placement);
        self.suggested = placement;
        self.is_settled = deeds.is_empty();
        self.deeds.extend(deeds);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Drain => {
                self.is_draining = true;
                self.lease.drain();
                if self.lease.trusted_until().is_none() {
                    // It owns nothing that it could give away.
                    self.lease.release();
                }
                if let Round::Due(at) = &mut self.round {
                    *at = Moment::default();
                }
            }
            Order::Leave => {
                self.is_leaving = true;
                self.lease.release();
            }
        }
    }

    /// Says how the node stands, and when that changes for better or worse.
    fn tell(&mut self, now: Moment) {
        let is_trusted = self.lease.is_trusted(now);
        if is_trusted != self.was_trusted {
            self.was_trusted = is_trusted;
            let node = &self.settings.node;
            if is_trusted {
                tracing::info!(%node, "the lease is held");
            } else if !self.is_leaving && !self.is_draining {
                tracing::warn!(%node, "the lease could not be renewed, nothing is acknowledged");
            }
        }
        let standing = match self.lease.trusted_until() {
            None => Standing::Joining,
            Some(_) => Standing::In { is_settled: self.is_settled && is_trusted },
        };
        self.standing.send_if_modified(|told| std::mem::replace(told, standing) != standing);
    }

    /// The next life of the node, which keeps nothing of this one.
    fn begin_anew(&mut self) {
        tracing::warn!(node = %self.settings.node, "the lease was lost, joining anew");
        (self.lease, self.claims) = begin(&self.settings);
        self.forget();
        self.many.publish(&self.lease, &self.claims);
        self.work.drop_all();
    }

    /// Drops what is under way: nobody can say what becomes of it, and nobody needs to.
    fn forget(&mut self) {
        self.tasks = JoinSet::new();
        self.round = Round::Due(Moment::default());
        self.deeds.clear();
        self.n_acting = 0;
        self.settled.clear();
        self.claimed.clear();
        self.is_settled = false;
    }

    fn end(&mut self) {
        let (lease, claims) = begin(&self.settings);
        self.many.publish(&lease, &claims);
        self.forget();
        self.standing.send_replace(Standing::Ended);
    }
}

fn begin(settings: &Settings) -> (Lease, Claims) {
    let rules = Rules::default();
    let life = Life { node: settings.node.clone(), boot: (settings.boots)() };
    let address = Arc::clone(&settings.address);
    let lease = Lease::join(life.clone(), address, settings.weight, settings.times, rules);
    (lease, Claims::new(life, rules))
}
