//! Agents over HTTP: themselves, and people as admins manage them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchboard_actors::presence::AgentPresence;
use switchboard_domain::ids::AgentId;
use switchboard_domain::limit::{CAPACITY_MAX, CAPACITY_MIN};
use switchboard_domain::person::Role;
use switchboard_domain::presence::Status;
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit::note;
use super::caller::{self, require};
use super::extract::{Caller, Json, PathId, Query, if_match};
use super::idempotency::{Answer, Repeatable, once};
use super::presences::{status_name, status_named};
use super::wire::time::Rfc3339;
use crate::accounts::avatar;
use crate::accounts::credential::Credential;
use crate::auth::{Identity, role};
use crate::directory::audit::{Action, Deed, Kind, Subject};
use crate::directory::person::Change;
use crate::directory::{PAGE_MAX, Person, Revision, Versioned, check_version};
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
    /// The name that visitors see, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// Where the picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<String>,
    /// What the agent is, in words for visitors.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
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
    /// Whether the person signs in here: `none`, `invited` or `active`.
    account: &'static str,
    /// When something was last asked with an own sign-in, to five minutes; absent for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Rfc3339>,
}

/// What is known of a person besides the person.
#[derive(Clone, Copy, Default)]
struct About<'a> {
    presence: Option<&'a AgentPresence>,
    credential: Option<&'a Credential>,
    avatar: Option<&'a str>,
    title: Option<&'a str>,
}

impl Agent {
    fn new(person: &Person, about: About<'_>) -> Self {
        let presence = about.presence;
        let account = match about.credential {
            Some(Credential { hash: Some(_), .. }) => "active",
            Some(Credential { link: Some(_), .. }) => "invited",
            Some(_) | None => "none",
        };
        let skills: &[Arc<str>] = presence.map_or(&person.skills, |known| &known.skills);
        let chosen = presence.map_or(Status::Offline, |known| known.chosen);
        let effective = presence.map_or(Status::Offline, |known| known.effective);
        Self {
            id: person.id.uuid(),
            number: person.number.0,
            external_id: (*person.external_id).to_owned(),
            name: (*person.full_name()).to_owned(),
            email: person.email.as_deref().map(str::to_owned),
            display_name: person.display_name.as_deref().map(str::to_owned),
            avatar: about.avatar.map(str::to_owned),
            title: about.title.map(str::to_owned),
            role: role::word(person.role_in_effect()),
            disabled: person.disabled,
            status: status_name(chosen),
            effective: status_name(effective),
            capacity: presence.map_or(person.capacity, |known| known.capacity),
            active: presence.map_or(0, |known| known.active),
            skills: skills.iter().map(|skill| (**skill).to_owned()).collect(),
            departments: person.departments.iter().map(ToString::to_string).collect(),
            account,
            last_seen_at: about.credential.and_then(Credential::seen_at).map(Rfc3339),
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
    let faces = doors.directory.faces(&identity.tenant);
    let mut items = Vec::with_capacity(people.len());
    for person in people.iter().filter(|person| person.value.role >= Role::Agent) {
        let id = person.value.id;
        let credential = doors.directory.credential(&identity.tenant, id).await?;
        let about = About {
            presence: present.iter().find(|known| known.agent.id == id),
            credential: credential.as_ref().map(|it| &it.value),
            avatar: faces.of(id),
            title: faces.title_of(id),
        };
        items.push(Agent::new(&person.value, about));
    }
    Ok(axum::Json(Page { items, next }).into_response())
}

/// An agent to be known before a token of theirs is seen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAgent)]
pub struct Create {
    /// The `sub` of the tokens to come; absent for who signs in here.
    #[serde(default)]
    external_id: Option<String>,
    name: String,
    /// Needed to sign in here.
    #[serde(default)]
    email: Option<String>,
    /// The name for visitors, where it is another.
    #[serde(default)]
    display_name: Option<String>,
    /// What the agent is, in words for visitors.
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    skills: Option<Vec<String>>,
    /// 1 to 20.
    #[serde(default)]
    capacity: Option<usize>,
    #[serde(default)]
    departments: Option<Vec<String>>,
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
    let change = Change {
        name: Some(create.name),
        display_name: create.display_name,
        email: create.email,
        role_max: None,
        disabled: None,
        capacity: create.capacity,
        skills: create.skills,
        departments: create.departments,
        by: caller::change(&doors, &identity),
    };
    let external_id = create.external_id.as_deref();
    let title = create.title.as_deref().map(avatar::title).transpose()?;
    once(&doors, &headers, request, |_| async {
        let tenant = &identity.tenant;
        let made =
            doors.directory.create_own_person(tenant, None, external_id, role, &change).await?;
        tell_presence(&doors, &identity, &made.value, &change).await?;
        let title = title.flatten();
        if title.is_some() {
            doors.directory.set_title(tenant, made.value.id, title.clone()).await?;
        }
        let deed = Deed::created(subject(&made.value), seen(&made.value, title.as_deref()));
        note(&doors, &identity, deed).await?;
        let about = About { title: title.as_deref(), ..About::default() };
        let agent = Agent::new(&made.value, about);
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
    /// The name for visitors; empty removes it.
    #[serde(default)]
    display_name: Option<String>,
    /// What the agent is, in words for visitors; empty removes it.
    #[serde(default)]
    title: Option<String>,
    /// The role, and the highest that tokens of this person get.
    #[serde(default)]
    role: Option<String>,
    /// Whether every token is refused; open sockets are closed at once.
    #[serde(default)]
    disabled: Option<bool>,
    #[serde(default)]
    departments: Option<Vec<String>>,
    #[serde(default)]
    skills: Option<Vec<String>>,
    /// 1 to 20.
    #[serde(default)]
    capacity: Option<usize>,
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
    require(&identity, person.value.role_in_effect())?;
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
        display_name: patch.display_name,
        email: patch.email,
        role_max,
        disabled: patch.disabled,
        capacity: patch.capacity,
        skills: patch.skills,
        departments: patch.departments,
        by: caller::change(&doors, &identity),
    };
    let title = patch.title.as_deref().map(avatar::title).transpose()?;
    let tenant = &identity.tenant;
    check_version(&person, version)?;
    if let Some(email) = change.email.as_deref() {
        doors.directory.move_login(tenant, person.value.id, email).await?;
    }
    let title_before = title_of(&doors, &identity, person.value.id);
    let revision = doors.auth.change_person(tenant, person.value.id, version, &change).await?;
    if let Some(title) = title {
        doors.directory.set_title(tenant, person.value.id, title).await?;
    }
    tell_presence(&doors, &identity, &revision.after.value, &change).await?;
    note_change(&doors, &identity, &revision, title_before.as_deref()).await?;
    answer(&doors, &identity, &revision.after).await
}

/// A link with which a person sets a password.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitation {
    /// Shown this once; it replaces the one before.
    link: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Rfc3339>,
    /// `invite`, or `reset` for somebody who has a password.
    kind: &'static str,
}

/// `POST /v1/agents/{id}/invitation`
///
/// # Errors
///
/// [`Code::Invalid`] without a mail address, [`Code::AlreadyExists`] when somebody else signs in
/// with it.
pub async fn invite(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    PathId(id): PathId,
) -> Result<Response, Problem> {
    require(&identity, Role::Admin)?;
    let person = named(&doors, &identity, &id).await?;
    // Whoever has the link comes in as the person.
    require(&identity, person.value.role_in_effect())?;
    if person.value.disabled {
        return Err(Problem::with(Code::Invalid, "the person is disabled"));
    }
    let now = doors.clock.now();
    let made = doors.directory.make_invitation(&identity.tenant, &person.value, now).await?;
    let kind = if made.is_reset { "reset" } else { "invite" };
    let deed = Deed {
        action: Action::Invited,
        subject: subject(&person.value),
        before: Value::Null,
        after: json!({"link": kind}),
    };
    note(&doors, &identity, deed).await?;
    let invitation = Invitation {
        link: format!("{}/console#invite={}", doors.public_url, made.token),
        expires_at: made.expires_at.map(Rfc3339),
        kind,
    };
    Ok((StatusCode::CREATED, axum::Json(invitation)).into_response())
}

/// What people change of themselves.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MyChange)]
pub struct PatchMe {
    #[serde(default)]
    name: Option<String>,
    /// The name for visitors; empty removes it.
    #[serde(default)]
    display_name: Option<String>,
    /// What one is, in words for visitors; empty removes it.
    #[serde(default)]
    title: Option<String>,
}

/// `PATCH /v1/agents/me`
///
/// # Errors
///
/// [`Problem`].
pub async fn patch_me(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Json { value: PatchMe { name, display_name, title }, .. }: Json<PatchMe>,
) -> Result<Response, Problem> {
    let person = caller::agent_person(&identity)?;
    let by = caller::change(&doors, &identity);
    let title = title.as_deref().map(avatar::title).transpose()?;
    let change = Change { name, display_name, by, ..Change::default() };
    let tenant = &identity.tenant;
    let title_before = title_of(&doors, &identity, person.id);
    let revision = doors.auth.change_person(tenant, person.id, None, &change).await?;
    if let Some(title) = title {
        doors.directory.set_title(tenant, person.id, title).await?;
    }
    note_change(&doors, &identity, &revision, title_before.as_deref()).await?;
    let presence = doors.presence.get(tenant, person.id).await?;
    mine(&doors, &identity, &revision.after.value, presence.as_ref()).await
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
    mine(&doors, &identity, person, presence.as_ref()).await
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
    mine(&doors, &identity, person, Some(&known)).await
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
    mine(&doors, &identity, person, Some(&known)).await
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
    mine(&doors, &identity, person, Some(&known)).await
}

/// The caller: with the role in effect, which the token may have lowered.
async fn mine(
    doors: &Doors,
    identity: &Identity,
    person: &Person,
    presence: Option<&AgentPresence>,
) -> Result<Response, Problem> {
    let agent = shown(doors, identity, person, presence).await?;
    let agent = Agent { role: role::word(identity.caller.role), ..agent };
    Ok(axum::Json(agent).into_response())
}

async fn shown(
    doors: &Doors,
    identity: &Identity,
    person: &Person,
    presence: Option<&AgentPresence>,
) -> Result<Agent, Problem> {
    let credential = doors.directory.credential(&identity.tenant, person.id).await?;
    let credential = credential.as_ref().map(|it| &it.value);
    let faces = doors.directory.faces(&identity.tenant);
    let (avatar, title) = (faces.of(person.id), faces.title_of(person.id));
    Ok(Agent::new(person, About { presence, credential, avatar, title }))
}

async fn answer(
    doors: &Doors,
    identity: &Identity,
    person: &Versioned<Person>,
) -> Result<Answer, Problem> {
    let presence = doors.presence.get(&identity.tenant, person.value.id).await?;
    let agent = shown(doors, identity, &person.value, presence.as_ref()).await?;
    Ok(Answer::new(StatusCode::OK, &agent).with_version(person.version))
}

/// Who routes by skills and capacity hears of them.
async fn tell_presence(
    doors: &Doors,
    identity: &Identity,
    person: &Person,
    change: &Change,
) -> Result<(), Problem> {
    let (tenant, agent) = (&identity.tenant, person.agent());
    if change.capacity.is_some() {
        doors.presence.set_capacity(tenant, &agent, person.capacity).await?;
    }
    if change.skills.is_some() {
        doors.presence.set_skills(tenant, &agent, person.skills.clone()).await?;
    }
    Ok(())
}

/// Notes what is otherwise of a person now.
async fn note_change(
    doors: &Doors,
    identity: &Identity,
    Revision { before, after }: &Revision<Person>,
    title_before: Option<&str>,
) -> Result<(), Problem> {
    let title = title_of(doors, identity, after.value.id);
    let was = seen(&before.value, title_before);
    let is = seen(&after.value, title.as_deref());
    note(doors, identity, Deed::changed(subject(&after.value), was, is)).await
}

fn title_of(doors: &Doors, identity: &Identity, person: AgentId) -> Option<String> {
    doors.directory.faces(&identity.tenant).title_of(person).map(str::to_owned)
}

/// A person, for the audit.
pub(super) fn subject(person: &Person) -> Subject {
    Subject::new(Kind::Person, &person.id, &person.full_name())
}

/// What the audit says of a person.
pub(super) fn seen(person: &Person, title: Option<&str>) -> Value {
    json!({
        "external_id": person.external_id,
        "name": person.full_name(),
        "display_name": person.display_name,
        "title": title,
        "email": person.email,
        "role": role::word(person.role_in_effect()),
        "disabled": person.disabled,
        "capacity": person.capacity,
        "skills": person.skills,
        "departments": person.departments.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The person of that id, ours or the external one.
///
/// # Errors
///
/// [`Code::NotFound`], also for visitors.
pub(super) async fn named(
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
