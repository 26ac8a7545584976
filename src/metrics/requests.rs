//! HTTP requests by route and class of status.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::{Catalog, Times};

/// What requests have no route count under: scans and typing errors.
const NO_ROUTE: &str = "none";

/// HTTP requests.
#[derive(Clone, Debug)]
pub struct Requests {
    answered: Family<Labels, Counter>,
    took: Times,
}

/// Routes are those of the router and classes are five: bounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    route: String,
    class: &'static str,
}

impl Requests {
    pub(super) fn new(catalog: &mut Catalog) -> Self {
        let answered = Family::default();
        let help = "HTTP requests answered, by matched route and class of status";
        catalog.add("requests_answered", help, answered.clone());
        let took =
            catalog.times("requests_answered", "From a request's head to the head of its answer");
        Self { answered, took }
    }

    /// Counts an answered request; `None` when no route matched.
    pub fn answered(&self, route: Option<&str>, status: http::StatusCode, took: Duration) {
        let class = match status.as_u16() / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        let route = route.unwrap_or(NO_ROUTE).to_owned();
        self.answered.get_or_create(&Labels { route, class }).inc();
        self.took.observe(took);
    }
}
