//! What a person wrote and has not sent, by conversation: one document each.
//!
//! Of two texts for one conversation the one that was written later counts, whenever it arrives: a
//! page that was away with older words takes nothing away. Nobody else reads any of it, and nothing
//! here asks whether there is such a conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::ids::{AgentId, ConversationId, TenantId};
use switchboard_domain::limit::TEXT_BYTES_MAX;
use switchboard_store::Fault;
use utoipa::ToSchema;

use super::record::{Record, parse};
use super::{Directory, Error, Versioned};

/// Drafts of one person at most: nobody answers more at a time, and what is left lying is found
/// among them.
const DRAFTS_MAX: usize = 64;
/// Bytes of all texts together at most: the whole is written with each change of one.
const BYTES_MAX: usize = 256 * 1024;

/// Which of its two texts a person has before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DraftMode)]
pub enum Mode {
    /// The reply.
    #[default]
    Message,
    /// The note.
    Note,
}

/// What was written for one conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Which text the person had before them.
    pub mode: Mode,
    /// The reply; empty for none.
    pub message: Arc<str>,
    /// The note; empty for none.
    pub note: Arc<str>,
    /// The newest word of a colleague that was known when the reply was begun; 0 for none.
    pub since: u64,
    /// When it was written, in milliseconds since the epoch.
    pub at: i64,
}

impl Draft {
    fn is_empty(&self) -> bool {
        self.message.is_empty() && self.note.is_empty()
    }

    fn bytes(&self) -> usize {
        self.message.len() + self.note.len()
    }

    fn says_the_same(&self, other: &Self) -> bool {
        Self { at: other.at, ..self.clone() } == *other
    }

    fn check(&self) -> Result<(), Error> {
        for (field, text) in [("message", &self.message), ("note", &self.note)] {
            if text.len() > TEXT_BYTES_MAX {
                return Err(Error::Invalid { field, why: "is longer than a message can be" });
            }
        }
        Ok(())
    }
}

/// All of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drafts {
    /// By conversation; none is empty.
    pub all: BTreeMap<ConversationId, Draft>,
}

impl Drafts {
    /// Takes a draft in, or away when it is empty; answers whether that changes anything.
    fn put(&mut self, conversation: ConversationId, draft: &Draft) -> Result<bool, Error> {
        draft.check()?;
        match self.all.get(&conversation) {
            Some(newer) if newer.at > draft.at || newer.says_the_same(draft) => return Ok(false),
            None if draft.is_empty() => return Ok(false),
            Some(_) | None => {}
        }
        if draft.is_empty() {
            self.all.remove(&conversation);
            return Ok(true);
        }
        self.all.insert(conversation, draft.clone());
        let invalid = |why| Err(Error::Invalid { field: "drafts", why });
        if self.all.len() > DRAFTS_MAX {
            return invalid("are 64 at most");
        }
        if self.all.values().map(Draft::bytes).sum::<usize>() > BYTES_MAX {
            return invalid("take 256 KiB at most");
        }
        Ok(true)
    }
}

/// Version 1.
#[derive(Serialize, Deserialize)]
pub(crate) struct DraftsForm {
    all: Vec<(u128, Draft)>,
}

impl Record for Drafts {
    const KIND: &'static str = "drafts";
    const VERSION: u8 = 1;
    const IS_LIVE: bool = true;
    type Form = DraftsForm;

    fn form(&self) -> DraftsForm {
        let all = self.all.iter().map(|(id, draft)| (id.uuid().as_u128(), draft.clone()));
        DraftsForm { all: all.collect() }
    }

    fn read(_version: u8, id: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let form: DraftsForm = parse::<Self, _>(id, bytes)?;
        let all = form.all.into_iter().map(|(id, draft)| (ConversationId::from_u128(id), draft));
        Ok(Self { all: all.collect() })
    }
}

impl Directory {
    /// What a person has not sent; of version 0 for whoever never wrote.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn drafts(
        &self,
        tenant: &TenantId,
        person: AgentId,
    ) -> Result<Arc<Versioned<Drafts>>, Error> {
        let found = self.load_stored(tenant, &person.to_string()).await?;
        let nothing = || Arc::new(Versioned { value: Drafts::default(), version: 0 });
        Ok(found.unwrap_or_else(nothing))
    }

    /// Keeps what a person wrote for a conversation, unless something later is there; an empty one
    /// takes it away. Answers all of them as they are then. What changes nothing is not written.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when it is too long, or there would be too many; then nothing is changed.
    /// [`Error::Changed`] when others were quicker again and again.
    pub async fn keep_draft(
        &self,
        tenant: &TenantId,
        person: AgentId,
        conversation: ConversationId,
        draft: &Draft,
    ) -> Result<Arc<Versioned<Drafts>>, Error> {
        let rule = |drafts: &mut Drafts| drafts.put(conversation, draft);
        self.change_or_begin(tenant, &person.to_string(), Drafts::default, rule).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::directory::testing::{Setup, tenant};

    const ADA: AgentId = AgentId::from_u128(1);

    fn chat(n: usize) -> ConversationId {
        ConversationId::from_u128(n as u128)
    }

    fn reply(text: &str, at: i64) -> Draft {
        Draft { message: text.into(), at, ..Draft::default() }
    }

    #[test]
    fn of_two_texts_the_later_one_counts_in_whichever_order_they_come() {
        let check = |first: Draft, second: Draft, is_changed: bool, kept: &str| {
            let mut drafts = Drafts::default();
            drafts.put(chat(1), &first).unwrap();
            assert_eq!(drafts.put(chat(1), &second).unwrap(), is_changed, "{second:?}");
            assert_eq!(drafts.all.get(&chat(1)).map_or("", |draft| &draft.message), kept);
        };
        check(reply("Dear", 1), reply("Dear Vi", 2), true, "Dear Vi");
        check(reply("Dear Vi", 2), reply("Dear", 1), false, "Dear Vi");
        check(reply("Dear", 1), reply("Dear Sir", 1), true, "Dear Sir");
        check(reply("Dear", 1), reply("Dear", 2), false, "Dear");
        check(reply("Dear", 1), reply("", 2), true, "");
        check(reply("Dear Vi", 2), reply("", 1), false, "Dear Vi");
        check(reply("", 2), reply("Dear", 1), true, "Dear");
    }

    #[test]
    fn number_and_size_are_bounded() {
        let mut drafts = Drafts::default();
        let long = "x".repeat(TEXT_BYTES_MAX);
        for n in 0..BYTES_MAX / TEXT_BYTES_MAX {
            drafts.put(chat(n), &reply(&long, 1)).unwrap();
        }
        let refused = |drafts: &Drafts, n, draft: &Draft| {
            let answer = drafts.clone().put(chat(n), draft);
            let Err(Error::Invalid { field, .. }) = answer else { panic!("{answer:?}") };
            field
        };
        assert_eq!(refused(&drafts, 1_000, &reply("x", 2)), "drafts");
        assert_eq!(refused(&drafts, 0, &reply(&format!("{long}x"), 2)), "message");
        let note = Draft { note: format!("{long}x").into(), ..reply("", 2) };
        assert_eq!(refused(&drafts, 0, &note), "note");

        let mut drafts = Drafts::default();
        for n in 0..DRAFTS_MAX {
            drafts.put(chat(n), &reply("x", 1)).unwrap();
        }
        assert_eq!(refused(&drafts, DRAFTS_MAX, &reply("x", 2)), "drafts");
        drafts.put(chat(0), &reply("", 2)).unwrap();
        drafts.put(chat(DRAFTS_MAX), &reply("x", 2)).unwrap();
    }

    #[tokio::test]
    async fn drafts_written_at_once_are_all_kept_each_persons_own() {
        let mut setup = Setup::new().await;
        let (acme, other) = (tenant("acme"), tenant("other"));
        let directory = setup.directory.clone();
        let draft = Draft { mode: Mode::Note, note: "ask".into(), ..reply("Dear", 7) };
        let all = (0..20).map(|n| directory.keep_draft(&acme, ADA, chat(n), &draft));
        for answer in join_all(all).await {
            answer.unwrap();
        }
        setup.restart().await;
        let kept = setup.directory.drafts(&acme, ADA).await.unwrap();
        assert_eq!((kept.value.all.len(), kept.version), (20, 20));
        assert_eq!(kept.value.all[&chat(7)], draft);

        let again = setup.directory.keep_draft(&acme, ADA, chat(7), &draft).await.unwrap();
        assert_eq!(again.version, 20, "what changes nothing is not written");
        for (tenant, person) in [(&acme, AgentId::from_u128(2)), (&other, ADA)] {
            let nothing = setup.directory.drafts(tenant, person).await.unwrap();
            assert_eq!((nothing.value.all.len(), nothing.version), (0, 0));
        }
    }
}
