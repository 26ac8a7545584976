//! That somebody always owns a tenant, whichever nodes change its people at once.
//!
//! Two owners who each take the other's role away change two documents, and no conditional write
//! spans both. So whoever takes an owner away notes first, in one document of the tenant, whom and
//! in which version; noting is conditional on the notes that were read before the owners were
//! counted, and those who are noted do not count. Of two who note at once one counts again.
//!
//! A note holds as long as the person stands at the version it names: the change that it announces
//! is conditional on that version. A node that died between the two leaves a note behind; whoever it
//! is in the way of waits a moment and then writes the person once more as it is, which ends it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{AgentId, TenantId};
use switchboard_store::{Expect, Fault};

use super::person::{Change, Person};
use super::record::{Record, Revision, check_version, parse};
use super::{Directory, Error, PAGE_MAX, TRIES_MAX, Versioned};

/// The name of the document.
const NOTES: &str = "owners";
/// How long a node may take from its note to its change, a conditional write each, before others
/// end the note.
const PATIENCE: Duration = Duration::from_millis(500);

/// Owners who are about to be none any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leaving(Vec<Note>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    person: u128,
    /// The version that the change expects.
    version: u64,
}

impl Record for Leaving {
    const KIND: &'static str = "leaving_owners";
    const VERSION: u8 = 1;
    type Form = Self;

    fn form(&self) -> Self {
        self.clone()
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        parse::<Self, _>(id, bytes)
    }
}

impl Leaving {
    /// Whether an owner, as read, may be gone in a moment. A replica that is behind shows an older
    /// version than the one that was noted.
    fn has(&self, owner: &Versioned<Person>) -> bool {
        let id = owner.value.id.uuid().as_u128();
        self.0.iter().any(|note| note.person == id && note.version >= owner.version)
    }

    /// With one more, and without those that are over.
    fn with(mut self, owner: &Versioned<Person>, owners: &[Owner]) -> Self {
        let id = owner.value.id.uuid().as_u128();
        self.0.retain(|note| {
            let stands = |it: &Owner| {
                it.value.id.uuid().as_u128() == note.person && note.version >= it.version
            };
            note.person != id && owners.iter().any(stands)
        });
        self.0.push(Note { person: id, version: owner.version });
        self
    }
}

type Owner = std::sync::Arc<Versioned<Person>>;

/// Whether an owner may be taken away.
enum Turn {
    /// It is noted.
    Noted,
    /// Others noted something meanwhile.
    Again,
    /// Everybody else who owns the tenant is noted, in that version of the notes.
    Blocked { by: Vec<Owner>, version: u64 },
}

impl Directory {
    /// Changes a person, unless that would leave the tenant without an owner.
    ///
    /// # Errors
    ///
    /// [`Error::LastOwner`], or as [`change_person`](Self::change_person).
    pub(crate) async fn change_unless_last_owner(
        &self,
        tenant: &TenantId,
        id: AgentId,
        version: Option<u64>,
        change: &Change,
    ) -> Result<Revision<Person>, Error> {
        // Those of one node take turns: between them conditions would only collide.
        let _alone = match change.disabled == Some(true) || change.role_max.is_some() {
            true => Some(self.stripe(tenant, NOTES).lock().await),
            false => None,
        };
        let mut waited_for = None;
        for _ in 0..TRIES_MAX {
            let before = self.load_stored::<Person>(tenant, &id.to_string()).await?;
            let before = before.ok_or(Error::NotFound)?;
            check_version(&before, version)?;
            if before.value.would_end_as_owner(change) {
                match self.note_leaving(tenant, &before).await? {
                    Turn::Noted => {}
                    Turn::Again => continue,
                    Turn::Blocked { by, version } if waited_for == Some(version) => {
                        self.end_notes(tenant, &by).await?;
                        continue;
                    }
                    Turn::Blocked { version, .. } => {
                        waited_for = Some(version);
                        tokio::time::sleep(PATIENCE).await;
                        continue;
                    }
                }
            }
            match self.change_person(tenant, id, Some(before.version), change).await {
                // It is judged anew by what it is now.
                Err(Error::Changed | Error::Outdated(_)) => {}
                changed => return changed,
            }
        }
        Err(Error::Changed)
    }

    /// Notes that an owner is about to be taken away, if another stays.
    async fn note_leaving(
        &self,
        tenant: &TenantId,
        owner: &Versioned<Person>,
    ) -> Result<Turn, Error> {
        let noted = self.load_stored::<Leaving>(tenant, NOTES).await?;
        // After the notes: whoever is not noted there any more is not an owner either.
        let owners = self.owners(tenant).await?;
        let notes = noted.as_ref().map(|it| it.value.clone()).unwrap_or_default();
        let others = owners.iter().filter(|it| it.value.id != owner.value.id).cloned();
        let (leaving, staying): (Vec<_>, Vec<_>) = others.partition(|it| notes.has(it));
        let version = noted.map(|it| it.version);
        match (staying.is_empty(), version) {
            (true, Some(version)) if !leaving.is_empty() => {
                return Ok(Turn::Blocked { by: leaving, version });
            }
            (true, _) => return Err(Error::LastOwner),
            (false, _) => {}
        }
        let expect = version.map_or(Expect::Absent, Expect::Version);
        match self.save(tenant, NOTES, expect, notes.with(owner, &owners)).await {
            Ok(_) => Ok(Turn::Noted),
            Err(Error::Changed) => Ok(Turn::Again),
            Err(error) => Err(error),
        }
    }

    /// Ends notes whose changes did not follow. One that does after all is refused.
    async fn end_notes(&self, tenant: &TenantId, of: &[Owner]) -> Result<(), Error> {
        for owner in of {
            let (id, expect) = (owner.value.id.to_string(), Expect::Version(owner.version));
            match self.save(tenant, &id, expect, owner.value.clone()).await {
                Ok(_) | Err(Error::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Everybody who owns the tenant and is not disabled.
    async fn owners(&self, tenant: &TenantId) -> Result<Vec<Owner>, Error> {
        let (mut owners, mut after) = (Vec::new(), None);
        loop {
            let page = self.people(tenant, after, PAGE_MAX).await?;
            after = page.last().filter(|_| page.len() == PAGE_MAX).map(|last| last.value.id);
            owners.extend(page.into_iter().filter(|person| person.value.is_owner()));
            if after.is_none() {
                return Ok(owners);
            }
        }
    }
}

#[cfg(test)]
mod tests;
