//! What the doors of one node tell those of the others: that something kept in memory there is old,
//! and what is never stored and yet must be known on every node.
//!
//! A node that is linked hears everything, in order, or hears that it missed something; then it reads
//! anew whatever it keeps. Where that cannot be, because nodes do not reach each other, nothing is
//! kept for long.

mod hearing;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use switchboard_actors::inbox::Companion;
use switchboard_actors::region::Remote;
use switchboard_domain::ids::{ConversationId, TenantId, VisitorId};
use switchboard_domain::trail::Page;
use switchboard_store::ConversationKey;
use uuid::Uuid;

pub use hearing::{News, listen};

/// Agents that a notice names at most: more are not shown anywhere.
const AGENTS_MAX: usize = 256;

/// What is told. A form that another version has and this one does not is passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// A record of the directory was written or removed.
    Changed {
        /// Whose.
        tenant: Arc<str>,
        /// Its kind.
        kind: Arc<str>,
        /// Its id.
        id: Arc<str>,
    },
    /// A conversation was begun with a visitor, whose sockets are told of it.
    Begun {
        /// Whose.
        tenant: Arc<str>,
        /// With whom.
        visitor: u128,
        /// Which.
        conversation: u128,
    },
    /// A visitor went to a page, or did something there.
    Page {
        /// Whose.
        tenant: Arc<str>,
        /// Who.
        visitor: u128,
        /// Its address.
        url: Arc<str>,
        /// Its title.
        title: Arc<str>,
        /// What was done there; `None` for looking at it.
        did: Option<Arc<str>>,
        /// When.
        at: i64,
    },
    /// These agents look at a conversation on the node that says so, and no others.
    Viewing {
        /// Whose.
        tenant: Arc<str>,
        /// Which.
        conversation: u128,
        /// Who, and under which names.
        agents: Vec<(u128, Arc<str>)>,
        /// Which of them type.
        #[serde(default)]
        typing: Vec<u128>,
    },
    /// A visitor whose site says what their mail address is came to the node that says so, or has
    /// left it.
    Verified {
        /// Whose.
        tenant: Arc<str>,
        /// The address, in small letters.
        email: Arc<str>,
        /// Who.
        visitor: u128,
        /// Whether they are there now.
        is_here: bool,
    },
    /// A ticket opens a socket for somebody who is signed in.
    Ticket {
        /// The digest of it.
        digest: [u8; 32],
        /// Whose.
        tenant: Arc<str>,
        /// Who.
        person: u128,
        /// By which sign-in.
        sign_in: u128,
    },
    /// A ticket was used.
    TicketUsed {
        /// The digest of it.
        digest: [u8; 32],
    },
    /// A password is being tried, or was right and is not to be counted.
    Tried {
        /// From where.
        address: IpAddr,
        /// For which account, as it is counted.
        account: [u8; 16],
        /// From which known browser.
        device: Option<u128>,
        /// Whether it is taken back.
        is_back: bool,
    },
}

impl Notice {
    /// That a record was written or removed.
    #[must_use]
    pub fn changed(tenant: &TenantId, kind: &str, id: &str) -> Self {
        Self::Changed { tenant: tenant.0.clone(), kind: kind.into(), id: id.into() }
    }

    /// That a conversation was begun with a visitor.
    #[must_use]
    pub fn begun(tenant: &TenantId, visitor: VisitorId, conversation: ConversationId) -> Self {
        Self::Begun {
            tenant: tenant.0.clone(),
            visitor: number(visitor.uuid()),
            conversation: number(conversation.uuid()),
        }
    }

    /// That a visitor went to a page.
    #[must_use]
    pub fn page(tenant: &TenantId, visitor: VisitorId, page: &Page) -> Self {
        Self::Page {
            tenant: tenant.0.clone(),
            visitor: number(visitor.uuid()),
            url: Arc::clone(&page.url),
            title: Arc::clone(&page.title),
            did: page.did.clone(),
            at: page.at.0,
        }
    }

    /// Who looks at a conversation here, and types in it.
    #[must_use]
    pub fn viewing(key: &ConversationKey, looking: &[Companion]) -> Self {
        let looking = looking.iter().take(AGENTS_MAX);
        let id = |who: &Companion| number(who.agent.id.uuid());
        Self::Viewing {
            tenant: key.tenant.0.clone(),
            conversation: number(key.conversation.uuid()),
            agents: looking.clone().map(|who| (id(who), Arc::clone(&who.agent.name))).collect(),
            typing: looking.filter(|who| who.types).map(id).collect(),
        }
    }

    fn words(&self) -> Bytes {
        // The types rule a failure out; without words others would read anew whatever they keep.
        rmp_serde::to_vec_named(self).unwrap_or_default().into()
    }

    fn read(words: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(words).ok()
    }
}

fn number(id: Uuid) -> u128 {
    id.as_u128()
}

/// Tells other nodes; a node that is alone tells nobody. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Teller(Option<Arc<Remote>>);

impl Teller {
    /// Tells nobody.
    pub const NOBODY: Self = Self(None);

    /// Tells all nodes that are reached through it.
    #[must_use]
    pub const fn through(remote: Option<Arc<Remote>>) -> Self {
        Self(remote)
    }

    /// Tells every other node.
    pub fn tell(&self, notice: &Notice) {
        if let Some(remote) = &self.0 {
            remote.tell_all(notice.words());
        }
    }
}

#[cfg(test)]
mod tests {
    use switchboard_domain::ids::{AgentId, Timestamp};
    use switchboard_domain::person::AgentRef;

    use super::*;

    #[test]
    fn notices_read_as_they_were_told() {
        let acme = TenantId("acme".into());
        let key = ConversationKey {
            tenant: acme.clone(),
            conversation: ConversationId::from_u128(u128::MAX),
        };
        let page = Page::new("https://shop.example/a", "A", Timestamp(7)).unwrap();
        let agent = AgentRef { id: AgentId::from_u128(1), name: "Ada".into() };
        let ada = Companion { agent, types: true };
        for notice in [
            Notice::changed(&acme, "widget", "main"),
            Notice::begun(&acme, VisitorId::from_u128(1), key.conversation),
            Notice::page(&acme, VisitorId::from_u128(1), &page),
            Notice::viewing(&key, &[ada]),
            Notice::viewing(&key, &[]),
            Notice::Verified {
                tenant: "acme".into(),
                email: "eve@shop.example".into(),
                visitor: 3,
                is_here: true,
            },
            Notice::Ticket { digest: [255; 32], tenant: "acme".into(), person: 1, sign_in: 2 },
            Notice::TicketUsed { digest: [0; 32] },
            Notice::Tried {
                address: "2001:db8::1".parse().unwrap(),
                account: [9; 16],
                device: Some(u128::MAX),
                is_back: false,
            },
        ] {
            let words = notice.words();
            assert!(!words.is_empty());
            assert_eq!(Notice::read(&words), Some(notice));
        }
        assert_eq!(Notice::read(b"\x81\xa5Other\x80"), None, "of a later version");
    }

    #[test]
    fn a_crowd_of_viewers_fits_an_envelope() {
        let key = ConversationKey {
            tenant: TenantId("acme".into()),
            conversation: ConversationId::from_u128(1),
        };
        let name: Arc<str> = "x".repeat(256).into();
        let agent = |n| AgentRef { id: AgentId::from_u128(n), name: Arc::clone(&name) };
        let crowd: Vec<_> =
            (0..10_000).map(|n| Companion { agent: agent(n), types: true }).collect();
        assert!(Notice::viewing(&key, &crowd).words().len() < 128 * 1024);
    }
}
