//! What a widget asks before a conversation begins.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard_domain::intake::{Field, Kind};
use switchboard_domain::limit::{INTAKE_CHOICES_MAX, INTAKE_FIELDS_MAX, NAME_BYTES_MAX};
use utoipa::ToSchema;

use crate::directory::Error;
use crate::directory::text::{SHORT_NAME, is_short_name, line};

/// The questions before a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prechat {
    /// In the order in which they are asked; none asks nothing.
    #[schema(max_items = 8)]
    pub fields: Vec<Question>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PrechatField)]
pub struct Question {
    /// The name of its answer. `name`, `email` and `phone` become the contact; others stand in
    /// the conversation's `fields`.
    pub name: String,
    /// What the visitor reads.
    pub label: String,
    /// What an answer looks like.
    pub kind: QuestionKind,
    /// Whether it must be answered.
    #[serde(default)]
    pub required: bool,
    /// What can be chosen; only for `choice`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub choices: Vec<String>,
}

/// What an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PrechatKind)]
#[expect(missing_docs, reason = "the names say it")]
pub enum QuestionKind {
    Text,
    Email,
    Phone,
    Long,
    Choice,
}

impl From<QuestionKind> for Kind {
    fn from(kind: QuestionKind) -> Self {
        match kind {
            QuestionKind::Text => Self::Text,
            QuestionKind::Email => Self::Email,
            QuestionKind::Phone => Self::Phone,
            QuestionKind::Long => Self::Long,
            QuestionKind::Choice => Self::Choice,
        }
    }
}

impl From<&Question> for Field {
    fn from(question: &Question) -> Self {
        Self {
            name: question.name.as_str().into(),
            kind: question.kind.into(),
            required: question.required,
            choices: question.choices.iter().map(|choice| Arc::from(choice.as_str())).collect(),
        }
    }
}

impl Prechat {
    pub(super) fn check(&mut self) -> Result<(), Error> {
        let invalid = |why| Err(Error::Invalid { field: "prechat.fields", why });
        if self.fields.len() > INTAKE_FIELDS_MAX {
            return invalid("has too many entries");
        }
        let names: HashSet<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
        if names.len() != self.fields.len() {
            return invalid("asks for one name twice");
        }
        self.fields.iter_mut().try_for_each(Question::check)
    }
}

impl Question {
    fn check(&mut self) -> Result<(), Error> {
        let invalid = |field, why| Err(Error::Invalid { field, why });
        if !is_short_name(&self.name) {
            return invalid("prechat.fields.name", SHORT_NAME);
        }
        self.label = clean("prechat.fields.label", &self.label)?;
        let of_contact = match self.name.as_str() {
            "name" => Some(QuestionKind::Text),
            "email" => Some(QuestionKind::Email),
            "phone" => Some(QuestionKind::Phone),
            _ => None,
        };
        if of_contact.is_some_and(|kind| kind != self.kind) {
            return invalid("prechat.fields.kind", "does not fit the contact's `name`");
        }
        let is_choice = self.kind == QuestionKind::Choice;
        if is_choice == self.choices.is_empty() {
            return invalid(
                "prechat.fields.choices",
                "goes with the kind `choice`, and only there",
            );
        }
        if self.choices.len() > INTAKE_CHOICES_MAX {
            return invalid("prechat.fields.choices", "has too many entries");
        }
        for choice in &mut self.choices {
            *choice = clean("prechat.fields.choices", choice)?;
        }
        let choices: HashSet<&String> = self.choices.iter().collect();
        if choices.len() != self.choices.len() {
            return invalid("prechat.fields.choices", "has the same choice twice");
        }
        Ok(())
    }
}

fn clean(field: &'static str, text: &str) -> Result<String, Error> {
    let clean = line(field, text, NAME_BYTES_MAX)?;
    clean.map(|text| (*text).to_owned()).ok_or(Error::Invalid { field, why: "is empty" })
}
