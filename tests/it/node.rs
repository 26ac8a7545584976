//! A node of its own for each test, with two tenants and everybody in them.

use std::io::Write as _;
use std::net::SocketAddr;

use serde_json::json;
use switchboard::auth::SecretConfig;
use switchboard::config::{Config, Engine, Environment};
use switchboard::node::Node;
use tempfile::NamedTempFile;

use crate::http::{Call, Reply};
use crate::tokens::{OTHER_PUBLIC, SECRET};

/// A running node.
#[derive(Debug)]
pub(crate) struct TestNode {
    node: Node,
    pub(crate) address: SocketAddr,
    _keys: NamedTempFile,
}

impl TestNode {
    /// Starts a node that keeps everything in memory, with the demo's widget.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let mut keys = NamedTempFile::new().unwrap();
        let set = json!({"keys": [{"kid": "other", "tenant": "other", "kty": "OKP",
                                   "crv": "Ed25519", "x": OTHER_PUBLIC}]});
        keys.write_all(set.to_string().as_bytes()).unwrap();
        let mut config = Config { environment: Environment::Development, ..Config::default() };
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.server.ops_listen = config.server.listen;
        config.server.demo = true;
        config.store.engine = Engine::Memory;
        config.jwt = SecretConfig { secret: Some(SECRET.to_owned()) };
        config.auth.keys_file = Some(keys.path().to_owned());
        change(&mut config);
        let node = Node::start(config).await.unwrap();
        let address = node.address();
        Self { node, address, _keys: keys }
    }

    pub(crate) async fn stop(self) {
        self.node.stop(std::future::pending()).await;
    }

    pub(crate) async fn send(&self, call: &Call) -> Reply {
        call.send(self.address).await
    }
}
