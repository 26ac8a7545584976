//! By what right this node serves what it serves: alone, because the lock of its data directory
//! keeps every other process out; among others, because it holds a lease and claims shards.

use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::duties::Duties;
use switchboard_actors::region::{self, Remote};
use switchboard_cluster::driver::{self, Driver, Settings, Standing};
use switchboard_cluster::ownership::{Boot, Epoch, NodeName, Ownership, Single};
use switchboard_cluster::rows::Rows;
use switchboard_cluster::time::Moment;
use switchboard_domain::ids::TenantId;
use switchboard_store::{Fault, Store};
use tokio::sync::watch;

use crate::config::Config;
use crate::peers::{self, Following, Peers};

/// How long a start waits for its lease. A life before it that was killed is watched for five
/// seconds, or as many times that as the settings say; what takes longer is another process of the same name, or no database.
const LEASE_WITHIN: Duration = Duration::from_secs(30);

/// Why a node has no place among others.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lease was not to be had.
    #[error(
        "the node `{node}` did not get its lease in {} s: another process runs under this name \
         (server.node), or the database answers too slowly",
        .within.as_secs()
    )]
    NoLease {
        /// Of which node.
        node: String,
        /// In which time.
        within: Duration,
    },
    /// Other nodes cannot be reached with these settings.
    #[error("the links to other nodes")]
    Peers(#[from] peers::Error),
}

/// A node's place.
#[derive(Debug)]
pub struct Place {
    ownership: Arc<dyn Ownership>,
    /// `None` for a node that is alone.
    among: Option<Among>,
}

#[derive(Debug)]
struct Among {
    driver: Driver,
    duties: Duties,
    /// Conversations of other nodes; `None` for the only node of a keyspace.
    remote: Option<Arc<Remote>>,
    following: Option<Following>,
}

impl Place {
    /// A node that owns everything.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn alone(config: &Config, store: &dyn Store) -> Result<Self, Fault> {
        // Numbers are given once for good, so every life of this data has a higher epoch.
        let lives = TenantId("(lives)".into());
        let epoch = Epoch(store.take_numbers(&lives, 1).await?);
        Ok(Self { ownership: Arc::new(Single::new(name(config), epoch)), among: None })
    }

    /// A node among those that share these rows. Answers once it has its lease and owns what is
    /// nobody else's; its share of the rest it is given when it [takes](Self::take_shards) it.
    ///
    /// # Errors
    ///
    /// When it did not get its lease, or could not be reached by others.
    pub async fn among(config: &Config, rows: Arc<dyn Rows>) -> Result<Self, Error> {
        // Before the lease, which says to others where this node is.
        let peers = Peers::start(&config.cluster, name(config), new_boot()).await?;
        let alone = || config.server.listen.to_string().into();
        let settings = Settings {
            node: name(config),
            address: peers.as_ref().map_or_else(alone, Peers::address),
            weight: config.cluster.weight,
            times: config.cluster.times(),
            clock: Arc::new(since_boot),
            boots: Arc::new(new_boot),
        };
        let within = LEASE_WITHIN * u32::from(config.cluster.lease_factor);
        let remote = peers.as_ref().map(Peers::remote);
        let duties = Duties::among(remote.clone());
        let driver = Driver::start(settings, rows, Arc::new(duties.clone()));
        let following = peers.map(|peers| peers.follow(driver.peers()));
        let standing = driver.settled(within).await;
        if !matches!(standing, Standing::In { .. }) {
            driver.leave();
            return Err(Error::NoLease { node: config.server.node.clone(), within });
        }
        let ownership = driver.ownership();
        Ok(Self { ownership, among: Some(Among { driver, duties, remote, following }) })
    }

    /// What conversations of other nodes are reached through; `None` for a node that is alone.
    #[must_use]
    pub fn remote(&self) -> Option<Arc<Remote>> {
        self.among.as_ref()?.remote.clone()
    }

    /// The other nodes whose lives are not over; `None` for a node that is alone.
    #[must_use]
    pub fn named(&self) -> Option<watch::Receiver<driver::Peers>> {
        self.among.as_ref().map(|among| among.driver.peers())
    }

    /// What actors ask before they acknowledge.
    #[must_use]
    pub fn ownership(&self) -> Arc<dyn Ownership> {
        Arc::clone(&self.ownership)
    }

    /// Shards that are given away or lost leave the memory of these conversations, and what owners
    /// before left behind of those that come is made right by them.
    pub fn serve_by(&self, conversations: &region::Handle) {
        let Some(among) = &self.among else { return };
        among.duties.begin(conversations, &*self.ownership);
    }

    /// This node serves whatever the others give it, from now on.
    pub fn take_shards(&self) {
        if let Some(Among { remote: Some(remote), .. }) = &self.among {
            remote.take_shards();
        }
    }

    /// Gives every shard to the other nodes, a few at a time, and then the lease; at most so long.
    /// Their conversations are reached there from then on. A node without others keeps them.
    pub async fn hand_off(&self, within: Duration) {
        let Some(Among { driver, remote: Some(_), .. }) = &self.among else { return };
        if driver.peers().borrow().is_empty() {
            return;
        }
        driver.drain();
        if tokio::time::timeout(within, driver.ended()).await.is_err() {
            tracing::warn!("not every shard was handed off in time, the rest is taken over");
        }
    }

    /// Gives the lease back, after everything was settled, and ends the links. A lease that cannot
    /// be given back in this time runs out by itself.
    pub async fn leave(self, within: Duration) {
        let Some(Among { driver, following, .. }) = self.among else { return };
        driver.leave();
        if tokio::time::timeout(within, driver.ended()).await.is_err() {
            tracing::warn!("the lease could not be given back, it runs out by itself");
        }
        if let Some(following) = following
            && tokio::time::timeout(within, following.stop()).await.is_err()
        {
            tracing::warn!("the links to other nodes did not end in time");
        }
    }

    /// Waits until no lease will ever be held again, or no other node ever be reached.
    pub async fn ended(&self) {
        let Some(among) = &self.among else { return std::future::pending().await };
        let unlinked = async {
            match &among.following {
                Some(following) => following.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = among.driver.ended() => {}
            () = unlinked => {}
        }
    }
}

fn name(config: &Config) -> NodeName {
    NodeName(config.server.node.as_str().into())
}

/// A name that no life had before.
fn new_boot() -> Boot {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    Boot(uuid::Builder::from_random_bytes(random).into_uuid())
}

/// A clock that counts while the machine sleeps, where there is one.
fn since_boot() -> Moment {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Moment(Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests;
