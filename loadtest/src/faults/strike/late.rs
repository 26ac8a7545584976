//! Writes that arrive late: the one moment that the lease check after a write is there for.
//!
//! A node may acknowledge what is stored, if it still owns the shard. To go wrong without that
//! question, a write must leave while its node owns the shard, be stored after another node has
//! read the tail of that log, and be answered while its client still waits. Left to chance that
//! never happens: under load every write that leaves as a network is cut is given up long before
//! others may take over. So all senders are held back at first, and what the node sends to the
//! database is held, not lost. A sender of each conversation sends just before the lease runs out,
//! another a little later, the rest when it has, to be served by the new owner. Then what was held
//! is let go.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep, sleep_until};

use super::{LOOK_EVERY, Striker, Struck, seconds};
use crate::load::SENDERS;

/// Longer than a sender of the short form rests, and than most answers take.
const QUIET: Duration = Duration::from_secs(2);
/// The newest renewal that was answered was sent up to one beat before what follows it was held,
/// and is trusted for four. So much before the first moment at which the lease can run out the
/// first sender sends; so much after it the second.
const AROUND: Duration = Duration::from_millis(400);
/// So long after the last moment at which it can, the others send.
const AFTER: Duration = Duration::from_millis(300);
/// A node answers within 5 s. When what was sent last before the lease ran out is nearly as old as
/// that, it is of no use to wait longer.
const PATIENCE: Duration = Duration::from_millis(4_300);

impl Striker<'_> {
    pub(super) async fn late(&mut self) -> Result<Struck> {
        let victim = self.rng.index(self.cluster.nodes.len());
        let orphans = self.owned(victim);
        let node = self.node(victim)?.machine;
        self.world.admit(0);
        sleep(QUIET).await;
        let from_us = self.now();
        let began = Instant::now();
        self.cluster.network.hold(node, self.cluster.database_machines())?;
        let [beats_3, beats_4] = [3, 4].map(|n| seconds(n * u64::from(self.lease_factor)));
        sleep_until(began + beats_3 - AROUND).await;
        self.world.admit(1);
        sleep_until(began + beats_3 + AROUND).await;
        self.world.admit(2);
        let given_up = Instant::now() + PATIENCE;
        sleep_until(began + beats_4 + AFTER).await;
        let after_us = self.now();
        self.world.admit(SENDERS);
        let n_waiting = || {
            let silent = self.world.silent_since(after_us);
            orphans.iter().filter(|orphan| silent.contains(orphan)).count()
        };
        while n_waiting() > 0 && Instant::now() < given_up {
            sleep(LOOK_EVERY).await;
        }
        let n_served = orphans.len() - n_waiting();
        let lasted = began.elapsed();
        self.cluster.network.release()?;
        let what = format!(
            "what {} wrote arrived {lasted:.1?} late, {n_served} of {} conversations were served \
             by others",
            self.name(victim),
            orphans.len()
        );
        // How soon others served them says nothing here: it was waited for.
        Ok(Struck { what, from_us, healed_us: self.now(), victims: vec![victim], orphans: vec![] })
    }
}
