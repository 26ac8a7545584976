//! Idempotency keys of requests: who sends the same request again gets the first answer.
//!
//! A claim is stored before the work begins and carries an operation id. If the process dies
//! meanwhile, or the work takes too long, the next claim takes over **with the same operation
//! id**: whoever derives the ids of what it creates from it does the work once, however often it
//! is begun.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use switchboard_domain::ids::{TenantId, Timestamp};
use switchboard_domain::person::Principal;
use switchboard_store::{Expect, Fault};
use uuid::Uuid;

use super::record::{Record, parse};
use super::{Directory, Error, PAGE_MAX, TRIES_MAX};

/// How long an answer is kept, in milliseconds: a day, and an hour for clocks that differ.
pub const KEPT_MS: i64 = 25 * 60 * 60 * 1_000;
/// How long work may take before another request with its key takes over, in milliseconds. The
/// doors cut requests off earlier.
pub const WORK_MS: i64 = 15_000;
/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 255;
/// The longest answer that is kept, in bytes; answers are cards and settings.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Where a key counts: the same key elsewhere is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The tenant.
    pub tenant: TenantId,
    /// Who asks; `None` for callers without a token.
    pub principal: Option<Principal>,
    /// The route with its parameters filled in, such as `POST /v1/conversations`.
    pub route: String,
}

/// What became of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// The caller is to do the work, then finish or abandon the claim.
    New(Claim),
    /// The work was done; this was the answer.
    Same(Arc<[u8]>),
    /// The key was used for another request.
    Other,
    /// Another request with this key is being worked on.
    InProgress,
}

/// The right to do the work of one key.
#[derive(Debug)]
pub struct Claim {
    /// The same for every try of this key.
    pub operation: Uuid,
    /// Whether an earlier try may have done part of the work.
    pub resumed: bool,
    tenant: TenantId,
    id: Arc<str>,
    version: u64,
    entry: Entry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    request: [u8; 32],
    operation: Uuid,
    boot: Uuid,
    began_at: Timestamp,
    answer: Option<Arc<[u8]>>,
}

#[derive(Serialize, Deserialize)]
struct EntryForm {
    request: [u8; 32],
    operation: u128,
    boot: u128,
    began_at: i64,
    #[serde(with = "serde_bytes")]
    answer: Option<Vec<u8>>,
}

impl Record for Entry {
    const KIND: &'static str = "idempotency";
    const VERSION: u8 = 1;
    type Form = EntryForm;

    fn form(&self) -> EntryForm {
        EntryForm {
            request: self.request,
            operation: self.operation.as_u128(),
            boot: self.boot.as_u128(),
            began_at: self.began_at.0,
            answer: self.answer.as_deref().map(<[u8]>::to_vec),
        }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: EntryForm = parse::<Self, _>(id, bytes)?;
        Ok(Self {
            request: form.request,
            operation: Uuid::from_u128(form.operation),
            boot: Uuid::from_u128(form.boot),
            began_at: Timestamp(form.began_at),
            answer: form.answer.map(Into::into),
        })
    }
}

impl Scope {
    /// The name of the entry: a digest, so that neither keys nor routes bound it.
    fn entry_id(&self, key: &str) -> Arc<str> {
        let principal = match self.principal {
            None => "-".to_owned(),
            Some(Principal::System) => "system".to_owned(),
            Some(Principal::Visitor(id)) => format!("visitor {id}"),
            Some(Principal::Agent(id)) => format!("agent {id}"),
            Some(Principal::Bot(id)) => format!("bot {id}"),
        };
        // The lengths part the fields, so that no two scopes run together.
        let digest = Sha256::new()
            .chain_update(principal.len().to_be_bytes())
            .chain_update(&principal)
            .chain_update(self.route.len().to_be_bytes())
            .chain_update(&self.route)
            .chain_update(key)
            .finalize();
        Uuid::from_slice(&digest[..16]).map_or_else(|_| "".into(), |id| id.to_string().into())
    }
}

impl Directory {
    /// Claims a key for a request with that digest of its body.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the key is none; when the store fails.
    pub async fn claim_idempotency(
        &self,
        scope: &Scope,
        key: &str,
        request: [u8; 32],
    ) -> Result<Claimed, Error> {
        let is_key = (1..=KEY_BYTES_MAX).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if !is_key {
            let why = "must be 1 to 255 visible ASCII characters";
            return Err(Error::Invalid { field: "Idempotency-Key", why });
        }
        let id = scope.entry_id(key);
        let tenant = &scope.tenant;
        for _ in 0..TRIES_MAX {
            let now = self.0.clock.now();
            let stored = self.load_stored::<Entry>(tenant, &id).await?;
            let (expect, operation, resumed) = match stored {
                None => (Expect::Absent, self.0.clock.fresh_id(), false),
                Some(stored) if now.ms_since(stored.value.began_at) >= KEPT_MS => {
                    (Expect::Version(stored.version), self.0.clock.fresh_id(), false)
                }
                Some(stored) if stored.value.request != request => return Ok(Claimed::Other),
                Some(stored) => match &stored.value.answer {
                    Some(answer) => return Ok(Claimed::Same(Arc::clone(answer))),
                    None if stored.value.boot == self.0.boot
                        && now.ms_since(stored.value.began_at) < WORK_MS =>
                    {
                        return Ok(Claimed::InProgress);
                    }
                    None => (Expect::Version(stored.version), stored.value.operation, true),
                },
            };
            let entry =
                Entry { request, operation, boot: self.0.boot, began_at: now, answer: None };
            match self.save(tenant, &id, expect, entry.clone()).await {
                Ok(saved) => {
                    return Ok(Claimed::New(Claim {
                        operation,
                        resumed,
                        tenant: tenant.clone(),
                        id,
                        version: saved.version,
                        entry,
                    }));
                }
                Err(Error::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Claimed::InProgress)
    }

    /// Keeps the answer of the work. If the claim was taken over meanwhile, the other's answer
    /// counts.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the answer is too large to keep; when the store fails.
    pub async fn finish_idempotency(&self, claim: Claim, answer: Vec<u8>) -> Result<(), Error> {
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(Error::Invalid { field: "answer", why: "is too large to keep" });
        }
        let entry = Entry { answer: Some(answer.into()), ..claim.entry };
        let expect = Expect::Version(claim.version);
        match self.save(&claim.tenant, &claim.id, expect, entry).await {
            Ok(_) | Err(Error::Changed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives the key free again, because the work was refused and changed nothing.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn abandon_idempotency(&self, claim: Claim) -> Result<(), Error> {
        let expect = Expect::Version(claim.version);
        match self.remove::<Entry>(&claim.tenant, &claim.id, expect).await {
            Ok(()) | Err(Error::Changed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the keys of all tenants that are no longer kept; answers how many. To be called
    /// every hour or so.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn purge_idempotency(&self) -> Result<usize, Error> {
        let mut purged = 0;
        for tenant in self.tenants().await? {
            let mut after: Option<Arc<str>> = None;
            loop {
                let now = self.0.clock.now();
                let kind = Entry::KIND;
                let page = self.0.store.documents(&tenant, kind, after.take(), PAGE_MAX).await?;
                for document in &page {
                    let entry = super::record::decode::<Entry>(document)?;
                    if now.ms_since(entry.value.began_at) < KEPT_MS {
                        continue;
                    }
                    let expect = Expect::Version(entry.version);
                    match self.remove::<Entry>(&tenant, &document.id, expect).await {
                        Ok(()) => purged += 1,
                        Err(Error::Changed) => {}
                        Err(error) => return Err(error),
                    }
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
