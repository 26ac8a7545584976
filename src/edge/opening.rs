//! How conversations begin, whatever door they come through.

use std::sync::Arc;

use switchboard_actors::{Done, Refusal};
use switchboard_domain::conversation::{
    Command, Contact as DomainContact, Conversation, Created, Priority, Rejection, Request, Start,
};
use switchboard_domain::ids::{ConversationId, DepartmentId, LogId, TenantId, VisitorId, WidgetId};
use switchboard_domain::intake::Answers;
use switchboard_domain::person::{AgentRef, Author, Caller, Principal, Role};
use uuid::Uuid;

use super::doors::Doors;
use super::problem::{Code, Problem};
use crate::auth::{Identity, VisitorToken};
use crate::directory::visitor::Known;
use crate::directory::widget::{Address, Settings};
use crate::directory::{self, Contact, TRIES_MAX, Versioned};

/// What a visitor begins with.
#[derive(Debug)]
pub struct Opening {
    /// The id it gets; the same for every try of one request.
    pub id: ConversationId,
    /// Whether an earlier try may have begun it: then it is what that try began.
    pub resumed: bool,
    /// Who begins it.
    pub visitor: DomainContact,
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
) -> Result<DomainContact, Problem> {
    let known = doors.directory.known_visitor(tenant, visitor).await?.ok_or(Code::Forbidden)?;
    if let Some(email) = known.contact.email.as_deref() {
        doors.directory.note_address(tenant, email, visitor).await?;
    }
    Ok(DomainContact {
        id: visitor,
        name: known.contact.name,
        email: known.contact.email,
        phone: known.contact.phone,
        verified: known.verified,
    })
}

/// Where a visitor with one conversation at a time comes back to.
#[derive(Clone, Debug)]
pub enum Current {
    /// To this one, which is open.
    Open(Arc<Conversation>),
    /// To one that is to begin under this id, as [resumed](Opening::resumed): somebody else may
    /// begin it at the same time.
    Begin(ConversationId),
}

/// Where the caller comes back to: the open conversation that was named for this, else the newest
/// open one, else a new one. However many ask at once, they are told the same.
///
/// # Errors
///
/// [`Problem`].
pub async fn current(
    doors: &Doors,
    identity: &Identity,
    visitor: VisitorId,
) -> Result<Current, Problem> {
    let tenant = &identity.tenant;
    for _ in 0..TRIES_MAX {
        let named = doors.directory.current(tenant, visitor).await?;
        if let Some(named) = &named {
            let Versioned { value: directory::Current(id), .. } = *named;
            match open_one(doors, identity, id).await {
                Ok(Some(state)) => return Ok(Current::Open(state)),
                // It ended: another one is named.
                Ok(None) => {}
                Err(problem) if problem.code == Code::NotFound => return Ok(Current::Begin(id)),
                Err(problem) => return Err(problem),
            }
        }
        let open = newest_open(doors, identity, visitor).await?;
        let fresh = || ConversationId::new(doors.clock.fresh_id());
        let id = open.as_ref().map_or_else(fresh, |state| state.id);
        match doors.directory.set_current(tenant, visitor, named.as_ref(), id).await {
            Ok(()) => return Ok(open.map_or(Current::Begin(id), Current::Open)),
            Err(directory::Error::Changed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Code::Busy.into())
}

/// A conversation, while it is open.
async fn open_one(
    doors: &Doors,
    identity: &Identity,
    id: ConversationId,
) -> Result<Option<Arc<Conversation>>, Problem> {
    let key = doors.key(&identity.tenant, id);
    let state = doors.conversations.state(&key, &identity.caller).await?.state;
    Ok(state.status.is_open().then_some(state))
}

/// The open conversation of a visitor in which something was last said or done.
async fn newest_open(
    doors: &Doors,
    identity: &Identity,
    visitor: VisitorId,
) -> Result<Option<Arc<Conversation>>, Problem> {
    let mut cards = doors.inbox.open_cards(&identity.tenant);
    cards.retain(|card| card.visitor == visitor);
    cards.sort_by_key(|card| std::cmp::Reverse((card.last_public_at, card.id)));
    for card in cards {
        if let Some(state) = open_one(doors, identity, card.id).await? {
            return Ok(Some(state));
        }
    }
    Ok(None)
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
    told: Contact,
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

/// Names and values in the order in which they are kept.
pub type Pairs = Vec<(Arc<str>, Arc<str>)>;

/// What a visitor wants who comes through a widget.
#[derive(Debug)]
pub struct Wish {
    /// What it is about.
    pub subject: Option<String>,
    /// The department asked for, one that exists.
    pub department: Option<DepartmentId>,
    /// How urgent it is.
    pub priority: Priority,
    /// Skills an agent needs for it.
    pub skills: Vec<String>,
    /// How to reach the visitor, as far as was told now.
    pub contact: Contact,
    /// See [`Created::context`].
    pub context: Pairs,
    /// Answers to what the widget asks.
    pub fields: Pairs,
    /// The first message.
    pub message: Option<String>,
    /// Whether it is left for later, and may be left where no more may wait.
    pub leaves: bool,
}

/// What came of a wish.
#[derive(Debug)]
pub struct Begun {
    /// The conversation.
    pub state: Arc<Conversation>,
    /// The secret of a visitor who was a stranger until now.
    pub secret: Option<String>,
}

/// A visitor begins a conversation through a widget; a stranger becomes a visitor by it.
///
/// # Errors
///
/// [`Problem`].
pub async fn begin(
    doors: &Doors,
    identity: Option<&Identity>,
    address: &Address,
    wish: Wish,
    (id, resumed): (ConversationId, bool),
) -> Result<Begun, Problem> {
    let tenant = &address.tenant;
    let widget = doors.directory.widget(tenant, &address.widget).await?.ok_or(Code::NotFound)?;
    let settings = &widget.value.settings;
    if !settings.enabled {
        return Err(Code::WidgetDisabled.into());
    }
    if settings.identity_required && identity.is_none_or(|identity| identity.person.is_none()) {
        return Err(Code::IdentityRequired.into());
    }
    let contact = match identity {
        Some(identity) => with_kept(doors, identity, wish.contact).await?,
        None => wish.contact,
    };
    let answers = Answers {
        name: contact.name.as_deref(),
        email: contact.email.as_deref(),
        phone: contact.phone.as_deref(),
        department: wish.department.as_ref().map(|department| &*department.0),
        fields: &wish.fields,
    };
    check_intake(doors, tenant, settings, &answers).await?;
    // What an earlier try began stands in its line already.
    if !wish.leaves
        && is_full(doors, tenant, settings, wish.department.as_ref())
        && !has_begun(doors, identity.filter(|_| resumed), id).await?
    {
        return Err(Code::QueueFull.into());
    }
    let (caller, secret) = match identity {
        Some(identity) => (known_visitor(doors, identity, &contact).await?, None),
        None => {
            let (caller, token) = new_visitor(doors, tenant, contact.clone()).await?;
            (caller, Some(token.reveal()))
        }
    };
    let Principal::Visitor(visitor) = caller.author.principal else {
        return Err(Problem::with(Code::Forbidden, "conversations are begun by visitors"));
    };
    if let Some(email) = contact.email.as_deref() {
        doors.directory.note_address(tenant, email, visitor).await?;
    }
    let opening = Opening {
        id,
        resumed,
        visitor: DomainContact {
            id: visitor,
            name: contact.name,
            email: contact.email,
            phone: contact.phone,
            verified: identity.is_some_and(|identity| identity.person.is_some()),
        },
        widget: Some(address.widget.clone()),
        subject: wish.subject.map(Arc::from),
        department: wish.department,
        priority: wish.priority,
        skills: wish.skills.into_iter().map(Arc::from).collect(),
        context: wish.context,
        fields: wish.fields,
        welcome: settings.welcome.as_deref().filter(|text| !text.trim().is_empty()).map(Arc::from),
        message: wish.message.map(Arc::from),
    };
    let state = open(doors, tenant, &caller, opening).await?;
    Ok(Begun { state, secret })
}

/// What the visitor said now and before. Whom the site has identified is who the site says.
async fn with_kept(doors: &Doors, identity: &Identity, said: Contact) -> Result<Contact, Problem> {
    let Principal::Visitor(id) = identity.caller.author.principal else {
        return Err(Problem::with(Code::Forbidden, "conversations are begun by visitors"));
    };
    let known = doors.directory.known_visitor(&identity.tenant, id).await?;
    let kept = known.map(|known| known.contact).unwrap_or_default();
    Ok(if identity.person.is_some() { kept.or(said) } else { said.or(kept) })
}

/// Whether a widget lets no more wait in a line: somebody is there, and as many wait as it says.
/// Conversations that begin at the same moment may be let in together.
#[must_use]
pub fn is_full(
    doors: &Doors,
    tenant: &TenantId,
    settings: &Settings,
    department: Option<&DepartmentId>,
) -> bool {
    settings.queue_max.and_then(|max| usize::try_from(max).ok()).is_some_and(|max| {
        doors.presence.anybody_online(tenant) && doors.queue.waiting(tenant, department) >= max
    })
}

/// Whether a conversation of the caller is there; nobody's is not.
async fn has_begun(
    doors: &Doors,
    identity: Option<&Identity>,
    id: ConversationId,
) -> Result<bool, Problem> {
    let Some(identity) = identity else { return Ok(false) };
    let key = doors.key(&identity.tenant, id);
    match doors.conversations.state(&key, &identity.caller).await {
        Ok(_) => Ok(true),
        Err(Refusal::Rejected(Rejection::NotFound)) => Ok(false),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Whether what the widget asks was answered.
async fn check_intake(
    doors: &Doors,
    tenant: &TenantId,
    settings: &Settings,
    answers: &Answers<'_>,
) -> Result<(), Problem> {
    let mut intake = settings.intake();
    // Nobody can choose among departments that are gone.
    intake.department_required &= offers_any(doors, tenant, settings).await?;
    intake.check(answers).map_err(|unanswered| Problem {
        field: Some(unanswered.name().into()),
        ..Problem::with(Code::Invalid, unanswered.to_string())
    })
}

/// Whether a department that a widget offers still exists.
async fn offers_any(
    doors: &Doors,
    tenant: &TenantId,
    settings: &Settings,
) -> Result<bool, Problem> {
    for id in settings.department_ids() {
        if doors.directory.department(tenant, &id).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn known_visitor(
    doors: &Doors,
    identity: &Identity,
    contact: &Contact,
) -> Result<Caller, Problem> {
    if let (None, Principal::Visitor(id)) = (&identity.person, identity.caller.author.principal)
        && *contact != Contact::default()
    {
        doors.directory.update_contact(&identity.tenant, id, contact).await?;
    }
    Ok(identity.caller.clone())
}

/// Whom an agent writes to first.
#[derive(Debug)]
pub enum To {
    /// Whoever is behind a mail address.
    Contact(Contact),
    /// A visitor whom we know.
    Visitor(VisitorId),
}

/// What an agent wants who writes first.
#[derive(Debug)]
pub struct Outbound {
    /// The widget in which it is answered.
    pub widget: WidgetId,
    /// Whom to write to.
    pub to: To,
    /// The department, one that exists.
    pub department: Option<DepartmentId>,
    /// The first message.
    pub message: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Written {
    /// The conversation, which is the agent's.
    pub state: Arc<Conversation>,
    /// Leads in once, within a week; `None` when the visitor was told or will find it.
    pub link: Option<String>,
    /// Whether the visitor was here and was told.
    pub live: bool,
}

/// An agent writes to somebody first.
///
/// Whom the agent meets: a visitor by id; else, if exactly one visitor is here of whom the site
/// itself says that the address is theirs, that visitor; else whoever has the link. An address
/// that somebody merely typed is never enough, for it would hand the words to an impostor.
///
/// # Errors
///
/// [`Problem`].
pub async fn write_first(
    doors: &Doors,
    identity: &Identity,
    agent: AgentRef,
    wanted: Outbound,
    (id, resumed): (Uuid, bool),
) -> Result<Written, Problem> {
    let tenant = &identity.tenant;
    let widget = doors.directory.widget(tenant, &wanted.widget).await?.ok_or(Code::NotFound)?;
    if !widget.value.settings.enabled {
        return Err(Code::WidgetDisabled.into());
    }
    let is_address = matches!(wanted.to, To::Contact(_));
    let addressee = addressee(doors, tenant, wanted.to).await?;
    let Contact { name, email, phone } = addressee.known.contact;
    if let Some(email) = email.as_deref() {
        doors.directory.note_address(tenant, email, addressee.id).await?;
    }
    let created = Created {
        log: LogId::new(doors.clock.fresh_id()),
        number: doors.directory.take_number(tenant).await?,
        visitor: DomainContact {
            id: addressee.id,
            name,
            email,
            phone,
            verified: addressee.known.verified,
        },
        widget: Some(wanted.widget.clone()),
        subject: None,
        department: wanted.department,
        priority: Priority::Medium,
        skills: Vec::new(),
        context: Vec::new(),
        fields: Vec::new(),
    };
    let command = Command::Create {
        created: Box::new(created),
        welcome: None,
        message: wanted.message.map(Arc::from),
        start: Start::Assigned(agent),
    };
    let conversation = doors.key(tenant, ConversationId::new(id));
    let request = Request { caller: identity.caller.clone(), key: None, command };
    let state = match doors.conversations.ask(&conversation, request).await {
        Ok(Done { state, .. }) => state,
        // An earlier try got so far, perhaps with another addressee.
        Err(Refusal::Rejected(Rejection::Exists)) if resumed => {
            doors.conversations.state(&conversation, &identity.caller).await?.state
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let visitor = state.visitor.id;
    let link = if is_address && !state.visitor.verified {
        let token = doors.directory.create_link(tenant, visitor, state.id).await?;
        let address = Address { tenant: tenant.clone(), widget: wanted.widget };
        Some(format!("{}/chat?widget={address}#{token}", doors.public_url))
    } else {
        None
    };
    let told = doors.auth.tell_visitor(tenant, visitor, state.id);
    Ok(Written { state, link, live: told > 0 })
}

/// Whom it is for.
struct Addressee {
    id: VisitorId,
    known: Known,
}

async fn addressee(doors: &Doors, tenant: &TenantId, to: To) -> Result<Addressee, Problem> {
    let known = async |id: VisitorId| {
        doors.directory.known_visitor(tenant, id).await?.ok_or(Problem::new(Code::NotFound))
    };
    let contact = match to {
        To::Visitor(id) => return Ok(Addressee { id, known: known(id).await? }),
        To::Contact(contact) => contact,
    };
    let Some(email) = contact.email.as_deref() else {
        return Err(Problem {
            field: Some("email".into()),
            ..Problem::with(Code::Invalid, "`email` is empty")
        });
    };
    if let Some(id) = doors.connections.verified_visitor(tenant, email) {
        return Ok(Addressee { id, known: known(id).await? });
    }
    // The secret of this visitor is never known to anybody: the link makes another.
    let (made, _unknown) = doors.directory.create_visitor(tenant, contact).await?;
    let made = &made.value;
    let known =
        Known { contact: made.contact.clone(), verified: false, created_at: made.created_at };
    Ok(Addressee { id: made.id, known })
}
