//! The task that owns the machines.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// Shards whose claims and releases the round waits for.
    awaited: BTreeSet<Shard>,
    /// Claims and releases that wait for their turn.
    deeds: VecDeque<Deed>,
    n_acting: usize,
    /// Shards settled, to be released.
    settled: Vec<Shard>,
    /// Shards that are served from now on; told after it was published.
    claimed: Vec<(Shard, Epoch)>,
    /// Whether more may be given away.
    may_give: bool,
    /// Whether nothing was to be done when last looked.
    is_settled: bool,
    /// Whether anything came of the round, so that the next may follow at once.
    has_progressed: bool,
    /// Whether somebody waits for what the next round may find.
    is_wanted: bool,
    is_draining: bool,
    /// Whether the lease is being given back, after the last shard.
    has_drained: bool,
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
            awaited: BTreeSet::new(),
            deeds: VecDeque::new(),
            n_acting: 0,
            settled: Vec::new(),
            claimed: Vec::new(),
            may_give: false,
            is_settled: false,
            has_progressed: false,
            is_wanted: false,
            is_draining: false,
            has_drained: false,
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
                // In this order: a run under a simulation is the same each time.
                biased;
                Some(news) = self.tasks.join_next() => match news {
                    Ok(news) => self.hear(news),
                    Err(error) => {
                        tracing::error!(%error, "the rows of the cluster broke");
                        self.end();
                        return;
                    }
                },
                Some(order) = orders.recv() => self.obey(order),
                () = many.was_called() => self.heed(),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Takes what other nodes say they gave to this one; where that is not to be told from what is
    /// known, the next round looks.
    fn heed(&mut self) {
        let calls = self.many.take_calls();
        let may_claim = !self.is_draining && self.lease.is_trusted(self.now());
        let mut is_wanted = calls.in_vain;
        for (shard, epoch) in calls.given {
            let given = || self.claims.given(shard, epoch, &self.suggested);
            match may_claim.then(given).flatten() {
                Some(claim) => self.deeds.push_back(claim),
                None => is_wanted = true,
            }
        }
        if is_wanted {
            self.look_soon();
        }
    }

    /// The next round may have something to claim that was just given away: its clients wait.
    fn look_soon(&mut self) {
        self.is_wanted = true;
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
        for shard in std::mem::take(&mut self.settled) {
            self.deeds.extend(self.claims.settled(shard));
        }
        self.give(now);
        self.many.publish(&self.lease, &self.claims);
        for (shard, epoch) in std::mem::take(&mut self.claimed) {
            self.work.claimed(shard, epoch);
        }
        self.act();
        self.end_round(now);
        self.end_drain();
        self.tell(now);
    }

    /// Lets the next shards go, if there is room for them among those that are on their way.
    fn give(&mut self, now: Moment) {
        if !self.may_give || !self.lease.is_trusted(now) {
            return;
        }
        self.may_give = false;
        // Who drains cannot wait for anybody.
        let takes = |node: &NodeName| self.is_draining || self.work.takes(node);
        let deeds = self.claims.give(&self.suggested, takes);
        self.is_settled &= deeds.is_empty();
        self.deeds.extend(deeds);
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
        self.is_wanted = false;
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
        if self.round != Round::Acting || !self.awaited.is_empty() {
            return;
        }
        let at = if self.has_progressed {
            now
        } else if self.is_wanted {
            self.began.after(ASKED_EVERY)
        } else {
            now.after(self.every())
        };
        // Whoever dies is followed as soon as it may be.
        let watched = self.members.next_overdue(now).unwrap_or(at);
        self.round = Round::Due(at.min(watched));
    }

    fn end_drain(&mut self) {
        if self.is_draining && !self.has_drained && self.claims.is_empty() {
            self.has_drained = true;
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
                self.answered(shard, &outcome);
                let epoch = self.claims.claimed(shard, &outcome);
                self.claimed.extend(epoch.map(|epoch| (shard, epoch)));
            }
            News::Settled(shard) => self.settled.push(shard),
            News::Released(shard, outcome) => {
                self.answered(shard, &outcome);
                if let Some(epoch) = self.claims.released(shard, &outcome) {
                    self.gone(shard, epoch);
                }
            }
        }
    }

    /// A claim or a release was answered.
    fn answered(&mut self, shard: Shard, outcome: &Outcome<OwnerRow>) {
        self.n_acting -= 1;
        let is_done = *outcome == Outcome::Applied;
        if self.awaited.remove(&shard) {
            self.has_progressed |= is_done;
        } else if !is_done {
            // What became of it the next round sees.
            self.look_soon();
        }
    }

    /// A shard was given back.
    fn gone(&mut self, shard: Shard, epoch: Epoch) {
        let next = self.suggested.of(shard);
        if let Some(next) = next {
            // Whoever asks here until that one has claimed it finds the way at once, also after
            // this node has read who owns what for the last time.
            self.many.moved(shard, next.clone());
        }
        self.work.released(shard, epoch, next);
        self.may_give = true;
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
        self.may_give = true;
        self.is_settled = deeds.is_empty() && !self.claims.is_moving();
        self.awaited.extend(deeds.iter().filter_map(Deed::writes));
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
                self.is_wanted = true;
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
        self.awaited.clear();
        self.deeds.clear();
        self.n_acting = 0;
        self.settled.clear();
        self.claimed.clear();
        self.may_give = false;
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
