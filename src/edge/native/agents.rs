//! Agents over HTTP: themselves, and people as admins manage them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_actors::presence::AgentPresence;
use switchboard_domain::ids::AgentId;
use switchboard_domain::limit::{CAPACITY_MAX, CAPACITY_MIN};
use switchboard_domain::person::Role;
use switchboard_domain::presence::Status;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::{self, require};
use super::extract::{Caller, Json, PathId, Query, if_match};
use super::idempotency::{Answer, Repeatable, once};
use super::presences::{status_name, status_named};
use crate::auth::{Identity, role};
use crate::directory::person::Change;
use crate::directory::{PAGE_MAX, Person, Versioned};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agent {
    id: Uuid,
    /// The integer name.
    number: u64,
    /// The id in the system that signs the tokens.
    external_id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// `visitor`, `agent`, `supervisor`, `admin` or `owner`.
    role: &'static str,
    disabled: bool,
    /// The chosen status; `offline` for one who was never there.
    status: &'static str,
    /// The status that others see.
    effective: &'static str,
    /// How many conversations the agent takes.
    capacity: usize,
    /// How many the agent has.
    active: usize,
    skills: Vec<String>,
    departments: Vec<String>,
}

impl Agent {
    fn new(person: &Person, presence: Option<&AgentPresence>) -> Self {
        let skills: &[Arc<str>] = presence.map_or(&person.skills, |known| &known.skills);
        let chosen = presence.map_or(Status::Offline, |known| known.chosen);
        let effective = presence.map_or(Status::Offline, |known| known.effective);
        Self {
            id: person.id.uuid(),
            number: person.number.0,
            external_id: (*person.external_id).to_owned(),
            name: (*person.full_name()).to_owned(),
            email: person.email.as_deref().map(str::to_owned),
            role: role::word(person.role_max.map_or(person.role, |max| person.role.min(max))),
            disabled: person.disabled,
            status: status_name(chosen),
            effective: status_name(effective),
            capacity: presence.map_or(person.capacity, |known| known.capacity),
            active: presence.map_or(0, |known| known.active),
            skills: skills.iter().map(|skill| (**skill).to_owned()).collect(),
            departments: person.departments.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A page of agents.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentPage)]
pub struct Page {
    items: Vec<Agent>,
    /// For the next page; absent on the last.
    next: Option<String>,
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

impl PageQuery {
    /// Where the page begins.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// How many items are asked for.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(50)
    }
}

/// `GET /v1/agents`
///
/// # Errors
///
/// [`Problem`].
pub async fn list(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    require(&identity, Role::Agent)?;
    let limit = query.limit().clamp(1, PAGE_MAX);
    let bad = |_| Problem::with(Code::BadRequest, "`cursor` is none of ours");
    let after = query.cursor().map(str::parse).transpose().map_err(bad)?;
    let people = doors.directory.people(&identity.tenant, after, limit).await?;
    let next =
        people.last().filter(|_| people.len() == limit).map(|last| last.value.id.to_string());
    let present = doors.presence.all(&identity.tenant).await?;
    let items = people
        .iter()
        .filter(|person| person.value.role >= Role::Agent)
        .map(|person| {
            let presence = present.iter().find(|known| known.agent.id == person.value.id);
            Agent::new(&person.value, presence)
        })
        .collect();
    Ok(axum::Json(Page { items, next }).into_response())
}

/// An agent to be known before a token of theirs is seen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAgent)]
pub struct Create {
    /// The `sub` of the tokens to come.
    external_id: String,
    name: String,
    #[serde(default)]
    email: Option<String>,
    /// `agent`, `supervisor`, `admin` or `owner`.
    role: String,
}

/// `POST /v1/agents`
///
/// # Errors
///
/// [`Problem`].
pub async fn create(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    headers: HeaderMap,
    Json { value: create, digest }: Json<Create>,
) -> Result<Answer, Problem> {
    require(&identity, Role::Admin)?;
    let role = role::named(&create.role)
        .filter(|role| *role >= Role::Agent)
        .ok_or_else(|| Problem::with(Code::Invalid, "there is no such role for an agent"))?;
    // Nobody makes somebody higher than themselves.
    require(&identity, role)?;
    let request = Repeatable {
        tenant: identity.tenant.clone(),
        principal: Some(identity.caller.author.principal),
        route: "POST /v1/agents".to_owned(),
        digest,
    };
    let change = Change { name: Some(create.name), email: create.email, ..Change::default() };
    once(&doors, &headers, request, |_| async {
        let made = doors
            .directory
            .create_person(&identity.tenant, &create.external_id, role, &change)
            .await?;
        let agent = Agent::new(&made.value, None);
        Ok(Answer::new(StatusCode::CREATED, &agent).with_version(made.version))
    })
    .await
}

/// `GET /v1/agents/{id}`, by our id or the external one.
///
/// # Errors
///
/// [`Problem`].
pub async fn get(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
) -> Result<Answer, Problem> {
    require(&identity, Role::Agent)?;
    let person = named(&doors, &identity, &id).await?;
    answer(&doors, &identity, &person).await
}

/// What an admin changes about a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentChange)]
pub struct Patch {
    #[serde(default)]
    name: Option<String>,
    /// Empty removes it.
    #[serde(default)]
    email: Option<String>,
    /// The highest role that tokens of this person get.
    #[serde(default)]
    role: Option<String>,
    /// Whether every token is refused; open sockets are closed at once.
    #[serde(default)]
    disabled: Option<bool>,
    #[serde(default)]
    departments: Option<Vec<String>>,
}

/// `PATCH /v1/agents/{id}`, with `If-Match`.
///
/// # Errors
///
/// [`Problem`].
pub async fn patch(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
    headers: HeaderMap,
    Json { value: patch, .. }: Json<Patch>,
) -> Result<Answer, Problem> {
    require(&identity, Role::Admin)?;
    let version = if_match(&headers)?;
    let person = named(&doors, &identity, &id).await?;
    // Only an owner changes an owner, and nobody gives more than they have.
    require(&identity, person.value.role.min(person.value.role_max.unwrap_or(Role::Owner)))?;
    let role_max = match patch.role.as_deref() {
        None => None,
        Some(word) => {
            let role = role::named(word)
                .ok_or_else(|| Problem::with(Code::Invalid, "there is no such role"))?;
            require(&identity, role)?;
            Some(Some(role))
        }
    };
    let change = Change {
        name: patch.name,
        email: patch.email,
        role_max,
        disabled: patch.disabled,
        departments: patch.departments,
        ..Change::default()
    };
    let tenant = &identity.tenant;
    let changed = doors.auth.change_person(tenant, person.value.id, version, &change).await?;
    answer(&doors, &identity, &changed).await
}

/// `GET /v1/agents/me`
///
/// # Errors
///
/// [`Problem`].
pub async fn me(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<Response, Problem> {
    let person = caller::agent_person(&identity)?;
    let presence = doors.presence.get(&identity.tenant, person.id).await?;
    Ok(axum::Json(mine(&identity, person, presence.as_ref())).into_response())
}

/// A status.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Status)]
pub struct SetStatus {
    /// `online`, `away`, `busy` or `offline`.
    status: String,
}

/// `PUT /v1/agents/me/status`
///
/// # Errors
///
/// [`Problem`].
pub async fn set_status(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: SetStatus { status }, .. }: Json<SetStatus>,
) -> Result<Response, Problem> {
    let person = caller::agent_person(&identity)?;
    let status = status_named(&status)
        .ok_or_else(|| Problem::with(Code::Invalid, "there is no such status"))?;
    let agent = person.agent();
    let known = doors.presence.set_status(&identity.tenant, &agent, status).await?;
    Ok(axum::Json(mine(&identity, person, Some(&known))).into_response())
}

/// A capacity.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Capacity)]
pub struct SetCapacity {
    /// 1 to 20.
    max: usize,
}

/// `PUT /v1/agents/me/capacity`
///
/// # Errors
///
/// [`Problem`].
pub async fn set_capacity(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: SetCapacity { max }, .. }: Json<SetCapacity>,
) -> Result<Response, Problem> {
    let person = caller::agent_person(&identity)?;
    if !(CAPACITY_MIN..=CAPACITY_MAX).contains(&max) {
        let words = format!("`max` must be {CAPACITY_MIN} to {CAPACITY_MAX}");
        return Err(Problem::with(Code::Invalid, words));
    }
    let known = doors.presence.set_capacity(&identity.tenant, &person.agent(), max).await?;
    Ok(axum::Json(mine(&identity, person, Some(&known))).into_response())
}

/// Skills.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Skills)]
pub struct SetSkills {
    /// All of them.
    skills: Vec<String>,
}

/// `PUT /v1/agents/me/skills`
///
/// # Errors
///
/// [`Problem`].
pub async fn set_skills(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: SetSkills { skills }, .. }: Json<SetSkills>,
) -> Result<Response, Problem> {
    let person = caller::agent_person(&identity)?;
    let skills = skills.into_iter().map(Arc::from).collect();
    let known = doors.presence.set_skills(&identity.tenant, &person.agent(), skills).await?;
    Ok(axum::Json(mine(&identity, person, Some(&known))).into_response())
}

/// The caller: with the role in effect, which the token may have lowered.
fn mine(identity: &Identity, person: &Person, presence: Option<&AgentPresence>) -> Agent {
    Agent { role: role::word(identity.caller.role), ..Agent::new(person, presence) }
}

async fn answer(
    doors: &Doors,
    identity: &Identity,
    person: &Versioned<Person>,
) -> Result<Answer, Problem> {
    let presence = doors.presence.get(&identity.tenant, person.value.id).await?;
    let agent = Agent::new(&person.value, presence.as_ref());
    Ok(Answer::new(StatusCode::OK, &agent).with_version(person.version))
}

async fn named(
    doors: &Doors,
    identity: &Identity,
    id: &str,
) -> Result<Arc<Versioned<Person>>, Problem> {
    let tenant = &identity.tenant;
    let by_id = match id.parse::<AgentId>() {
        Ok(id) => doors.directory.person(tenant, id).await?,
        Err(_) => None,
    };
    let found = match by_id {
        Some(found) => Some(found),
        None => doors.directory.person_by_external(tenant, id).await?,
    };
    found.filter(|person| person.value.role >= Role::Agent).ok_or_else(|| Code::NotFound.into())
}
