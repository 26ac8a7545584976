//! What agents ask of sessions, and do to them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use switchboard_domain::conversation::{Command, Conversation, Status, TransferTarget};
use switchboard_domain::ids::ConversationId;
use switchboard_domain::permission::Subject;
use switchboard_domain::person::{AgentRef, Principal, Role};
use switchboard_store::{List, ListScope};

use super::desk::{Desk, Page, Standing};
use super::label::no_session;
use super::rest::{Refused, Write, done, files_later, has_files, listed};
use super::wire::{AdminSession, Judgement, count, department, label_of};
use super::{Localpro, words};
use crate::edge::caller::{self, require, sees};
use crate::edge::commands;
use crate::edge::dialect::people::id_of;
use crate::edge::dialect::request::{
    self, Asked, BODY_BYTES_MAX, Doorway, Part, Said, not_served, not_spoken,
};
use crate::edge::dialect::standing::look_at_all;
use crate::edge::dialect::vocabulary::asked;
use crate::edge::doors::Doors;
use crate::edge::opening::known_department;
use crate::edge::problem::{Code, Problem};
use crate::edge::search;
use crate::edge::time::Rfc3339;

/// Sessions on a page when nobody says how many.
const SESSIONS: usize = 20;
/// Sessions that one list looks at: the newest ones.
const LOOKED_AT_MAX: usize = 10_000;
/// Sessions read at once.
const PER_PAGE: usize = 200;
/// Every status, as lists count them.
const STATUSES: [Status; 4] = [Status::Waiting, Status::Active, Status::Closed, Status::Archived];

type Answer<T> = request::Answer<Localpro, T>;
type Caller = request::Caller<Localpro>;

/// The routes. What the second part will speak is refused in this dialect's own shape.
pub(super) fn router() -> Router<Arc<Doors>> {
    Router::new()
        .route("/api/admin/live-chat/sessions", get(sessions))
        .route("/api/admin/live-chat/sessions/{session}", get(session).delete(erase))
        .route("/api/admin/live-chat/sessions/{session}/reply", post(reply))
        .route("/api/admin/live-chat/sessions/{session}/assign", patch(assign))
        .route("/api/admin/live-chat/sessions/{session}/status", patch(change))
        .route("/api/admin/live-chat/sessions/{session}/notes", post(note))
        .route("/api/admin/live-chat/sessions/{session}/transfer", post(transfer))
        .route("/api/admin/live-chat/customers/{email}/history", get(history))
        .route("/api/admin/live-chat/analytics", get(not_spoken::<Localpro>))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

impl Caller {
    /// The desk of an agent.
    fn at<'a>(&'a self, doors: &'a Arc<Doors>) -> Result<Desk<'a>, Problem> {
        require(&self.identity, Role::Agent)?;
        Ok(Desk { doors, identity: &self.identity })
    }
}

impl Desk<'_> {
    /// The conversation of a session: by its id when that is its name, else by the label of its
    /// client. Somebody may have chosen a label that looks like the id of another.
    pub(super) async fn find(&self, session: &str) -> Result<Arc<Conversation>, Problem> {
        if let Ok(id) = session.parse()
            && let Some(state) = self.seen(id).await?
            && label_of(&state) == session
        {
            return Ok(state);
        }
        let tenant = &self.identity.tenant;
        let known = self.doors.directory.session_label(tenant, session).await?;
        let known = known.ok_or_else(no_session)?.value;
        self.seen(known.conversation).await?.ok_or_else(no_session)
    }

    /// A conversation, if the caller may see it; what may not be seen is like what never was.
    async fn seen(&self, id: ConversationId) -> Result<Option<Arc<Conversation>>, Problem> {
        match self.look(id).await {
            Ok(state) => Ok(Some(state)),
            Err(problem) if problem.code == Code::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// An agent by id; the name beside it says nothing.
    async fn agent(&self, name: &str) -> Result<AgentRef, Problem> {
        commands::agent(self.doors, self.identity, name).await
    }

    /// What is said of who has a session.
    async fn assigned(&self, state: &Conversation) -> Result<Value, Problem> {
        let tenant = &self.identity.tenant;
        let id = match &state.agent {
            Some(agent) => id_of(self.doors, tenant, Principal::Agent(agent.id)).await?,
            None => None,
        };
        Ok(json!({
            "sessionId": label_of(state),
            "assignedAgent": id,
            "agentName": state.agent.as_ref().map(|agent| &*agent.name),
            "status": words::status(state.status),
        }))
    }

    /// Every session in sight, as far as lists go.
    async fn all(&self) -> Result<Vec<Arc<Conversation>>, Problem> {
        let tenant = &self.identity.tenant;
        let mut found: Vec<Arc<Conversation>> = Vec::new();
        let mut after = None;
        loop {
            let list = List {
                tenant: tenant.clone(),
                statuses: Vec::new(),
                department: None,
                scope: ListScope::All,
                after,
                limit: PER_PAGE,
            };
            let page = self.doors.store.list(list).await?;
            let n_read = page.len();
            after = page.last().map(|last| (last.last_at, last.id));
            let seen = page
                .into_iter()
                .filter(|state| sees(self.doors, self.identity, Subject::of(state)));
            found.extend(seen.map(Arc::new));
            if n_read < PER_PAGE || found.len() >= LOOKED_AT_MAX {
                break;
            }
        }
        // What began or moved within the last second is in memory alone.
        let by_id: HashMap<ConversationId, usize> =
            found.iter().enumerate().map(|(idx, state)| (state.id, idx)).collect();
        let mut newer = self.doors.inbox.open_cards(tenant);
        newer.retain(|card| {
            let known = by_id.get(&card.id);
            known.is_none_or(|&idx| found[idx].last_at < card.last_at)
                && sees(self.doors, self.identity, card.sight())
        });
        let newer = newer.iter().map(|card| card.id);
        for view in look_at_all(self.doors, self.identity, newer).await? {
            match by_id.get(&view.state.id) {
                Some(&idx) => found[idx] = view.state,
                None => found.push(view.state),
            }
        }
        found.sort_by_key(|state| Reverse((state.last_at, state.id)));
        Ok(found)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    page: Option<usize>,
    limit: Option<usize>,
    status: Option<String>,
    department: Option<String>,
    priority: Option<String>,
    assigned_agent: Option<String>,
    search: Option<String>,
}

async fn sessions(
    State(doors): Doorway,
    caller: Caller,
    Asked(filter, _): Asked<Localpro, Filter>,
) -> Answer<Value> {
    let desk = caller.at(&doors)?;
    let page = Page::new(filter.page, filter.limit, SESSIONS)?;
    let status = asked("status", filter.status.as_deref(), words::status_named)?;
    let priority = asked("priority", filter.priority.as_deref(), words::priority_named)?;
    if let Some(id) = filter.department.as_deref() {
        known_department(&doors, &caller.identity.tenant, id.to_owned()).await?;
    }
    let agent = match filter.assigned_agent.as_deref() {
        None => None,
        Some("unassigned") => Some(None),
        Some(name) => match desk.agent(name).await {
            Ok(agent) => Some(Some(agent.id)),
            // Nobody of that name has a session.
            Err(problem) if problem.code == Code::NotFound => {
                return Ok(Json(with_counts(listed(&json!([]), 0, 0, &page), [0; 4])));
            }
            Err(problem) => return Err(problem.into()),
        },
    };
    let wanted = filter.search.as_deref().map(str::to_lowercase);
    let mut found = desk.all().await?;
    found.retain(|state| {
        priority.is_none_or(|priority| state.priority == priority)
            && filter.department.as_deref().is_none_or(|id| department(state) == id)
            && agent.is_none_or(|agent| state.agent.as_ref().map(|agent| agent.id) == agent)
            && wanted.as_deref().is_none_or(|wanted| finds(state, wanted))
    });
    let counts = STATUSES.map(|status| found.iter().filter(|it| it.status == status).count());
    found.retain(|state| status.is_none_or(|status| state.status == status));
    let mut shown = Vec::new();
    for state in found.iter().skip(page.skipped()).take(page.limit) {
        let Standing { state, n_unread, .. } = desk.standing(state.id).await?;
        let tenant = &caller.identity.tenant;
        shown.push(AdminSession::new(&doors, tenant, &state, n_unread, None).await?);
    }
    Ok(Json(with_counts(listed(&json!(shown), shown.len(), found.len(), &page), counts)))
}

fn with_counts(mut list: Value, counts: [usize; 4]) -> Value {
    let counts = STATUSES.iter().zip(counts);
    let counts = counts.map(|(status, n)| (words::status(*status).to_owned(), json!(n)));
    list["statusCounts"] = Value::Object(counts.collect());
    list
}

/// Whether a text is in what names a session.
fn finds(state: &Conversation, wanted: &str) -> bool {
    let names = [state.visitor.name.as_deref(), state.visitor.email.as_deref()];
    let is_in = |text: &str| text.to_lowercase().contains(wanted);
    names.into_iter().flatten().any(is_in) || is_in(&label_of(state))
}

async fn session(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Localpro>,
) -> Answer<Value> {
    let desk = caller.at(&doors)?;
    let standing = desk.standing(desk.find(&session).await?.id).await?;
    let (messages, _) = desk.messages(&standing, &Page::ALL).await?;
    let Standing { state, n_unread, .. } = &standing;
    let details = desk.details(state).await?;
    let tenant = &caller.identity.tenant;
    let session = AdminSession::new(&doors, tenant, state, *n_unread, Some(details)).await?;
    let data = json!({ "session": session, "messages": messages });
    Ok(Json(json!({ "success": true, "data": data })))
}

/// What has to be gone for good is not gone as long as the log has it. Until that can be done,
/// nobody is told that it was.
async fn erase(caller: Caller) -> Result<Response, Refused> {
    require(&caller.identity, Role::Admin)?;
    Ok(not_served::<Localpro>().await)
}

async fn reply(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Localpro>,
    headers: HeaderMap,
    said: Result<Said<Localpro, Write>, Refused>,
) -> Result<Response, Refused> {
    let desk = caller.at(&doors)?;
    if has_files(&headers) {
        return Ok(files_later());
    }
    let Said(Write { content }, _) = said?;
    let message = desk.send(desk.find(&session).await?.id, content).await?;
    let body = done("The reply was sent", &json!(message));
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assign {
    agent_id: String,
}

async fn assign(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Localpro>,
    Said(Assign { agent_id }, _): Said<Localpro, Assign>,
) -> Answer<Value> {
    let desk = caller.at(&doors)?;
    let state = desk.find(&session).await?;
    let agent = desk.agent(&agent_id).await?;
    let has_it = state.agent.as_ref().is_some_and(|owner| owner.id == agent.id);
    let assign = Command::Assign { agent };
    let state = if has_it { state } else { desk.command(state.id, assign).await? };
    Ok(Json(done("The session was assigned", &desk.assigned(&state).await?)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transfer {
    to_agent_id: String,
    reason: Option<String>,
}

async fn transfer(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Localpro>,
    Said(Transfer { to_agent_id, reason }, _): Said<Localpro, Transfer>,
) -> Answer<Value> {
    let desk = caller.at(&doors)?;
    let id = desk.find(&session).await?.id;
    let to = TransferTarget::Agent(desk.agent(&to_agent_id).await?);
    let reason = reason.unwrap_or_default().into();
    let state = desk.command(id, Command::Transfer { to, reason }).await?;
    Ok(Json(done("The session was transferred", &desk.assigned(&state).await?)))
}

#[derive(Deserialize)]
struct Change {
    status: Option<String>,
    priority: Option<String>,
    department: Option<String>,
    tags: Option<Vec<String>>,
}

async fn change(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Localpro>,
    Said(change, _): Said<Localpro, Change>,
) -> Answer<Value> {
    let desk = caller.at(&doors)?;
    // All is understood before the first is done.
    let mut wanted = Vec::new();
    let status = asked("status", change.status.as_deref(), words::status_named)?;
    let priority = asked("priority", change.priority.as_deref(), words::priority_named)?;
    wanted.extend(priority.map(|priority| Command::Prioritise { priority }));
    if let Some(id) = change.department.as_deref() {
        let tenant = &caller.identity.tenant;
        let department = known_department(&doors, tenant, id.to_owned()).await?;
        wanted.push(Command::SetDepartment { department: Some(department) });
    }
    if let Some(tags) = change.tags {
        wanted.push(Command::Tag { tags: tags.into_iter().map(Arc::from).collect() });
    }
    let mut state = desk.find(&session).await?;
    let id = state.id;
    if let Some(status) = status.filter(|status| status.is_open()) {
        state = move_to(&desk, state, status).await?;
    }
    for command in wanted {
        state = desk.command(id, command).await?;
    }
    if let Some(status) = status.filter(|status| !status.is_open()) {
        state = move_to(&desk, state, status).await?;
    }
    let data = json!({
        "sessionId": label_of(&state),
        "status": words::status(state.status),
        "priority": words::priority(state.priority),
        "department": department(&state),
        "tags": state.tags,
    });
    Ok(Json(done("The session was changed", &data)))
}

/// Brings a session into a status by what leads there.
async fn move_to(
    desk: &Desk<'_>,
    state: Arc<Conversation>,
    status: Status,
) -> Result<Arc<Conversation>, Problem> {
    let id = state.id;
    match (state.status, status) {
        (now, wanted) if now == wanted => Ok(state),
        (Status::Active, Status::Waiting) => desk.command(id, Command::Requeue).await,
        (_, Status::Waiting) => desk.command(id, Command::Reopen { agent: None }).await,
        (Status::Waiting, Status::Active) => {
            let agent = caller::agent(desk.identity)?;
            let command = Command::Accept { agent };
            desk.command(id, command).await
        }
        (_, Status::Active) => {
            let agent = Some(caller::agent(desk.identity)?);
            desk.command(id, Command::Reopen { agent }).await
        }
        (_, Status::Closed) => desk.end(id).await,
        (now, Status::Archived) => {
            if now.is_open() {
                desk.end(id).await?;
            }
            desk.command(id, Command::Archive).await
        }
    }
}

#[derive(Deserialize)]
struct NewNote {
    content: String,
}

async fn note(
    State(doors): Doorway,
    caller: Caller,
    Part(session, _): Part<Localpro>,
    Said(NewNote { content }, _): Said<Localpro, NewNote>,
) -> Answer<Value> {
    let desk = caller.at(&doors)?;
    let id = desk.find(&session).await?.id;
    let command = Command::Note { text: content.into() };
    let key = desk.key(id);
    let kept = commands::ask(&doors, &caller.identity, &key, None, command).await?;
    let published = kept.events.first().ok_or(Code::Internal)?;
    let note = desk.note(published).await?.ok_or(Code::Internal)?;
    let by = caller.identity.caller.author.principal;
    let data = json!({
        "content": note.content,
        "addedBy": id_of(&doors, &caller.identity.tenant, by).await?,
        "addedAt": note.added_at,
    });
    Ok(Json(done("The note was kept", &data)))
}

#[derive(Deserialize)]
struct Pages {
    page: Option<usize>,
    limit: Option<usize>,
}

async fn history(
    State(doors): Doorway,
    caller: Caller,
    Part(email, _): Part<Localpro>,
    Asked(Pages { page, limit }, _): Asked<Localpro, Pages>,
) -> Answer<Value> {
    let desk = caller.at(&doors)?;
    let page = Page::new(page, limit, SESSIONS)?;
    let mut found = search::of_address(&doors, &caller.identity, &email, usize::MAX).await?;
    found.sort_by_key(|card| Reverse((card.created_at, card.id)));
    let mut data = Vec::new();
    for card in found.iter().skip(page.skipped()).take(page.limit) {
        let state = desk.look(card.id).await?;
        data.push(json!({
            "sessionId": label_of(&state),
            "status": words::status(state.status),
            "messageCount": count(&state),
            "rating": state.rating.as_ref().map(|rating| Judgement::new(rating, None)),
            "createdAt": Rfc3339(state.created_at),
            "endedAt": state.closed_at.map(Rfc3339),
        }));
    }
    Ok(Json(listed(&json!(data), data.len(), found.len(), &page)))
}
