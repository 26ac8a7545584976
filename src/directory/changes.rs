//! News of what widgets show: a change of a tenant's widgets or departments wakes whoever waits.

use std::collections::HashMap;

use parking_lot::Mutex;
use switchboard_domain::ids::TenantId;
use tokio::sync::watch;

use super::Directory;
use super::record::Record;

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

    fn tell(&self, tenant: &TenantId) {
        if let Some(sender) = self.0.lock().get(tenant) {
            sender.send_replace(());
        }
    }
}

impl Directory {
    /// Hears from now on when widgets or departments of a tenant change. What is read after this
    /// call and changed after that reading is told.
    #[must_use]
    pub fn news(&self, tenant: &TenantId) -> News {
        self.0.changes.listen(tenant)
    }

    /// Also after a failure: its outcome may be unknown.
    pub(super) fn tell_of<R: Record>(&self, tenant: &TenantId) {
        if R::IS_SHOWN {
            self.0.changes.tell(tenant);
        }
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
