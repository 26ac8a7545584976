//! The operations of signing in, of people, their keys and tenants.

use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use super::{CURSOR, Conditions, Kind, LIMIT, Operation};
use crate::edge::native::{agents, audit, auth, drafts, keys, preferences, tenants};

/// What a picture is for.
const PICTURE: &str = "Sets a picture: PNG, JPEG or WebP of at most 512 KiB, painted anew.";

/// The bytes of a picture.
pub(super) struct Picture;

impl PartialSchema for Picture {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).into()
    }
}

impl ToSchema for Picture {}

/// Their part of the table.
pub(super) fn operations() -> Vec<Operation> {
    use super::Who::{Admins, Agents, Anybody, Everybody, Operators};
    use HttpMethod::{Delete, Get, Patch, Post, Put};
    use Operation as Op;
    vec![
        Op::new(
            Get,
            "/v1/auth",
            "getStanding",
            Anybody,
            "How things stand for a page that was just loaded: who is signed in, if anybody.",
        )
        .answers::<auth::Standing>(200),
        Op::new(Get, "/v1/auth/me", "getSignedIn", Agents, "Who is signed in.")
            .answers::<auth::Me>(200),
        Op::new(
            Post,
            "/v1/auth/setup",
            "setUp",
            Anybody,
            "Makes the owner of a tenant, by the link that the server or another owner gave.",
        )
        .takes::<auth::SetUp>()
        .answers::<auth::Me>(200),
        Op::new(
            Post,
            "/v1/auth/login",
            "logIn",
            Anybody,
            "Signs a browser in: the cookie is in the answer.",
        )
        .takes::<auth::LogIn>()
        .answers::<auth::Me>(200),
        Op::new(Post, "/v1/auth/accept", "acceptInvitation", Anybody, "Sets a password by a link.")
            .takes::<auth::Accept>()
            .answers::<auth::Me>(200),
        Op::new(
            Post,
            "/v1/auth/logout",
            "logOut",
            Agents,
            "Ends the caller's sign-in and its sockets.",
        )
        .answers_nothing(204),
        Op::new(
            Put,
            "/v1/auth/password",
            "changePassword",
            Agents,
            "Changes the caller's password and ends their other sign-ins.",
        )
        .takes::<auth::ChangePassword>()
        .answers_nothing(204),
        Op::new(
            Post,
            "/v1/stream/tickets",
            "createStreamTicket",
            Everybody,
            "A ticket that opens one socket within 30 seconds.",
        )
        .answers::<auth::Ticket>(201),
        Op::new(Get, "/v1/agents", "listAgents", Agents, "People who answer.")
            .query(&[CURSOR, LIMIT])
            .answers::<agents::Page>(200),
        Op::new(
            Post,
            "/v1/agents",
            "createAgent",
            Admins,
            "Makes a person known before a token of theirs is seen.",
        )
        .takes::<agents::Create>()
        .answers::<agents::Agent>(201)
        .with(Conditions::Repeatable),
        Op::new(Get, "/v1/agents/me", "getMe", Agents, "The caller.").answers::<agents::Agent>(200),
        Op::new(Patch, "/v1/agents/me", "changeMe", Agents, "Changes the caller's names.")
            .takes::<agents::PatchMe>()
            .answers::<agents::Agent>(200),
        Op::new(Put, "/v1/agents/me/avatar", "setMyAvatar", Agents, PICTURE)
            .takes::<Picture>()
            .answers_nothing(204),
        Op::new(
            Delete,
            "/v1/agents/me/avatar",
            "removeMyAvatar",
            Agents,
            "Takes the caller's picture away.",
        )
        .answers_nothing(204),
        Op::new(Put, "/v1/agents/me/status", "setMyStatus", Agents, "Chooses a status.")
            .takes::<agents::SetStatus>()
            .answers::<agents::Agent>(200),
        Op::new(
            Put,
            "/v1/agents/me/capacity",
            "setMyCapacity",
            Agents,
            "Sets how many conversations the caller takes at once.",
        )
        .takes::<agents::SetCapacity>()
        .answers::<agents::Agent>(200),
        Op::new(Put, "/v1/agents/me/skills", "setMySkills", Agents, "Sets the caller's skills.")
            .takes::<agents::SetSkills>()
            .answers::<agents::Agent>(200),
        Op::new(
            Get,
            "/v1/agents/me/preferences",
            "getMyPreferences",
            Agents,
            "What the caller likes of the console.",
        )
        .answers::<preferences::Preferences>(200),
        Op::new(
            Patch,
            "/v1/agents/me/preferences",
            "changeMyPreferences",
            Agents,
            "Changes what the caller likes, by name; their open pages hear of it.",
        )
        .takes::<preferences::PreferencesChange>()
        .answers::<preferences::Preferences>(200),
        Op::new(
            Get,
            "/v1/agents/me/drafts",
            "listMyDrafts",
            Agents,
            "What the caller wrote and has not sent.",
        )
        .answers::<drafts::All>(200),
        Op::new(
            Put,
            "/v1/agents/me/drafts/{id}",
            "keepMyDraft",
            Agents,
            "Keeps what the caller wrote for a conversation, unless something written later is \
             there; without text it is taken away. Their open pages hear of it.",
        )
        .takes::<drafts::Write>()
        .answers::<drafts::Kept>(200),
        Op::new(
            Get,
            "/v1/agents/{id}",
            "getAgent",
            Agents,
            "A person who answers, by our id or by the external one.",
        )
        .answers::<agents::Agent>(200)
        .with(Conditions::Versioned),
        Op::new(
            Patch,
            "/v1/agents/{id}",
            "changeAgent",
            Admins,
            "Changes a person; whoever is disabled or gets a lower role is cut off at once.",
        )
        .takes::<agents::Patch>()
        .answers::<agents::Agent>(200)
        .with(Conditions::Conditional),
        Op::new(Put, "/v1/agents/{id}/avatar", "setAvatar", Admins, PICTURE)
            .takes::<Picture>()
            .answers_nothing(204),
        Op::new(
            Delete,
            "/v1/agents/{id}/avatar",
            "removeAvatar",
            Admins,
            "Takes a person's picture away.",
        )
        .answers_nothing(204),
        Op::new(
            Post,
            "/v1/agents/{id}/invitation",
            "invite",
            Admins,
            "A link with which a person sets a first or another password, good once and for a week; \
             it replaces the one before.",
        )
        .answers::<agents::Invitation>(201),
        Op::new(Get, "/v1/avatars/{id}", "getAvatar", Anybody, "A person's picture, as PNG.")
            .answers_nothing(200),
        Op::new(Get, "/v1/keys", "listKeys", Admins, "All API keys, without their secrets.")
            .answers::<keys::All>(200),
        Op::new(
            Post,
            "/v1/keys",
            "createKey",
            Admins,
            "Makes an API key; its secret is in the answer, once.",
        )
        .takes::<keys::Create>()
        .answers::<keys::Key>(201),
        Op::new(
            Delete,
            "/v1/keys/{id}",
            "revokeKey",
            Admins,
            "Revokes an API key and closes its sockets.",
        )
        .answers_nothing(204),
        Op::new(
            Get,
            "/v1/audit",
            "listAudit",
            Admins,
            "Who changed what of people, keys, departments, widgets and the tenant, newest first; \
             without secrets. The newest 10,000 are kept.",
        )
        .query(&[
            ("q", Kind::Text, "words that a name, a field or a value has; one to eight"),
            CURSOR,
            LIMIT,
        ])
        .answers::<audit::Page>(200),
        Op::new(Get, "/v1/tenants", "listTenants", Operators, "All tenants.")
            .answers::<tenants::All>(200),
        Op::new(
            Post,
            "/v1/tenants",
            "createTenant",
            Operators,
            "Makes a tenant; the link for its owner is in the answer, once.",
        )
        .takes::<tenants::Create>()
        .answers::<tenants::Tenant>(201),
        Op::new(
            Post,
            "/v1/tenants/{id}/setup",
            "createTenantSetup",
            Operators,
            "Another link for the owner of a tenant that has none, in place of the one before.",
        )
        .answers::<tenants::Setup>(201),
        Op::new(Get, "/v1/tenants/me", "getMyTenant", Agents, "The caller's tenant.")
            .answers::<tenants::Tenant>(200),
        Op::new(Patch, "/v1/tenants/me", "changeMyTenant", Admins, "Names the caller's tenant.")
            .takes::<tenants::Patch>()
            .answers::<tenants::Tenant>(200),
    ]
}
