//! How a visitor's conversation begins, whatever door it comes through.

use std::sync::Arc;

use switchboard_actors::{Done, Refusal};
use switchboard_domain::conversation::{
    Command, Contact, Conversation, Created, Priority, Rejection, Request, Start,
};
use switchboard_domain::ids::{ConversationId, DepartmentId, LogId, TenantId, VisitorId, WidgetId};
use switchboard_domain::person::{Author, Caller, Principal, Role};

use super::doors::Doors;
use super::problem::{Code, Problem};
use crate::auth::VisitorToken;
use crate::directory;

/// What a visitor begins with.
#[derive(Debug)]
pub struct Opening {
    /// The id it gets; the same for every try of one request.
    pub id: ConversationId,
    /// Whether an earlier try may have begun it: then it is what that try began.
    pub resumed: bool,
    /// Who begins it.
    pub visitor: Contact,
    /// See [`Created::widget`].
    pub widget: Option<WidgetId>,
    /// See [`Created::subject`].
    pub subject: Option<Arc<str>>,
    /// See [`Created::department`].
    pub department: Option<DepartmentId>,
    /// See [`Created::priority`].
    pub priority: Priority,
    /// See [`Created::skills`].
    pub skills: Vec<Arc<str>>,
    /// See [`Created::context`].
    pub context: Vec<(Arc<str>, Arc<str>)>,
    /// See [`Created::fields`].
    pub fields: Vec<(Arc<str>, Arc<str>)>,
    /// What the system says first.
    pub welcome: Option<Arc<str>>,
    /// What the visitor says first.
    pub message: Option<Arc<str>>,
}

/// A visitor as their conversation will know them. From here on it is found by their mail address.
///
/// # Errors
///
/// [`Code::Forbidden`] for somebody who is nobody's visitor.
pub async fn contact(
    doors: &Doors,
    tenant: &TenantId,
    visitor: VisitorId,
) -> Result<Contact, Problem> {
    let known = doors.directory.known_visitor(tenant, visitor).await?.ok_or(Code::Forbidden)?;
    if let Some(email) = known.contact.email.as_deref() {
        doors.directory.note_address(tenant, email, visitor).await?;
    }
    Ok(Contact {
        id: visitor,
        name: known.contact.name,
        email: known.contact.email,
        phone: known.contact.phone,
        verified: known.verified,
    })
}

/// Begins a conversation; it waits, as an offline message while nobody is there.
///
/// # Errors
///
/// [`Problem`].
pub async fn open(
    doors: &Doors,
    tenant: &TenantId,
    caller: &Caller,
    opening: Opening,
) -> Result<Arc<Conversation>, Problem> {
    let created = Created {
        log: LogId::new(doors.clock.fresh_id()),
        number: doors.directory.take_number(tenant).await?,
        visitor: opening.visitor,
        widget: opening.widget,
        subject: opening.subject,
        department: opening.department,
        priority: opening.priority,
        skills: opening.skills,
        context: opening.context,
        fields: opening.fields,
    };
    let command = Command::Create {
        created: Box::new(created),
        welcome: opening.welcome,
        message: opening.message,
        start: if doors.presence.anybody_online(tenant) { Start::Waiting } else { Start::Offline },
    };
    let conversation = doors.key(tenant, opening.id);
    let request = Request { caller: caller.clone(), key: None, command };
    match doors.conversations.ask(&conversation, request).await {
        Ok(Done { state, .. }) => Ok(state),
        Err(Refusal::Rejected(Rejection::Exists)) if opening.resumed => {
            Ok(doors.conversations.state(&conversation, caller).await?.state)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// A new visitor without an account, as a caller, and the credential that is theirs.
///
/// # Errors
///
/// When the store fails.
pub async fn new_visitor(
    doors: &Doors,
    tenant: &TenantId,
    told: directory::Contact,
) -> Result<(Caller, VisitorToken), Problem> {
    let (visitor, token) = doors.directory.create_visitor(tenant, told).await?;
    let visitor = &visitor.value;
    let author =
        Author { principal: Principal::Visitor(visitor.id), name: visitor.contact.name.clone() };
    Ok((Caller { author, role: Role::Visitor }, token))
}

/// A department that there is.
///
/// # Errors
///
/// [`Code::Invalid`] when there is none of that name.
pub async fn known_department(
    doors: &Doors,
    tenant: &TenantId,
    id: String,
) -> Result<DepartmentId, Problem> {
    let id = DepartmentId(id.into());
    match doors.directory.department(tenant, &id).await? {
        Some(_) => Ok(id),
        None => Err(Problem::with(Code::Invalid, "there is no such department")),
    }
}
