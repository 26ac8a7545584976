//! Links that lead a visitor into one conversation, once.
//!
//! A link is `sbl_<tenant>.<256 bit>`; only its digest is stored. The visitor's own secret is made
//! from the link's secret and a salt that stays here: neither who holds the link nor who reads the
//! store can make it alone, and using a link is one conditional write, so of two who use it at once
//! one comes in (and nothing is half done if the server dies).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use switchboard_domain::ids::{ConversationId, TenantId, Timestamp, VisitorId};
use switchboard_store::{Expect, Fault};

use super::record::{Record, decode, parse};
use super::{Directory, Error, PAGE_MAX, random, tenant};
use crate::auth::VisitorToken;

/// How long a link leads in, in milliseconds: a week, as people read their mail.
const GOOD_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// How long it is remembered after that, so that who comes late is told why.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// Before every link's token.
const PREFIX: &str = "sbl_";
/// The longest token, in bytes: prefix, tenant, dot and secret have 111.
const TOKEN_BYTES_MAX: usize = 128;

/// What is kept of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    visitor: VisitorId,
    conversation: ConversationId,
    salt: [u8; 32],
    expires_at: Timestamp,
    used: bool,
}

#[derive(Serialize, Deserialize)]
struct LinkForm {
    visitor: u128,
    conversation: u128,
    salt: [u8; 32],
    expires_at: i64,
    used: bool,
}

impl Record for Link {
    const KIND: &'static str = "link";
    const VERSION: u8 = 1;
    type Form = LinkForm;

    fn form(&self) -> LinkForm {
        LinkForm {
            visitor: self.visitor.uuid().as_u128(),
            conversation: self.conversation.uuid().as_u128(),
            salt: self.salt,
            expires_at: self.expires_at.0,
            used: self.used,
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: LinkForm = parse::<Self, _>(id, bytes)?;
        Ok(Self {
            visitor: VisitorId::from_u128(form.visitor),
            conversation: ConversationId::from_u128(form.conversation),
            salt: form.salt,
            expires_at: Timestamp(form.expires_at),
            used: form.used,
        })
    }
}

/// The token of a link.
struct Token {
    tenant: TenantId,
    secret: [u8; 32],
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (tenant, secret) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        tenant::is_name(tenant).then(|| Self { tenant: TenantId(tenant.into()), secret })
    }

    fn reveal(&self) -> String {
        format!("{PREFIX}{}.{}", self.tenant, URL_SAFE_NO_PAD.encode(self.secret))
    }

    /// The name of its record.
    fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.secret))
    }

    /// The visitor's own secret.
    fn visitor(&self, link: &Link) -> VisitorToken {
        let secret = Sha256::new()
            .chain_update(b"visitor of a link")
            .chain_update(link.salt)
            .chain_update(self.secret)
            .finalize();
        VisitorToken::new(self.tenant.clone(), link.visitor, secret.into())
    }
}

/// Where a link leads.
#[derive(Debug)]
pub struct Opened {
    /// The visitor whom the bearer now is.
    pub visitor: VisitorToken,
    /// The conversation.
    pub conversation: ConversationId,
}

impl Directory {
    /// Makes a link for a visitor without an account; the visitor's secret so far, and links made
    /// earlier, are no longer good. Answers the token, which is kept nowhere.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such visitor; when the store fails.
    pub async fn create_link(
        &self,
        tenant: &TenantId,
        visitor: VisitorId,
        conversation: ConversationId,
    ) -> Result<String, Error> {
        let token = Token { tenant: tenant.clone(), secret: random()? };
        let expires_at = Timestamp(self.0.clock.now().0.saturating_add(GOOD_MS));
        let link = Link { visitor, conversation, salt: random()?, expires_at, used: false };
        self.replace_secret(tenant, visitor, token.visitor(&link).digest()).await?;
        self.save(tenant, &token.id(), Expect::Absent, link).await?;
        Ok(token.reveal())
    }

    /// Uses a link up.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::LinkUsed`], [`Error::LinkExpired`]; when the store fails.
    pub async fn use_link(&self, token: &str) -> Result<Opened, Error> {
        let token = Token::parse(token).ok_or(Error::NotFound)?;
        let now = self.0.clock.now();
        let used = self
            .change(&token.tenant, &token.id(), None, |link: &mut Link| {
                if link.used {
                    return Err(Error::LinkUsed);
                }
                if link.expires_at <= now {
                    return Err(Error::LinkExpired);
                }
                link.used = true;
                Ok(())
            })
            .await?;
        let link = &used.value;
        Ok(Opened { visitor: token.visitor(link), conversation: link.conversation })
    }

    /// Forgets links that ended long ago; answers how many.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn purge_links(&self) -> Result<usize, Error> {
        let mut purged = 0;
        for tenant in self.tenants().await? {
            let mut after = None;
            loop {
                let now = self.0.clock.now();
                let page = self.0.store.documents(&tenant, Link::KIND, after.take(), PAGE_MAX);
                let page = page.await?;
                for document in &page {
                    let link = decode::<Link>(document)?;
                    if now.ms_since(link.value.expires_at) < KEPT_MS {
                        continue;
                    }
                    self.remove::<Link>(&tenant, &document.id, Expect::Any).await?;
                    purged += 1;
                }
                match page.into_iter().nth(PAGE_MAX - 1) {
                    Some(last) => after = Some(last.id),
                    None => break,
                }
            }
        }
        Ok(purged)
    }
}

#[cfg(test)]
mod tests;
