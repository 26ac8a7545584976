//! The routes: two halves, one for visitors who show a label, one for admins who show a token.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use switchboard_domain::conversation::{Conversation, Rating};
use switchboard_domain::ids::DepartmentId;
use switchboard_domain::person::Role;

use super::Ges;
use super::desk::{Desk, Filter, Start, Visit};
use super::words::Wanted;
use crate::edge::caller::require;
use crate::edge::dialect::request::{
    self, Asked, BODY_BYTES_MAX, Doorway, Said, not_served, not_spoken,
};
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

type Answer = request::Answer<Ges, Value>;
type Caller = request::Caller<Ges>;
type Stranger = request::Stranger<Ges>;

/// The routes. What the second part will speak is refused in this dialect's own shape.
pub(super) fn router() -> Router<Arc<Doors>> {
    let later = not_spoken::<Ges>;
    Router::new()
        .route("/api/v1/chat", post(write).get(messages))
        .route("/api/v1/chat/rate", post(rate))
        .route("/api/v1/chat/upload", post(not_served::<Ges>))
        .route("/api/v1/chat/knowledge-base", get(not_served::<Ges>))
        .route("/api/v1/admin/chat", get(chats).post(reply).patch(change))
        .route("/api/v1/admin/chat/analytics", get(later))
        .route(
            "/api/v1/admin/chat/departments",
            get(departments).post(later).put(later).delete(later),
        )
        .route("/api/v1/admin/chat/knowledge-base", get(later).post(later).put(later).delete(later))
        .route("/api/v1/admin/presence", get(admins).post(beat))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

impl Caller {
    fn at<'a>(&'a self, doors: &'a Arc<Doors>) -> Desk<'a> {
        Desk { doors, identity: &self.identity }
    }
}

/// What answers everything that was done.
fn done(data: &impl serde::Serialize) -> Answer {
    Ok(Json(json!({ "success": true, "data": data })))
}

/// What is not said and what is said to be nothing are two things.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A message, as visitors and admins write it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Write {
    message: Option<String>,
    message_type: Option<String>,
    file_url: Option<String>,
}

impl Write {
    /// Its text, when it is nothing but text.
    fn text(self) -> Result<Option<String>, Problem> {
        let later = || Problem::with(Code::Invalid, "files are not served yet");
        match self.message_type.as_deref() {
            None | Some("TEXT") => {}
            Some("IMAGE" | "FILE") => return Err(later()),
            Some(_) => {
                return Err(Problem::with(Code::Invalid, "messageType is TEXT, IMAGE or FILE"));
            }
        }
        if self.file_url.is_some() {
            return Err(later());
        }
        Ok(self.message)
    }

    /// Its text, which has to be there.
    fn words(self) -> Result<String, Problem> {
        self.text()?.ok_or_else(|| Problem::with(Code::Invalid, "message is missing"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Visitor {
    session_id: Option<String>,
    visitor_name: Option<String>,
    visitor_email: Option<String>,
    visitor_phone: Option<String>,
    department: Option<String>,
    #[serde(flatten)]
    write: Write,
}

async fn write(
    State(doors): Doorway,
    stranger: Stranger,
    headers: HeaderMap,
    Said(visitor, PhantomData): Said<Ges, Visitor>,
) -> Answer {
    let Visitor { session_id, visitor_name, visitor_email, visitor_phone, .. } = visitor;
    let (tenant, address) = (&stranger.tenant, stranger.address);
    match session_id.filter(|label| !label.is_empty()) {
        Some(label) => {
            let visit = Visit::by_label(&doors, tenant, label, address).await?;
            done(&visit.send(&doors, visitor.write.words()?).await?)
        }
        None => {
            let start = Start {
                name: visitor_name,
                email: visitor_email,
                phone: visitor_phone,
                department: visitor.department,
                message: visitor.write.text()?,
            };
            let visit = Visit::start(&doors, tenant, start, &headers, address).await?;
            done(&visit.begun(&doors).await?)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Which {
    session_id: Option<String>,
}

async fn messages(
    State(doors): Doorway,
    stranger: Stranger,
    Asked(Which { session_id }, PhantomData): Asked<Ges, Which>,
) -> Answer {
    let label = session_id.ok_or_else(no_label)?;
    let visit = Visit::by_label(&doors, &stranger.tenant, label, stranger.address).await?;
    done(&visit.read(&doors).await?)
}

fn no_label() -> Problem {
    Problem::with(Code::Invalid, "sessionId is missing")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    session_id: Option<String>,
    rating: u8,
    comment: Option<String>,
}

async fn rate(
    State(doors): Doorway,
    stranger: Stranger,
    Said(rate, PhantomData): Said<Ges, Rate>,
) -> Answer {
    let label = rate.session_id.ok_or_else(no_label)?;
    let visit = Visit::by_label(&doors, &stranger.tenant, label, stranger.address).await?;
    let rating = Rating { score: rate.rating, comment: rate.comment.map(Arc::from) };
    done(&visit.rate(&doors, rating).await?)
}

/// Which chat an admin means.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    session_id: Option<String>,
    chat_id: Option<String>,
}

impl Named {
    async fn find(&self, desk: &Desk<'_>) -> Result<Arc<Conversation>, Problem> {
        let name = self.session_id.as_ref().or(self.chat_id.as_ref());
        let name =
            name.ok_or_else(|| Problem::with(Code::Invalid, "sessionId or chatId is missing"))?;
        desk.named(name).await
    }

    const fn is_said(&self) -> bool {
        self.session_id.is_some() || self.chat_id.is_some()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Narrowed {
    session_id: Option<String>,
    chat_id: Option<String>,
    status: Option<String>,
    department: Option<String>,
    assigned_to: Option<String>,
    rating: Option<u8>,
    page: Option<usize>,
    limit: Option<usize>,
}

async fn chats(
    State(doors): Doorway,
    caller: Caller,
    Asked(narrowed, PhantomData): Asked<Ges, Narrowed>,
) -> Answer {
    let desk = caller.at(&doors);
    let Narrowed { session_id, chat_id, page, limit, .. } = narrowed;
    let named = Named { session_id, chat_id };
    if named.is_said() {
        let state = named.find(&desk).await?;
        return done(&desk.read(&state).await?);
    }
    let filter = Filter {
        status: narrowed.status.as_deref().map(status).transpose()?,
        department: narrowed.department.map(|slug| DepartmentId(slug.into())),
        assigned_to: narrowed.assigned_to,
        rating: narrowed.rating,
    };
    let chats = desk.chats(&filter, page.unwrap_or(1), limit).await?;
    done(&json!({ "count": chats.len(), "chats": chats }))
}

fn status(word: &str) -> Result<Wanted, Problem> {
    Wanted::named(word).ok_or_else(|| {
        Problem::with(Code::Invalid, "status is WAITING, ACTIVE, RESOLVED or CLOSED")
    })
}

#[derive(Deserialize)]
struct Reply {
    #[serde(flatten)]
    named: Named,
    #[serde(flatten)]
    write: Write,
}

async fn reply(
    State(doors): Doorway,
    caller: Caller,
    Said(Reply { named, write }, PhantomData): Said<Ges, Reply>,
) -> Answer {
    let desk = caller.at(&doors);
    let state = named.find(&desk).await?;
    done(&desk.reply(state.id, write.words()?).await?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(flatten)]
    named: Named,
    status: Option<String>,
    #[serde(default, deserialize_with = "said")]
    assigned_to: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    department: Option<Option<String>>,
}

async fn change(
    State(doors): Doorway,
    caller: Caller,
    Said(change, PhantomData): Said<Ges, Change>,
) -> Answer {
    let desk = caller.at(&doors);
    let wanted = change.status.as_deref().map(status).transpose()?;
    let mut state = change.named.find(&desk).await?;
    if let Some(department) = change.department {
        state = desk.set_department(&state, department).await?;
    }
    if let Some(admin) = change.assigned_to {
        state = desk.assign(&state, admin.as_deref()).await?;
    }
    if let Some(wanted) = wanted {
        state = desk.set_status(&state, wanted).await?;
    }
    done(&desk.shown(&state).await?)
}

async fn departments(State(doors): Doorway, caller: Caller) -> Answer {
    require(&caller.identity, Role::Agent)?;
    let known = doors.directory.departments(&caller.identity.tenant).await?;
    let departments: Vec<Value> = known
        .iter()
        .map(|it| {
            let department = &it.value;
            json!({ "id": department.id.0, "name": department.name, "slug": department.id.0 })
        })
        .collect();
    done(&departments)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beat {
    is_online: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    department: Option<Option<String>>,
}

async fn beat(
    State(doors): Doorway,
    caller: Caller,
    Said(Beat { is_online, department }, PhantomData): Said<Ges, Beat>,
) -> Answer {
    done(&caller.at(&doors).beat(is_online.unwrap_or(true), department).await?)
}

/// The one answer of this dialect that is not wrapped.
async fn admins(State(doors): Doorway, caller: Caller) -> Answer {
    let admins = caller.at(&doors).admins().await?;
    Ok(Json(json!({ "success": true, "count": admins.len(), "onlineAdmins": admins })))
}
