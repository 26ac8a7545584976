//! What a node does between its actors and its clients, as the binary does it; and while it serves.

use std::sync::Arc;
use std::time::Duration;

use switchboard_actors::observe::Observed;
use switchboard_actors::{Refusal, System, inbox, presence, queue, region};
use switchboard_cluster::driver::Driver;
use switchboard_domain::ids::DepartmentId;
use switchboard_domain::queue::Policy;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::people;

/// How long a start waits for who has too much to do, and how long before it asks again.
const BUSY_FOR: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How departments route.
pub(crate) type Routing = Arc<[(DepartmentId, Policy)]>;

/// Who wants to know how the actors stand.
pub(super) type Asked = mpsc::Receiver<oneshot::Sender<Observed>>;

/// What clients of a node reach.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) conversations: region::Handle,
    pub(crate) presence: presence::Handle,
    pub(crate) inbox: inbox::Handle,
    pub(crate) queue: queue::Handle,
    asks: mpsc::Sender<oneshot::Sender<Observed>>,
}

impl Doors {
    pub(super) fn of(system: &System, asks: mpsc::Sender<oneshot::Sender<Observed>>) -> Self {
        Self {
            conversations: system.conversations(),
            presence: system.presence(),
            inbox: system.inbox(),
            queue: system.queue(),
            asks,
        }
    }

    /// How the actors stand; `None` of a node that ends.
    pub(crate) async fn observe(&self) -> Option<Observed> {
        let (reply, observed) = oneshot::channel();
        self.asks.send(reply).await.ok()?;
        observed.await.ok()
    }
}

/// Tells the queue of this node how departments route, again for as long as it has too much to do.
pub(super) async fn route_all(queue: &queue::Handle, routing: &Routing) -> Result<(), Refusal> {
    let tenant = people::tenant();
    let until = Instant::now() + BUSY_FOR;
    loop {
        let mut told = Ok(());
        for (department, policy) in &**routing {
            told = queue.set_policy(&tenant, Some(department.clone()), *policy).await;
            if told.is_err() {
                break;
            }
        }
        match told {
            Err(Refusal::Busy { .. } | Refusal::Unknown) if Instant::now() < until => {
                sleep(ASK_AGAIN).await;
            }
            told => return told,
        }
    }
}

/// Lets itself be looked at, until it is told to drain or ends by itself; whether it was told.
pub(super) async fn serve(
    driver: &Driver,
    system: &System,
    mut asked: Asked,
    drain: &Notify,
) -> bool {
    let life = system.life();
    loop {
        tokio::select! {
            biased;
            () = life.ended() => return false,
            () = driver.ended() => return false,
            () = drain.notified() => return true,
            Some(reply) = asked.recv() => {
                // Whoever asked may have gone.
                let _heard = reply.send(Box::pin(system.observe()).await);
            }
        }
    }
}
