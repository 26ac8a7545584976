//! The beginning of a conversation.

use std::sync::Arc;

use super::super::command::Start;
use super::super::event::{AssignedBy, Body, Contact, Created};
use super::super::rejection::Rejection;
use super::{Decided, Draft};
use crate::limit::{
    CONTEXT_BYTES_MAX, EMAIL_BYTES_MAX, FIELDS_BYTES_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX,
    PHONE_BYTES_MAX, SKILLS_MAX, SUBJECT_BYTES_MAX, TEXT_BYTES_MAX,
};
use crate::message;
use crate::person::{Author, Caller, Principal, Role};

/// `created`, then who has it, the welcome, the caller's first message, and that nobody is there.
///
/// A visitor begins own conversations only, and they wait; agents and the system begin them for
/// anybody, and a first message is then theirs. Whoever writes to somebody has decided to take it,
/// so that is bound by no capacity, as any assignment by a person. The key goes to `created`: it is the one event that every
/// creation has, so a retry finds it at position 1.
pub(super) fn create(
    caller: &Caller,
    created: &Created,
    welcome: Option<&Arc<str>>,
    first: Option<&Arc<str>>,
    start: &Start,
) -> Decided {
    let from = &caller.author;
    let allowed = match from.principal {
        Principal::Visitor(visitor) => {
            visitor == created.visitor.id && !matches!(start, Start::Assigned(_))
        }
        Principal::Agent(_) | Principal::Bot(_) => caller.role >= Role::Agent,
        Principal::System => true,
    };
    if !allowed {
        return Err(Rejection::Forbidden);
    }
    let mut drafts = vec![Draft::public(from, Body::Created(Box::new(cleaned(created)?)))];
    if let Start::Assigned(agent) = start {
        let (agent, by) = (agent.clone(), AssignedBy::Assign);
        drafts.push(Draft::public(from, Body::Assigned { agent, by, previous: None }));
    }
    let welcome = welcome
        .map(|text| message::optional_text("welcome", text, TEXT_BYTES_MAX))
        .transpose()?
        .flatten();
    if let Some(text) = welcome {
        drafts.push(Draft::public(&Author::SYSTEM, Body::Message { text, files: Vec::new() }));
    }
    if let Some(text) = first {
        let text = message::text("message", text, TEXT_BYTES_MAX)?;
        drafts.push(Draft::public(from, Body::Message { text, files: Vec::new() }));
    }
    if *start == Start::Offline {
        drafts.push(Draft::public(&Author::SYSTEM, Body::WentOffline));
    }
    Ok(drafts)
}

fn cleaned(created: &Created) -> Result<Created, Rejection> {
    let line = |what, value: &Option<Arc<str>>, bytes_max| {
        value.as_ref().map(|raw| message::line(what, raw, bytes_max)).transpose()
    };
    let visitor = Contact {
        id: created.visitor.id,
        name: line("contact name", &created.visitor.name, NAME_BYTES_MAX)?.flatten(),
        email: line("contact email", &created.visitor.email, EMAIL_BYTES_MAX)?.flatten(),
        phone: line("contact phone", &created.visitor.phone, PHONE_BYTES_MAX)?.flatten(),
        verified: created.visitor.verified,
    };
    Ok(Created {
        visitor,
        subject: line("subject", &created.subject, SUBJECT_BYTES_MAX)?.flatten(),
        skills: labels("skills", &created.skills, SKILLS_MAX)?,
        context: pairs("context", &created.context, CONTEXT_BYTES_MAX)?,
        fields: pairs("fields", &created.fields, FIELDS_BYTES_MAX)?,
        ..created.clone()
    })
}

/// Tags or skills: each one line, sorted, without doubles.
pub(super) fn labels(
    what: &'static str,
    raw: &[Arc<str>],
    n_max: usize,
) -> Result<Vec<Arc<str>>, Rejection> {
    if raw.len() > n_max {
        return Err(Rejection::TooLarge { what, max: n_max });
    }
    let mut labels = Vec::with_capacity(raw.len());
    for label in raw {
        let label = message::line(what, label, LABEL_BYTES_MAX)?;
        labels.push(label.ok_or(Rejection::Invalid { what, why: "must not be empty" })?);
    }
    labels.sort();
    labels.dedup();
    Ok(labels)
}

type Pairs = Vec<(Arc<str>, Arc<str>)>;

/// Names and values as they came, cleaned; empty values are left out.
fn pairs(
    what: &'static str,
    raw: &[(Arc<str>, Arc<str>)],
    bytes_max: usize,
) -> Result<Pairs, Rejection> {
    let n_bytes: usize = raw.iter().map(|(name, value)| name.len() + value.len()).sum();
    if n_bytes > bytes_max {
        return Err(Rejection::TooLarge { what, max: bytes_max });
    }
    let mut pairs = Vec::with_capacity(raw.len());
    for (name, value) in raw {
        let name = message::line(what, name, bytes_max)?
            .ok_or(Rejection::Invalid { what, why: "must have names" })?;
        if let Some(value) = message::optional_text(what, value, bytes_max)? {
            pairs.push((name, value));
        }
    }
    Ok(pairs)
}
