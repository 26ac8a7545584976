//! News of changes: of a tenant's widgets or departments wakes whoever waits for what widgets show,
//! and whatever is kept in memory is known to be old on all nodes.

use std::collections::HashMap;

use parking_lot::Mutex;
use switchboard_domain::ids::{AgentId, TenantId};
use tokio::sync::watch;
use uuid::Uuid;

use super::drafts::Drafts;
use super::identity_key::IdentityKeys;
use super::preferences::Preferences;
use super::record::Record;
use super::{Department, Directory, Error, Person, Visitor, Widget};
use crate::accounts::api_key::ApiKey;
use crate::accounts::avatar;
use crate::accounts::credential::Credential;
use crate::notices::Notice;

/// Who waits, by tenant; a tenant for which nobody waits has no entry.
#[derive(Debug, Default)]
pub(super) struct Changes(Mutex<HashMap<TenantId, watch::Sender<()>>>);

/// Hears of changes from the moment it was made.
#[derive(Debug)]
pub struct News(watch::Receiver<()>);

impl News {
    /// Waits until something was changed since the last call, or since this was made. Cancel safe.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // The sender stays while anybody listens; were it gone, nothing would ever change.
            std::future::pending::<()>().await;
        }
    }
}

impl Changes {
    fn listen(&self, tenant: &TenantId) -> News {
        let mut waiting = self.0.lock();
        // Those whose last listener has gone make room for the next.
        waiting.retain(|_, sender| sender.receiver_count() > 0);
        let sender = waiting.entry(tenant.clone()).or_insert_with(|| watch::channel(()).0);
        News(sender.subscribe())
    }

    fn tell_all(&self) {
        for sender in self.0.lock().values() {
            sender.send_replace(());
        }
    }

    fn tell(&self, tenant: &TenantId) {
        if let Some(sender) = self.0.lock().get(tenant) {
            sender.send_replace(());
        }
    }
}

/// What a change on another node touches, beside the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Nothing.
    Nothing,
    /// Connections of this person, visitor or key.
    Whoever(Uuid),
    /// Connections that the keys of that widget let in.
    Site,
    /// How conversations of the tenant find their agents.
    Routing,
    /// What open pages of that person show.
    Preferences(AgentId),
    /// What open pages of that person hold unsent.
    Drafts(AgentId),
}

impl Directory {
    /// Hears from now on when widgets or departments of a tenant change. What is read after this
    /// call and changed after that reading is told.
    #[must_use]
    pub fn news(&self, tenant: &TenantId) -> News {
        self.0.changes.listen(tenant)
    }

    /// Also after a failure: its outcome may be unknown.
    pub(super) fn tell_of<R: Record>(&self, tenant: &TenantId, id: &str) {
        if R::IS_SHOWN {
            self.0.changes.tell(tenant);
        }
        let is_kept = R::IS_INDEXED || R::cache(&self.0.caches).is_some();
        if R::IS_SHOWN || R::IS_LIVE || is_kept {
            self.teller().tell(&Notice::changed(tenant, R::KIND, id));
        }
    }

    /// Another node has written or removed a record: what is kept of it here is read anew. Answers
    /// what else that touches.
    ///
    /// # Errors
    ///
    /// When the store fails; then what was kept is forgotten all the same.
    pub async fn changed_elsewhere(
        &self,
        tenant: &TenantId,
        kind: &str,
        id: &str,
    ) -> Result<Touched, Error> {
        self.0.caches.forget(tenant, kind, id);
        match kind {
            Widget::KIND => {
                self.0.changes.tell(tenant);
                self.load_origins_of(tenant).await?;
                Ok(Touched::Site)
            }
            IdentityKeys::KIND => Ok(Touched::Site),
            Department::KIND => {
                self.0.changes.tell(tenant);
                Ok(Touched::Routing)
            }
            Person::KIND | Visitor::KIND | Credential::KIND | ApiKey::KIND => {
                Ok(id.parse().map_or(Touched::Nothing, Touched::Whoever))
            }
            Preferences::KIND => Ok(id.parse().map_or(Touched::Nothing, Touched::Preferences)),
            Drafts::KIND => Ok(id.parse().map_or(Touched::Nothing, Touched::Drafts)),
            avatar::FACE => {
                self.load_face(tenant, id).await?;
                Ok(Touched::Nothing)
            }
            _ => Ok(Touched::Nothing),
        }
    }

    /// Forgets every record in memory: each is read anew when it is asked for.
    pub fn forget_all(&self) {
        self.0.caches.forget_all();
    }

    /// Another node may have written or removed anything: whatever is kept here is read anew.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn anything_changed(&self) -> Result<(), Error> {
        self.forget_all();
        self.0.changes.tell_all();
        self.load_origins().await?;
        self.load_faces().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn news_reach_those_of_the_tenant_who_listened_before() {
        let changes = Changes::default();
        let [acme, other] = ["acme", "other"].map(|name| TenantId(name.into()));
        changes.tell(&acme);
        let mut news = changes.listen(&acme);
        let mut foreign = changes.listen(&other);
        assert!(news.changed().now_or_never().is_none());
        changes.tell(&acme);
        assert!(news.changed().now_or_never().is_some());
        assert!(news.changed().now_or_never().is_none());
        assert!(foreign.changed().now_or_never().is_none());
        changes.tell_all();
        assert!(news.changed().now_or_never().is_some());
        assert!(foreign.changed().now_or_never().is_some());
        assert!(foreign.changed().now_or_never().is_none());
    }

    #[test]
    fn who_no_longer_listens_is_forgotten() {
        let changes = Changes::default();
        for n in 0..100 {
            drop(changes.listen(&TenantId(format!("tenant-{n}").into())));
        }
        assert!(changes.0.lock().len() <= 1);
    }
}
