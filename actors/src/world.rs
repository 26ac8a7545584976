//! What every actor of a node shares: the ports to the outside and the settings.

use std::sync::{Arc, OnceLock};

use switchboard_cluster::ownership::Ownership;
use switchboard_store::Store;

use crate::clock::Clock;
use crate::mailbox::Address;
use crate::meter::Meter;
use crate::system::Config;
use crate::tenant::Tenants;
use crate::{checkpoint, region};

/// Everything outside an actor that it may use.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ownership: Arc<dyn Ownership>,
    /// The other nodes; `None` on a node that is alone.
    pub(crate) remote: Option<Arc<region::Remote>>,
    pub(crate) meter: Arc<dyn Meter>,
    /// Writes checkpoints and receipts, coalesced.
    pub(crate) checkpoints: Address<checkpoint::Message>,
    pub(crate) tenants: Tenants,
    /// Set once, when the regions are there.
    pub(crate) conversations: OnceLock<region::Handle>,
}
