//! One node of several, as clients see it.

use std::net::SocketAddr;

use crate::http::{Call, Reply};

pub(crate) struct TestNode {
    pub(crate) address: SocketAddr,
}

impl TestNode {
    pub(crate) async fn send(&self, call: &Call) -> Reply {
        call.send(self.address).await
    }
}
