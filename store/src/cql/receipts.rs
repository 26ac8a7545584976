//! Receipts: positions are only ever added, and the highest counts. So writes may come late,
//! twice and from anybody, and need neither a condition nor a read. The time of a row that says how
//! far somebody has read is when that was read.

use futures_util::future::try_join_all;
use switchboard_domain::conversation::Ordinals;
use switchboard_domain::ids::{Seq, Timestamp};
use switchboard_domain::person::Principal;
use switchboard_domain::receipt::Receipt;

use super::Engine;
use super::column::{bigint, counted};
use crate::port::{ConversationKey, Fault, Reading};
use crate::record::{ReceiptPlace, checksum, damaged, principal_code, principal_of_code};

const RECEIVED: i8 = 0;
const READ: i8 = 1;
/// The time of what was read nobody knows when: it changes no time that was known before.
const NOBODY_KNOWS: i64 = 1;

/// A row, but for whose it is: what it says, the position, the ordinals there.
type Said = (i8, i64, [i64; 3]);

impl Engine {
    /// Adds what receipts say.
    pub(super) async fn put_receipts(
        &self,
        receipts: &[(ConversationKey, Principal, Receipt)],
    ) -> Result<(), Fault> {
        let mut puts = Vec::new();
        for (key, principal, receipt) in receipts {
            for (said, at) in said(receipt, self.database.now()) {
                puts.push(self.put_receipt(key, *principal, said, at));
            }
        }
        try_join_all(puts).await.map(drop)
    }

    async fn put_receipt(
        &self,
        key: &ConversationKey,
        principal: Principal,
        said: Said,
        at: i64,
    ) -> Result<(), Fault> {
        let sum = i64::from(sum(key, principal, said));
        let (kind, upto, [visitor, agent, system]) = said;
        let code = principal_code(principal);
        let (tenant, id) = (&*key.tenant.0, key.conversation.uuid());
        let values = (tenant, id, &code[..], kind, upto, visitor, agent, system, sum, at);
        self.database.write(&self.database.of.put_receipt, values).await
    }

    /// When people read a conversation.
    pub(super) async fn readings(&self, key: &ConversationKey) -> Result<Vec<Reading>, Fault> {
        type Row = (Vec<u8>, i8, i64, i64);
        let values = (&*key.tenant.0, key.conversation.uuid());
        let rows: Vec<Row> = self.database.rows(&self.database.of.readings, values).await?;
        let of_reading =
            rows.into_iter().filter(|(_, kind, _, at)| *kind == READ && *at > NOBODY_KNOWS);
        let reading = |(code, _, upto, at): Row| {
            let by = principal_of_code(&code).ok_or_else(|| of_nobody(key))?;
            Ok(Reading { by, upto: Seq(counted(upto)), at: Timestamp(at / 1_000) })
        };
        of_reading.map(reading).collect()
    }

    /// The highest of each principal.
    pub(super) async fn receipts(
        &self,
        key: &ConversationKey,
    ) -> Result<Vec<(Principal, Receipt)>, Fault> {
        type Row = (Vec<u8>, i8, i64, i64, i64, i64, i64);
        let values = (&*key.tenant.0, key.conversation.uuid());
        let rows: Vec<Row> = self.database.rows(&self.database.of.receipts, values).await?;
        let mut receipts: Vec<(Principal, Receipt)> = Vec::new();
        for (code, kind, upto, visitor, agent, system, found) in rows {
            let principal = principal_of_code(&code).ok_or_else(|| of_nobody(key))?;
            let ordinals = [visitor, agent, system];
            if i64::from(sum(key, principal, (kind, upto, ordinals))) != found {
                let place = ReceiptPlace { key, principal };
                return Err(damaged(&place, &"its checksum does not hold"));
            }
            let count = |value| u32::try_from(value).unwrap_or(u32::MAX);
            let seq = Seq(counted(upto));
            let says = if kind == READ {
                let read_ordinals = Ordinals {
                    visitor: count(visitor),
                    agent: count(agent),
                    system: count(system),
                };
                Receipt { read: seq, read_ordinals, ..Receipt::default() }
            } else {
                Receipt { received: seq, ..Receipt::default() }
            };
            match receipts.last_mut().filter(|last| last.0 == principal) {
                Some((_, receipt)) => *receipt = receipt.furthest(says),
                None => receipts.push((principal, says)),
            }
        }
        Ok(receipts)
    }
}

fn of_nobody(key: &ConversationKey) -> Fault {
    let what = format!("receipts {}/{}: of nobody", key.tenant, key.conversation);
    Fault::Damaged { what: what.into() }
}

/// The rows of a receipt, and their times. What stands at nothing is left out, but never both.
fn said(receipt: &Receipt, now: i64) -> impl Iterator<Item = (Said, i64)> + use<> {
    let at = receipt.read_ordinals;
    let ordinals = [at.visitor, at.agent, at.system].map(i64::from);
    let read_at = receipt.read_at.map_or(NOBODY_KNOWS, |at| at.0.saturating_mul(1_000));
    let received = ((RECEIVED, bigint(receipt.received.0), [0; 3]), now);
    let read = ((READ, bigint(receipt.read.0), ordinals), read_at);
    std::iter::once(received).chain((receipt.read.0 > 0).then_some(read))
}

fn sum(key: &ConversationKey, principal: Principal, (kind, upto, ordinals): Said) -> u32 {
    let mut bytes = vec![kind.cast_unsigned()];
    for value in std::iter::once(upto).chain(ordinals) {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    checksum(&ReceiptPlace { key, principal }, &bytes)
}
