//! What is done on this node when another tells something.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use switchboard_actors::inbox::Companion;
use switchboard_actors::region::{Notices, Remote};
use switchboard_cluster::driver;
use switchboard_cluster::ownership::NodeName;
use switchboard_domain::ids::{AgentId, ConversationId, TenantId, Timestamp, VisitorId};
use switchboard_domain::person::AgentRef;
use switchboard_domain::trail::Page;
use switchboard_store::ConversationKey;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant, sleep};
use uuid::Uuid;

use super::Notice;
use crate::directory::{Error, Touched};
use crate::edge::doors::Doors;
use crate::edge::native::departments;
use crate::phase::{self, Phase};
use crate::telemetry::spawn;

/// Notices that wait to be worked off. Beyond that they are lost, and everything is read anew.
const WAITING_MAX: usize = 8_192;
/// How long a record is kept, for a node may be silent for a while before it counts as gone, and a
/// write of unknown outcome be carried out after it was told.
const KEPT: Duration = Duration::from_secs(2);
/// How often connections are looked through while another node is not linked, though it lives.
const RECHECK_EVERY: Duration = Duration::from_secs(4);

/// Something that came.
#[derive(Debug)]
pub enum News {
    /// A node hears this one from now on.
    Linked(NodeName),
    /// A node says something.
    Told(NodeName, Notice),
    /// A node is gone.
    Gone(NodeName),
}

#[derive(Debug)]
struct Hearing {
    news: mpsc::Sender<News>,
    /// Whether anything may have changed without a word.
    is_behind: Arc<AtomicBool>,
}

impl Hearing {
    fn pass_on(&self, news: News) {
        if self.news.try_send(news).is_err() {
            self.is_behind.store(true, Ordering::Release);
        }
    }
}

impl Notices for Hearing {
    fn linked(&self, node: &NodeName) {
        self.pass_on(News::Linked(node.clone()));
    }

    fn missed(&self, _node: &NodeName) {
        self.is_behind.store(true, Ordering::Release);
    }

    fn heard(&self, from: &NodeName, words: &Bytes) {
        match Notice::read(words) {
            Some(notice) => self.pass_on(News::Told(from.clone(), notice)),
            None => tracing::debug!(node = %from, "a notice of a later version"),
        }
    }

    fn gone(&self, node: &NodeName) {
        self.pass_on(News::Gone(node.clone()));
    }
}

/// Acts on what other nodes tell, until the node is cut.
pub fn listen(
    doors: &Arc<Doors>,
    remote: &Arc<Remote>,
    named: watch::Receiver<driver::Peers>,
    phase: phase::Watch,
) {
    let (news, heard) = mpsc::channel(WAITING_MAX);
    let is_behind = Arc::new(AtomicBool::new(false));
    remote.listen(Arc::new(Hearing { news, is_behind: Arc::clone(&is_behind) }));
    let listener = Listener {
        doors: Arc::downgrade(doors),
        remote: Arc::downgrade(remote),
        named,
        is_behind,
        forgot_at: Instant::now(),
        rechecked_at: Instant::now(),
    };
    spawn("notices", listener.run(heard, phase));
}

struct Listener {
    /// Doors reach the other nodes, which reach this.
    doors: Weak<Doors>,
    remote: Weak<Remote>,
    named: watch::Receiver<driver::Peers>,
    is_behind: Arc<AtomicBool>,
    forgot_at: Instant,
    rechecked_at: Instant,
}

impl Listener {
    async fn run(mut self, mut heard: mpsc::Receiver<News>, mut phase: phase::Watch) {
        loop {
            let news = tokio::select! {
                () = phase.reached(Phase::Cutting) => return,
                news = heard.recv() => match news {
                    Some(news) => Some(news),
                    None => return,
                },
                () = sleep(Duration::from_millis(500)) => None,
            };
            let Some(doors) = self.doors.upgrade() else { return };
            if let Some(news) = news {
                act(&doors, &self.remote, news).await;
            }
            self.keep_fresh(&doors).await;
        }
    }

    /// Sees to it that nothing kept here is older than it may be.
    async fn keep_fresh(&mut self, doors: &Doors) {
        let now = Instant::now();
        if self.is_behind.swap(false, Ordering::AcqRel) {
            if let Err(error) = renew(doors).await {
                tracing::warn!(%error, "what is kept could not be read anew, will try again");
                self.is_behind.store(true, Ordering::Release);
                // What is asked for meanwhile is read from the store.
                doors.directory.forget_all();
            }
            (self.forgot_at, self.rechecked_at) = (now, now);
            return;
        }
        if now.saturating_duration_since(self.forgot_at) >= KEPT {
            self.forgot_at = now;
            doors.directory.forget_all();
        }
        if self.is_apart() && now.saturating_duration_since(self.rechecked_at) >= RECHECK_EVERY {
            self.rechecked_at = now;
            if let Err(error) = renew(doors).await {
                tracing::warn!(%error, "connections could not be looked through");
            }
        }
    }

    /// Whether a node lives that is not linked with this one.
    fn is_apart(&self) -> bool {
        let Some(remote) = self.remote.upgrade() else { return false };
        let linked: BTreeSet<NodeName> = remote.linked().into_iter().collect();
        self.named.borrow().keys().any(|node| !linked.contains(node))
    }
}

/// Whatever is kept is read anew, and whoever is connected is looked at again.
async fn renew(doors: &Doors) -> Result<(), Error> {
    doors.directory.anything_changed().await?;
    doors.auth.recheck_all().await?;
    doors.accounts.look_for_owner().await?;
    for tenant in doors.directory.tenants().await? {
        apply_policies(doors, &tenant).await;
    }
    Ok(())
}

async fn apply_policies(doors: &Doors, tenant: &TenantId) {
    if let Err(problem) = departments::apply_policies(doors, tenant).await {
        tracing::warn!(%tenant, code = problem.code.as_str(), "policies were not read anew");
    }
}

async fn act(doors: &Arc<Doors>, remote: &Weak<Remote>, news: News) {
    match news {
        News::Linked(node) => {
            let Some(remote) = remote.upgrade() else { return };
            for notice in doors.viewers.stands().into_iter().chain(doors.connections.stands()) {
                remote.tell(&node, notice.words());
            }
        }
        News::Gone(node) => {
            doors.connections.gone(&node.0);
            for key in doors.viewers.gone(&node.0) {
                doors.conversations.viewing(&key, &doors.viewers.of(&key));
            }
        }
        News::Told(node, notice) => {
            if let Err(error) = told(doors, &node, notice).await {
                // What is kept of it was forgotten all the same.
                tracing::warn!(%node, %error, "what another node told could not be looked up");
            }
        }
    }
}

async fn told(doors: &Arc<Doors>, node: &NodeName, notice: Notice) -> Result<(), Error> {
    match notice {
        Notice::Changed { tenant, kind, id } => {
            changed(doors, &TenantId(tenant), &kind, &id).await?;
        }
        Notice::Begun { tenant, visitor, conversation } => {
            let conversation = ConversationId::from_u128(conversation);
            let visitor = VisitorId::from_u128(visitor);
            doors.auth.tell_visitor_here(&TenantId(tenant), visitor, conversation);
        }
        Notice::Page { tenant, visitor, url, title, did, at } => {
            let page = Page { url, title, did, at: Timestamp(at) };
            doors.trails.heard(&TenantId(tenant), VisitorId::from_u128(visitor), page);
        }
        Notice::Viewing { tenant, conversation, agents, typing } => {
            let conversation = ConversationId::from_u128(conversation);
            let key = ConversationKey { tenant: TenantId(tenant), conversation };
            let agents = agents.into_iter().map(|(id, name)| Companion {
                agent: AgentRef { id: AgentId::from_u128(id), name },
                types: typing.contains(&id),
            });
            if doors.viewers.heard(&node.0, &key, agents.collect()) {
                // Both may have told only of themselves.
                doors.conversations.viewing(&key, &doors.viewers.of(&key));
            }
        }
        Notice::Verified { tenant, email, visitor, is_here } => {
            let (tenant, visitor) = (TenantId(tenant), VisitorId::from_u128(visitor));
            doors.connections.heard(&node.0, &tenant, &email, visitor, is_here);
        }
        Notice::Ticket { digest, tenant, person, sign_in } => {
            let (tenant, person) = (TenantId(tenant), AgentId::from_u128(person));
            let sign_in = Uuid::from_u128(sign_in);
            doors.accounts.hear_ticket(digest, &tenant, person, sign_in).await?;
        }
        Notice::TicketUsed { digest } => doors.accounts.tickets().used(&digest),
        Notice::Tried { address, account, device, is_back } => {
            doors.accounts.hear_attempt(address, account, device, is_back);
        }
    }
    Ok(())
}

async fn changed(doors: &Doors, tenant: &TenantId, kind: &str, id: &str) -> Result<(), Error> {
    match doors.directory.changed_elsewhere(tenant, kind, id).await? {
        Touched::Nothing => {}
        Touched::Whoever(whoever) => {
            doors.auth.recheck(tenant, whoever).await?;
            doors.accounts.look_for_owner().await?;
        }
        Touched::Site => {
            doors.auth.recheck_site(tenant, id).await?;
            apply_policies(doors, tenant).await;
        }
        Touched::Routing => apply_policies(doors, tenant).await,
        Touched::Preferences(person) => {
            let version = doors.directory.preferences(tenant, person).await?.version;
            doors.auth.tell_preferences(tenant, person, version);
        }
        Touched::Drafts(person) => {
            let version = doors.directory.drafts(tenant, person).await?.version;
            doors.auth.tell_drafts(tenant, person, version);
        }
    }
    Ok(())
}
