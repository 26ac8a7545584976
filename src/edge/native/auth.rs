//! Signing in and out, over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use switchboard_domain::ids::TenantId;
use switchboard_domain::person::Role;
use utoipa::ToSchema;
use uuid::Uuid;

use super::agents::{seen, subject};
use super::audit::note;
use super::caller::require;
use super::cookies;
use super::extract::{Address, Caller, Csrf, Json};
use super::wire::time::Rfc3339;
use crate::accounts::password::Password;
use crate::accounts::{Entered, From, stream_ticket};
use crate::auth::{Identity, Via, role};
use crate::directory::audit::{Action, Deed};
use crate::directory::tenant;
use crate::edge::doors::Doors;
use crate::edge::problem::{Code, Problem};

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    principal: MyPrincipal,
    tenant: MyTenant,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The name that visitors see, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// The address of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<String>,
    /// To be shown in `X-Switchboard-CSRF` with every change; null for a token.
    csrf: Option<String>,
    /// `cookie` or `token`.
    via: &'static str,
    /// When the credential ends if nothing more is asked with it.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Rfc3339>,
}

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
struct MyPrincipal {
    /// `agent` or `bot`.
    kind: &'static str,
    id: Uuid,
    name: String,
    role: &'static str,
}

/// The caller's tenant.
#[derive(Debug, Serialize, ToSchema)]
struct MyTenant {
    id: String,
    name: String,
}

impl Me {
    async fn of(doors: &Doors, identity: &Identity, csrf: Option<String>) -> Result<Self, Problem> {
        let id = &*identity.tenant.0;
        let named = doors.directory.tenant(&identity.tenant).await?;
        let name = named.and_then(|it| it.value.name.clone()).unwrap_or_else(|| id.into());
        let person = identity.person.as_ref().map(|person| &person.value);
        let faces = doors.directory.faces(&identity.tenant);
        let author = &identity.caller.author;
        let own_name = person.map(|person| person.full_name()).or_else(|| author.name.clone());
        let text = |text: Option<&Arc<str>>| text.map(|text| (**text).to_owned());
        Ok(Self {
            principal: MyPrincipal {
                kind: super::wire::person::Person::from(author).kind,
                id: identity.id(),
                name: own_name.map(|name| (*name).to_owned()).unwrap_or_default(),
                role: role::word(identity.caller.role),
            },
            tenant: MyTenant { id: id.to_owned(), name: (*name).to_owned() },
            email: text(person.and_then(|person| person.email.as_ref())),
            display_name: text(person.and_then(|person| person.display_name.as_ref())),
            avatar: person.and_then(|person| faces.of(person.id)).map(str::to_owned),
            csrf,
            via: match identity.via {
                Via::SignIn(_) => "cookie",
                Via::Token | Via::Site(_) | Via::VisitorSecret | Via::Key(_) | Via::Vouched => {
                    "token"
                }
            },
            expires_at: identity.expires_at.map(Rfc3339),
        })
    }
}

/// How things stand for a page that was just loaded.
#[derive(Debug, Serialize, ToSchema)]
pub struct Standing {
    /// Who is signed in; null for nobody.
    me: Option<Me>,
    /// Whether demo people sign in here with one click.
    demo: bool,
    /// Whether the tenant `default` waits for its owner: the link stands where the server was
    /// started.
    setup: bool,
}

/// `GET /v1/auth`: the same as `auth/me`, without a refusal for nobody.
///
/// # Errors
///
/// [`Problem`] when the store fails.
pub async fn standing(
    State(doors): State<Arc<Doors>>,
    caller: Result<Csrf, Problem>,
) -> Result<Response, Problem> {
    let me = match caller {
        Ok(Csrf(identity, csrf)) if identity.is_at_least(Role::Agent) => {
            Some(Me::of(&doors, &identity, csrf).await?)
        }
        Ok(_) => None,
        Err(problem) if problem.code.status().is_client_error() => None,
        Err(problem) => return Err(problem),
    };
    let setup = doors.accounts.awaits_owner();
    Ok(axum::Json(Standing { me, demo: doors.demo, setup }).into_response())
}

/// `GET /v1/auth/me`
///
/// # Errors
///
/// [`Problem`].
pub async fn me(
    State(doors): State<Arc<Doors>>,
    Csrf(identity, csrf): Csrf,
) -> Result<Response, Problem> {
    require(&identity, Role::Agent)?;
    Ok(axum::Json(Me::of(&doors, &identity, csrf).await?).into_response())
}

/// Who owns a tenant from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// What stands after `#setup=` in the link.
    token: String,
    name: String,
    email: String,
    password: Password,
}

/// `POST /v1/auth/setup`
///
/// # Errors
///
/// [`Code::LinkUsed`], [`Code::LinkExpired`], [`Code::Invalid`].
pub async fn set_up(
    State(doors): State<Arc<Doors>>,
    headers: HeaderMap,
    Json { value: SetUp { token, name, email, password }, .. }: Json<SetUp>,
) -> Result<Response, Problem> {
    check_origin(&doors, &headers)?;
    let entered = doors.accounts.set_up(&token, &name, &email, password).await?;
    if let Some(owner) = entered.identity.person.as_ref().map(|owner| &owner.value) {
        note(&doors, &entered.identity, Deed::created(subject(owner), seen(owner, None))).await?;
    }
    enter(&doors, entered).await
}

/// Somebody with an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    email: String,
    password: Password,
    /// Absent for `default`.
    #[serde(default)]
    tenant: Option<String>,
}

/// `POST /v1/auth/login`
///
/// # Errors
///
/// [`Code::BadCredentials`], [`Code::TooManyAttempts`].
pub async fn log_in(
    State(doors): State<Arc<Doors>>,
    Address(address): Address,
    headers: HeaderMap,
    Json { value: LogIn { email, password, tenant }, .. }: Json<LogIn>,
) -> Result<Response, Problem> {
    check_origin(&doors, &headers)?;
    let tenant = TenantId(tenant.unwrap_or_else(|| tenant::DEFAULT.to_owned()).into());
    let from = From { address, device: cookies::device(&headers) };
    let entered = doors.accounts.log_in(&tenant, &email, password, from).await?;
    enter(&doors, entered).await
}

/// A password by an invitation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// What stands after `#invite=` in the link.
    token: String,
    password: Password,
    /// Absent to keep the name.
    #[serde(default)]
    name: Option<String>,
}

/// `POST /v1/auth/accept`
///
/// # Errors
///
/// [`Code::LinkUsed`], [`Code::LinkExpired`], [`Code::Invalid`].
pub async fn accept(
    State(doors): State<Arc<Doors>>,
    headers: HeaderMap,
    Json { value: Accept { token, password, name }, .. }: Json<Accept>,
) -> Result<Response, Problem> {
    check_origin(&doors, &headers)?;
    let entered = doors.accounts.accept(&token, password, name.as_deref()).await?;
    note_password(&doors, &entered.identity).await?;
    enter(&doors, entered).await
}

/// `POST /v1/auth/logout`
///
/// # Errors
///
/// [`Problem`].
pub async fn log_out(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<Response, Problem> {
    require(&identity, Role::Agent)?;
    doors.accounts.log_out(&identity).await?;
    Ok(cookies::leaving(StatusCode::NO_CONTENT))
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    current: Password,
    new: Password,
}

/// `PUT /v1/auth/password`
///
/// # Errors
///
/// [`Code::BadCredentials`] when the current one is wrong, [`Code::Invalid`] when the new one is
/// not taken, [`Code::Forbidden`] for who has none here.
pub async fn change_password(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
    Address(address): Address,
    Json { value: ChangePassword { current, new }, .. }: Json<ChangePassword>,
) -> Result<Response, Problem> {
    require(&identity, Role::Agent)?;
    let from = From { address, device: None };
    doors.accounts.change_password(&identity, current, new, from).await?;
    note_password(&doors, &identity).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamTicket)]
pub struct Ticket {
    /// Goes into `hello.token`, once.
    ticket: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Rfc3339,
}

/// `POST /v1/stream/tickets`
///
/// # Errors
///
/// [`Problem`].
pub async fn ticket(
    State(doors): State<Arc<Doors>>,
    Caller(identity): Caller,
) -> Result<Response, Problem> {
    let ticket = doors.accounts.issue_ticket(&identity)?;
    let lifetime_ms = i64::try_from(stream_ticket::LIFETIME.as_millis()).unwrap_or(0);
    let expires_at = Rfc3339(doors.clock.now().plus_ms(lifetime_ms));
    Ok((StatusCode::CREATED, axum::Json(Ticket { ticket, expires_at })).into_response())
}

/// Notes that somebody has another password.
async fn note_password(doors: &Doors, identity: &Identity) -> Result<(), Problem> {
    let Some(person) = &identity.person else { return Ok(()) };
    let deed = Deed {
        action: Action::Rotated,
        subject: subject(&person.value),
        before: Value::Null,
        after: Value::Null,
    };
    note(doors, identity, deed).await
}

/// Who signs in by a page comes from one of ours: another's page must not sign its reader in as
/// somebody else. Programs name no origin.
fn check_origin(doors: &Doors, headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(header::ORIGIN) {
        Some(origin) if !origin.to_str().is_ok_and(|origin| doors.is_own_origin(origin)) => {
            Err(Code::OriginRefused.into())
        }
        Some(_) | None => Ok(()),
    }
}

async fn enter(doors: &Doors, entered: Entered) -> Result<Response, Problem> {
    let identity = &entered.identity;
    tracing::info!(tenant = %identity.tenant, person = %identity.id(), "somebody signed in");
    let me = Me::of(doors, &entered.identity, Some(entered.csrf.clone())).await?;
    Ok(cookies::entering(axum::Json(me), &entered))
}
