//! What the caller likes of the console: the same in each of their browsers.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::caller::agent_person;
use super::extract::{Caller, Json};
use crate::directory::Versioned;
use crate::directory::preferences::{self, Values};
use crate::edge::doors::Doors;
use crate::edge::problem::Problem;

/// What a person likes, as stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preferences {
    /// Rises by one with every change; 0 for whoever never said anything.
    version: u64,
    /// By name; what a value means is known to the pages alone.
    #[schema(value_type = PreferenceValues)]
    values: Values,
}

/// A change of what a person likes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreferencesChange {
    /// What is set, or with `null` taken away; the rest stays.
    #[schema(value_type = PreferenceValues)]
    values: Values,
}

/// Values by name. In a change `null` takes a name away, and what is not named stays.
#[derive(Debug)]
pub struct PreferenceValues;

impl PartialSchema for PreferenceValues {
    fn schema() -> RefOr<Schema> {
        let anything = AdditionalProperties::FreeForm(true);
        let words = "Values by name: letters, digits and `_`, at most 64 names and 16 KiB in all. \
                     In a change `null` takes a name away, and what is not named stays.";
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(anything))
            .description(Some(words))
            .into()
    }
}

impl ToSchema for PreferenceValues {}

impl From<&Versioned<preferences::Preferences>> for Preferences {
    fn from(stored: &Versioned<preferences::Preferences>) -> Self {
        Self { version: stored.version, values: stored.value.values.clone() }
    }
}

/// `GET /v1/agents/me/preferences`
///
/// # Errors
///
/// [`Problem`].
pub async fn get(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<axum::Json<Preferences>, Problem> {
    let person = agent_person(&identity)?;
    let stored = doors.directory.preferences(&identity.tenant, person.id).await?;
    Ok(axum::Json(Preferences::from(&*stored)))
}

/// `PATCH /v1/agents/me/preferences`
///
/// # Errors
///
/// [`Code::Invalid`](crate::edge::problem::Code::Invalid) for strange names and what is too large.
pub async fn patch(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: PreferencesChange { values }, .. }: Json<PreferencesChange>,
) -> Result<axum::Json<Preferences>, Problem> {
    let person = agent_person(&identity)?;
    let (directory, tenant) = (&doors.directory, &identity.tenant);
    let stored = directory.change_preferences(tenant, person.id, &values).await?;
    doors.auth.tell_preferences(tenant, person.id, stored.version);
    Ok(axum::Json(Preferences::from(&*stored)))
}
