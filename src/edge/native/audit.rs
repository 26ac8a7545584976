//! Who changed what: noted by the handlers that change it, and read by administrators.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard_domain::person::Role;
use switchboard_domain::search::Query as Words;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::require;
use super::extract::{Caller, Query};
use super::wire::time::Rfc3339;
use crate::auth::{Identity, Via};
use crate::directory::audit::{self, Action, Actor, Deed, Kind};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// Notes what the caller has done, before they are answered.
///
/// # Errors
///
/// The directory's; what was done stays done.
pub async fn note(doors: &Doors, identity: &Identity, deed: Deed) -> Result<(), Problem> {
    let name = identity.person.as_ref().map(|person| person.value.full_name());
    let name = name.or_else(|| identity.caller.author.name.clone()).unwrap_or_default();
    let by = Actor { id: identity.id(), name, is_key: matches!(identity.via, Via::Key(_)) };
    Ok(doors.directory.note(&identity.tenant, by, deed).await?)
}

/// A thing as administrators see it.
#[must_use]
pub fn view(thing: &impl Serialize) -> Value {
    serde_json::to_value(thing).unwrap_or_default()
}

/// A page of what was done, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub struct Page {
    items: Vec<Entry>,
    /// For the next page; absent on the last. A search looks at a thousand entries at a time: there
    /// may be a next page after an empty one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What somebody did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// Rises with every entry of the tenant.
    number: u64,
    #[schema(value_type = String, format = DateTime)]
    at: Rfc3339,
    by: By,
    action: Action,
    subject: Subject,
    /// In what the thing differs.
    changes: Vec<Change>,
    /// How many more differences there were than are kept.
    left_out: u32,
}

/// Who did it, under the name of that time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct By {
    /// `person` or `key`.
    kind: &'static str,
    id: Uuid,
    #[schema(value_type = String)]
    name: Arc<str>,
}

/// What it was done to, under the name of that time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditSubject)]
struct Subject {
    kind: Kind,
    #[schema(value_type = String)]
    id: Arc<str>,
    #[schema(value_type = String)]
    name: Arc<str>,
}

/// One field that differs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditChange)]
struct Change {
    /// Which, with dots between the names: `theme.color`.
    #[schema(value_type = String)]
    field: Arc<str>,
    /// What it was; `null` for nothing. What is long is a text that ends in `…`.
    before: Value,
    /// What it is, likewise.
    after: Value,
}

impl Entry {
    fn of(entry: &audit::Entry) -> Self {
        let value = |json: Option<&Arc<str>>| {
            json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
        };
        let change = |it: &audit::Difference| Change {
            field: Arc::clone(&it.field),
            before: value(it.before.as_ref()),
            after: value(it.after.as_ref()),
        };
        let audit::Subject { kind, id, name } = entry.subject.clone();
        Self {
            number: entry.number,
            at: Rfc3339(entry.at),
            by: By {
                kind: if entry.by.is_key { "key" } else { "person" },
                id: entry.by.id,
                name: Arc::clone(&entry.by.name),
            },
            action: entry.action,
            subject: Subject { kind, id, name },
            changes: entry.changes.iter().map(change).collect(),
            left_out: entry.n_left_out,
        }
    }
}

/// Which entries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(default)]
    q: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// `GET /v1/audit`
///
/// # Errors
///
/// [`Code::Invalid`] for what cannot be looked for.
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Query(Filter { q, cursor, limit }): Query<Filter>,
) -> Result<axum::Json<Page>, Problem> {
    require(&identity, Role::Admin)?;
    let bad = |_| Problem::with(Code::BadRequest, "`cursor` is none of ours");
    let before = cursor.as_deref().map(str::parse).transpose().map_err(bad)?;
    let query = q.as_deref().map(words).transpose()?;
    let (tenant, limit) = (&identity.tenant, limit.unwrap_or(50));
    let page = doors.directory.audit(tenant, before, query.as_ref(), limit).await?;
    let items = page.entries.iter().map(|entry| Entry::of(&entry.value)).collect();
    Ok(axum::Json(Page { items, next: page.next.map(|number| number.to_string()) }))
}

fn words(text: &str) -> Result<Words, Problem> {
    Words::new(text).ok_or_else(|| Problem {
        field: Some("q".into()),
        ..Problem::with(Code::Invalid, "`q` must be one to eight words, at most 200 bytes")
    })
}
