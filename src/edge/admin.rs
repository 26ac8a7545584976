//! The ops listener: metrics, health, readiness and a look inside. It has no sign-in and shows no
//! content; it is bound to loopback unless the operator says otherwise.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};
use switchboard_actors::observe::{Observed, Region, Tenant};
use tokio::sync::{mpsc, oneshot};

use crate::metrics::{self, Metrics};
use crate::phase::{self, Phase};

/// Sockets of operators at a time: a few scrapers and a person.
pub const CONNECTIONS_MAX: usize = 64;

/// Asks whoever holds the actors for a look at them.
pub type Ask = mpsc::Sender<oneshot::Sender<Observed>>;

/// What the ops listener shows.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// What the node is doing.
    pub phase: phase::Watch,
    /// The actors, once they run.
    pub actors: Ask,
}

/// The routes of the ops listener.
pub fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(show_readiness))
        .route("/observe", get(observe))
        .with_state(admin)
}

async fn show_metrics(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], admin.metrics.render()).into_response()
}

/// 200 while the node serves, 503 before and after: where a load balancer looks.
async fn show_readiness(State(admin): State<Admin>) -> Response {
    let phase = admin.phase.now();
    let status = match phase {
        Phase::Ready => StatusCode::OK,
        Phase::Starting | Phase::Draining | Phase::Cutting => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("{}\n", phase.name())).into_response()
}

async fn observe(State(admin): State<Admin>) -> Response {
    let (reply, answer) = oneshot::channel();
    // One look at a time: a second asker waits, and a node without actors answers at once.
    let asked = admin.actors.try_send(reply).is_ok();
    let observed = if asked { answer.await.ok() } else { None };
    match observed {
        Some(observed) => axum::Json(shown(&admin, &observed)).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the actors do not answer\n").into_response(),
    }
}

fn shown(admin: &Admin, observed: &Observed) -> Value {
    json!({
        "phase": admin.phase.now().name(),
        "version": env!("CARGO_PKG_VERSION"),
        "connections": admin.metrics.connections.open.get(),
        "shards": observed.shards,
        "restarts": observed.restarts,
        "conversations": {
            "live": total(observed, |region| region.live),
            "passivating": total(observed, |region| region.passivating),
            "quarantined": total(observed, |region| region.quarantined),
            "subscribed": total(observed, |region| region.subscribed),
            "subscriptions": total(observed, |region| region.subscriptions),
            "mailbox": total(observed, |region| region.conversations_mailbox),
        },
        "regions": observed.regions.iter().map(region).collect::<Vec<_>>(),
        "tenants": observed.tenants.iter().map(tenant).collect::<Vec<_>>(),
    })
}

fn total(observed: &Observed, count: impl Fn(&Region) -> usize) -> usize {
    observed.regions.iter().map(count).sum()
}

fn region(region: &Region) -> Value {
    json!({
        "live": region.live,
        "passivating": region.passivating,
        "quarantined": region.quarantined,
        "subscribed": region.subscribed,
        "subscriptions": region.subscriptions,
        "mailbox": region.mailbox,
        "conversations_mailbox": region.conversations_mailbox,
        "activations": region.activations,
        "passivations": region.passivations,
        "failures": region.failures,
    })
}

fn tenant(tenant: &Tenant) -> Value {
    let Tenant { tenant, presence, inbox, queue } = tenant;
    json!({
        "tenant": &*tenant.0,
        "presence": {
            "agents": presence.agents,
            "alive": presence.alive,
            "watchers": presence.watchers,
            "slots_taken": presence.slots_taken,
            "slots_owned": presence.slots_owned,
            "mailbox": presence.mailbox,
        },
        "inbox": {
            "cards": inbox.cards,
            "lists": inbox.lists,
            "views": inbox.views,
            "steps": inbox.steps,
            "mailbox": inbox.mailbox,
        },
        "queue": {
            "waiting": queue.waiting,
            "routed": queue.routed,
            "mailbox": queue.mailbox,
        },
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_node_is_ready_between_its_start_and_its_drain_alone() {
        let (lead, phase) = phase::starting();
        let (actors, _asked) = mpsc::channel(1);
        let router = routes(Admin { metrics: Metrics::new(), phase, actors });
        for (phase, status) in [
            (Phase::Starting, StatusCode::SERVICE_UNAVAILABLE),
            (Phase::Ready, StatusCode::OK),
            (Phase::Draining, StatusCode::SERVICE_UNAVAILABLE),
            (Phase::Cutting, StatusCode::SERVICE_UNAVAILABLE),
        ] {
            lead.advance(phase);
            assert_eq!(get(&router, "/readyz").await, (status, format!("{}\n", phase.name())));
            assert_eq!(get(&router, "/healthz").await.0, StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn metrics_and_counts_of_actors_are_shown() {
        let (_lead, phase) = phase::starting();
        let (actors, mut asked) = mpsc::channel::<oneshot::Sender<Observed>>(1);
        let router = routes(Admin { metrics: Metrics::new(), phase, actors });
        assert!(get(&router, "/metrics").await.1.ends_with("# EOF\n"));
        let region = Region { live: 2, mailbox: 3, ..Region::default() };
        let regions = vec![region.clone(), region];
        let observed = Observed { shards: 341, regions, tenants: Vec::new(), restarts: 7 };
        let answering = async {
            asked.recv().await.unwrap().send(observed).unwrap();
        };
        let ((status, body), ()) = tokio::join!(get(&router, "/observe"), answering);
        assert_eq!(status, StatusCode::OK);
        let shown: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(shown["shards"], 341);
        assert_eq!(shown["restarts"], 7);
        assert_eq!(shown["conversations"]["live"], 4);
        assert_eq!(shown["regions"][1]["mailbox"], 3);
        drop(asked);
        assert_eq!(get(&router, "/observe").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
