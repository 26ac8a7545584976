//! A browser as far as accounts can tell: keeps cookies, names its page's origin, shows what the
//! page knows.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Call, Reply};

/// A browser with a page of ours open.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    address: SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) csrf: Option<String>,
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, cookies: BTreeMap::new(), csrf: None }
    }

    /// The same browser, after the server was started again.
    pub(crate) fn moved(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// The origin of the page.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A request with cookies alone.
    pub(crate) fn bare(&self, method: &str, path: &str) -> Call {
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let call = Call::new(method, path);
        if cookies.is_empty() { call } else { call.header("Cookie", &cookies.join("; ")) }
    }

    /// A request as the page makes it.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let call = self.bare(method, path);
        if method == "GET" {
            return call;
        }
        let call = call.header("Origin", &self.origin());
        match &self.csrf {
            Some(csrf) => call.header("X-Switchboard-CSRF", csrf),
            None => call,
        }
    }

    /// Sends it and keeps what the answer says.
    pub(crate) async fn send(&mut self, call: &Call) -> Reply {
        let reply = call.send(self.address).await;
        for (name, line) in &reply.headers {
            if name == "set-cookie" {
                let (cookie, rest) = line.split_once(';').unwrap();
                let (name, value) = cookie.split_once('=').unwrap();
                assert_eq!(
                    rest.rsplit_once(" Max-Age").unwrap().0,
                    " Path=/; Secure; HttpOnly; SameSite=Lax;",
                    "{line}"
                );
                if line.ends_with("Max-Age=0") {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        reply
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        let call = self.call("GET", path);
        self.send(&call).await
    }

    pub(crate) async fn change(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        let call = self.call(method, path).json(body);
        self.send(&call).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.change("POST", path, body).await
    }

    /// Comes in by one of the doors that do, and keeps what the page is told.
    pub(crate) async fn enter(&mut self, door: &str, body: &Value) -> Reply {
        let reply = self.post(&format!("/v1/auth/{door}"), body).await;
        if reply.status == 200 {
            self.csrf = reply.json()["csrf"].as_str().map(str::to_owned);
        }
        reply
    }

    pub(crate) async fn log_in(&mut self, email: &str, password: &str) -> Reply {
        self.enter("login", &json!({"email": email, "password": password})).await
    }

    /// A ticket for a socket.
    pub(crate) async fn ticket(&mut self) -> String {
        let reply = self.post("/v1/stream/tickets", &json!({})).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["ticket"].as_str().unwrap().to_owned()
    }
}
