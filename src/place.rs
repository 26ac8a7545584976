//! By what right this node serves what it serves: alone, because the lock of its data directory
//! keeps every other process out; among others, because it holds a lease and claims shards.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use switchboard_actors::region;
use switchboard_cluster::driver::{Driver, Settings, Standing, Work};
use switchboard_cluster::ownership::{Boot, Epoch, NodeName, Ownership, Single};
use switchboard_cluster::rows::{Reply, Rows};
use switchboard_cluster::shard::Shard;
use switchboard_cluster::time::{Moment, Times};
use switchboard_domain::ids::TenantId;
use switchboard_store::{Fault, Store};

use crate::config::Config;
use crate::telemetry::spawn;

/// How long a start waits for its lease. A life before it that was killed is watched for five
/// seconds; what takes longer is another process of the same name, or no database.
const LEASE_WITHIN: Duration = Duration::from_secs(30);

/// The lease was not to be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "the node `{node}` did not get its lease in 30 s: another process runs under this name \
     (server.node), or the database answers too slowly"
)]
pub struct NoLease {
    node: String,
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
    duties: Arc<Duties>,
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

    /// A node among those that share these rows. Answers once it owns its share.
    ///
    /// # Errors
    ///
    /// When it did not get its lease.
    pub async fn among(config: &Config, rows: Arc<dyn Rows>) -> Result<Self, NoLease> {
        let settings = Settings {
            node: name(config),
            address: config.server.listen.to_string().into(),
            weight: 1,
            times: Times::DEFAULT,
            clock: Arc::new(since_boot),
            boots: Arc::new(new_boot),
        };
        let duties = Arc::new(Duties::default());
        let driver = Driver::start(settings, rows, Arc::clone(&duties) as Arc<dyn Work>);
        let standing = driver.settled(LEASE_WITHIN).await;
        if !matches!(standing, Standing::In { .. }) {
            driver.leave();
            return Err(NoLease { node: config.server.node.clone() });
        }
        Ok(Self { ownership: driver.ownership(), among: Some(Among { driver, duties }) })
    }

    /// What actors ask before they acknowledge.
    #[must_use]
    pub fn ownership(&self) -> Arc<dyn Ownership> {
        Arc::clone(&self.ownership)
    }

    /// Shards that are given away or lost leave the memory of these conversations.
    pub fn serve_by(&self, conversations: &region::Handle) {
        if let Some(among) = &self.among {
            // It is called once.
            let _set = among.duties.conversations.set(conversations.clone());
        }
    }

    /// Gives the lease back, after everything was settled. One that cannot be given back in this
    /// time runs out by itself.
    pub async fn leave(&self, within: Duration) {
        let Some(among) = &self.among else { return };
        among.driver.leave();
        if tokio::time::timeout(within, among.driver.ended()).await.is_err() {
            tracing::warn!("the lease could not be given back, it runs out by itself");
        }
    }

    /// Waits until no lease will ever be held again.
    pub async fn ended(&self) {
        match &self.among {
            Some(among) => among.driver.ended().await,
            None => std::future::pending().await,
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

/// What claims ask of the actors.
#[derive(Debug, Default)]
struct Duties {
    /// Set when there are actors. Before that there is nothing to settle or to drop.
    conversations: OnceLock<region::Handle>,
}

impl Work for Duties {
    /// Conversations wake with their first request.
    fn claimed(&self, _shard: Shard, _epoch: Epoch) {}

    fn settle(&self, shard: Shard, _epoch: Epoch) -> Reply<()> {
        let conversations = self.conversations.get().cloned();
        Box::pin(async move {
            if let Some(conversations) = conversations {
                conversations.let_go(shard).await;
            }
        })
    }

    /// Whoever owns it next takes each log over from its rows.
    fn released(&self, _shard: Shard, _epoch: Epoch) {}

    fn drop_shard(&self, shard: Shard) {
        if let Some(conversations) = self.conversations.get().cloned() {
            spawn("drop shard", async move { conversations.let_go(shard).await });
        }
    }

    fn drop_all(&self) {
        if let Some(conversations) = self.conversations.get().cloned() {
            spawn("drop all", async move { conversations.let_all_go().await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_leases_never_goes_back() {
        let moments: Vec<Moment> = (0..1_000).map(|_| since_boot()).collect();
        assert!(moments.is_sorted() && moments[0] > Moment::default());
    }

    #[test]
    fn every_life_has_a_boot_of_its_own() {
        assert_ne!(new_boot(), new_boot());
    }
}
