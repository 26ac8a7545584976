//! Tenant-unique integer names, taken from the store in blocks, and who among people and
//! visitors bears which.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{Number, TenantId};
use switchboard_store::{Expect, Fault};
use uuid::Uuid;

use super::record::{Record, parse};
use super::{Directory, Error, Versioned};

/// Numbers taken at a time. What is left of a block is lost with the process.
const BLOCK: u64 = 64;

/// The blocks in use, by tenant.
#[derive(Debug, Default)]
pub(super) struct Blocks(tokio::sync::Mutex<HashMap<TenantId, Range<u64>>>);

/// Who bears a number, among people and visitors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer(pub(super) Uuid);

#[derive(Serialize, Deserialize)]
pub(crate) struct BearerForm {
    id: u128,
}

impl Record for Bearer {
    const KIND: &'static str = "number";
    const VERSION: u8 = 1;
    type Form = BearerForm;

    fn form(&self) -> BearerForm {
        BearerForm { id: self.0.as_u128() }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: BearerForm = parse::<Self, _>(id, bytes)?;
        Ok(Self(Uuid::from_u128(form.id)))
    }
}

impl Directory {
    /// A number that this tenant never saw.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn take_number(&self, tenant: &TenantId) -> Result<Number, Error> {
        let mut blocks = self.0.numbers.0.lock().await;
        let block = blocks.entry(tenant.clone()).or_insert(0..0);
        if block.is_empty() {
            let first = self.0.store.take_numbers(tenant, BLOCK).await?;
            *block = first..first.saturating_add(BLOCK);
        }
        let number = block.start;
        block.start += 1;
        Ok(Number(number))
    }

    /// Gives a person or visitor a number that no other bears: the wanted one if it is free.
    pub(super) async fn claim_number(
        &self,
        tenant: &TenantId,
        bearer: Uuid,
        wanted: Option<u64>,
    ) -> Result<Number, Error> {
        let mut next = wanted.map(Number);
        loop {
            let number = match next.take() {
                Some(number) => number,
                None => self.take_number(tenant).await?,
            };
            let id = number.0.to_string();
            match self.save(tenant, &id, Expect::Absent, Bearer(bearer)).await {
                Ok(_) => return Ok(number),
                Err(Error::Changed) => {
                    if self.bearer(tenant, number).await? == Some(bearer) {
                        return Ok(number);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Who bears a number.
    pub(super) async fn bearer(
        &self,
        tenant: &TenantId,
        number: Number,
    ) -> Result<Option<Uuid>, Error> {
        let found: Option<Arc<Versioned<Bearer>>> =
            self.load(tenant, &number.0.to_string()).await?;
        Ok(found.map(|bearer| bearer.value.0))
    }
}
