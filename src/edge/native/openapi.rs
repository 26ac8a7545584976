//! The description of the HTTP API in OpenAPI 3.1, from one table of operations.
//!
//! The table says of each operation who may call it; the tests call every operation as everybody
//! and hold the answers against a table of their own.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{Method, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Content, Header, InfoBuilder, KnownFormat, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    Response, ResponseBuilder, SchemaFormat,
};
use utoipa::{PartialSchema, ToSchema};

use super::scopes::{self, Needed};
use super::wire::card::Card;
use super::wire::person::Person;
use super::{actions, conversations, demo, departments, links, messages, visitors, widgets};
use crate::accounts::api_key::Scope;
use crate::edge::problem::ProblemBody;

mod people;

const JSON: &str = "application/json";
const PICTURES: [&str; 3] = ["image/png", "image/jpeg", "image/webp"];
const PROBLEM: &str = "application/problem+json";

/// Who may call an operation; the tests read it as `x-who`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Anybody, without a token.
    Anybody,
    /// Anybody; a visitor's token says which visitor it is.
    AnybodyOrVisitor,
    /// Whoever has a token, as far as they see the conversation.
    Everybody,
    /// Visitors without an account.
    Visitors,
    /// Agents and higher.
    Agents,
    /// Admins and higher.
    Admins,
    /// Owners of the tenant `default`.
    Operators,
}

impl Who {
    const fn word(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::AnybodyOrVisitor => "anybody_or_visitor",
            Self::Everybody => "everybody",
            Self::Visitors => "visitors",
            Self::Agents => "agents",
            Self::Admins => "admins",
            Self::Operators => "operators",
        }
    }
}

/// A type with its name in the document.
#[derive(Clone, Copy)]
struct Typed {
    name: fn() -> String,
    collect: fn(&mut Schemas),
}

type Schemas = Vec<(String, RefOr<Schema>)>;

fn of<T: ToSchema>() -> Typed {
    Typed {
        name: || T::name().into_owned(),
        collect: |schemas| {
            schemas.push((T::name().into_owned(), T::schema()));
            T::schemas(schemas);
        },
    }
}

impl Typed {
    fn reference(self) -> RefOr<Schema> {
        Ref::from_schema_name((self.name)()).into()
    }
}

/// One row of the table.
struct Operation {
    method: HttpMethod,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    who: Who,
    query: &'static [(&'static str, Kind, &'static str)],
    body: Option<Typed>,
    status: u16,
    answer: Option<Typed>,
    conditions: Conditions,
}

/// A kind of query parameter.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
}

/// Which headers an operation knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Conditions {
    None,
    /// `Idempotency-Key`.
    Repeatable,
    /// Answers an `ETag`.
    Versioned,
    /// Needs `If-Match`, answers an `ETag`.
    Conditional,
}

impl Operation {
    const fn new(
        method: HttpMethod,
        path: &'static str,
        id: &'static str,
        who: Who,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            who,
            query: &[],
            body: None,
            status: 200,
            answer: None,
            conditions: Conditions::None,
        }
    }

    const fn query(self, query: &'static [(&'static str, Kind, &'static str)]) -> Self {
        Self { query, ..self }
    }

    fn takes<T: ToSchema>(self) -> Self {
        Self { body: Some(of::<T>()), ..self }
    }

    fn answers<T: ToSchema>(self, status: u16) -> Self {
        Self { status, answer: Some(of::<T>()), ..self }
    }

    const fn answers_nothing(self, status: u16) -> Self {
        Self { status, ..self }
    }

    const fn with(self, conditions: Conditions) -> Self {
        Self { conditions, ..self }
    }
}

const CURSOR: (&str, Kind, &str) = ("cursor", Kind::Text, "`next` of the page before");
const LIMIT: (&str, Kind, &str) = ("limit", Kind::Integer, "items on a page, 1 to 200, usually 50");
const STREAM: (&str, Kind, &str) =
    ("stream", Kind::Text, "`public`, or `internal` for agents; usually `public`");

/// The table.
fn operations() -> Vec<Operation> {
    use HttpMethod::{Delete, Get, Patch, Post, Put};
    use Operation as Op;
    use Who::{Admins, Agents, Anybody, AnybodyOrVisitor, Everybody, Visitors};
    let mut table = vec![
        Op::new(Get, "/openapi.json", "describe", Anybody, "This document.").answers::<Any>(200),
        Op::new(
            Post,
            "/v1/conversations",
            "beginConversation",
            AnybodyOrVisitor,
            "Begins a conversation. Without a token it also creates the visitor, whose secret is \
             in the answer, once.",
        )
        .takes::<conversations::begin::Begin>()
        .answers::<Card<'_>>(201)
        .with(Conditions::Repeatable),
        Op::new(
            Get,
            "/v1/conversations",
            "listConversations",
            Everybody,
            "Conversations that the caller sees, newest activity first.",
        )
        .query(&[
            ("status", Kind::Text, "`waiting`, `active`, `closed`, `archived` or `open`"),
            ("department", Kind::Text, "a department's id; agents only"),
            ("agent", Kind::Text, "an agent's id, `me` or `none`; agents only"),
            ("visitor", Kind::Text, "a visitor's id; agents only"),
            (
                "q",
                Kind::Text,
                "words that a conversation has which is open or among the 1,000 that ended last, \
                 or the number, id or mail address of any; agents only, with `limit` alone, at \
                 most 50",
            ),
            (
                "sort",
                Kind::Text,
                "`recent` (default), or `waiting`: those who wait, as the queue serves them; \
                 agents only, with `status=waiting`",
            ),
            CURSOR,
            LIMIT,
        ])
        .answers::<conversations::Page<'_>>(200),
        Op::new(
            Post,
            "/v1/conversations/outbound",
            "writeFirst",
            Agents,
            "Begins a conversation with somebody: a visitor by id, or an address. Whoever is here \
             is told at once; else the answer holds a link that leads in once.",
        )
        .takes::<conversations::outbound::Outbound>()
        .answers::<conversations::outbound::Written<'_>>(201)
        .with(Conditions::Repeatable),
        Op::new(Get, "/v1/conversations/{id}", "getConversation", Everybody, "A conversation.")
            .answers::<Card<'_>>(200),
        Op::new(
            Patch,
            "/v1/conversations/{id}",
            "changeConversation",
            Agents,
            "Changes priority, department or tags.",
        )
        .takes::<conversations::Change>()
        .answers::<Card<'_>>(200),
        Op::new(
            Get,
            "/v1/conversations/{id}/context",
            "getContext",
            Agents,
            "Who a conversation is with, on what device and page, and what was before.",
        )
        .answers::<conversations::context::Context<'_>>(200),
        Op::new(
            Get,
            "/v1/conversations/{id}/messages",
            "listMessages",
            Everybody,
            "A page of events in rising order; with `wait`, a long poll.",
        )
        .query(&[
            STREAM,
            ("after", Kind::Integer, "events after this position; not with `before`"),
            ("before", Kind::Integer, "the last events before this position"),
            LIMIT,
            ("wait", Kind::Integer, "seconds to wait for something new, at most 25"),
        ])
        .answers::<EventPage>(200),
        Op::new(
            Post,
            "/v1/conversations/{id}/messages",
            "sendMessage",
            Everybody,
            "Writes a message.",
        )
        .takes::<messages::Write>()
        .answers::<Event>(201)
        .with(Conditions::Repeatable),
        Op::new(
            Patch,
            "/v1/conversations/{id}/messages/{seq}",
            "editMessage",
            Everybody,
            "Edits an own message.",
        )
        .query(&[STREAM])
        .takes::<messages::Edit>()
        .answers::<Event>(200),
        Op::new(
            Delete,
            "/v1/conversations/{id}/messages/{seq}",
            "redactMessage",
            Everybody,
            "Redacts an own message; supervisors any.",
        )
        .query(&[STREAM])
        .answers::<Event>(200),
        Op::new(
            Post,
            "/v1/conversations/{id}/notes",
            "writeNote",
            Agents,
            "Writes a note that visitors never learn of.",
        )
        .takes::<messages::Note>()
        .answers::<Event>(201)
        .with(Conditions::Repeatable),
        Op::new(
            Post,
            "/v1/conversations/{id}/read",
            "markRead",
            Everybody,
            "Raises the caller's read receipt.",
        )
        .takes::<conversations::Position>()
        .answers_nothing(204),
        Op::new(
            Post,
            "/v1/conversations/{id}/received",
            "markReceived",
            Everybody,
            "Raises the caller's delivery receipt.",
        )
        .takes::<conversations::Position>()
        .answers_nothing(204),
        Op::new(Get, "/v1/departments", "listDepartments", Agents, "All departments.")
            .answers::<departments::All>(200),
        Op::new(Post, "/v1/departments", "createDepartment", Admins, "Creates a department.")
            .takes::<departments::Department>()
            .answers::<departments::Department>(201)
            .with(Conditions::Repeatable),
        Op::new(Get, "/v1/departments/{id}", "getDepartment", Agents, "A department.")
            .answers::<departments::Department>(200)
            .with(Conditions::Versioned),
        Op::new(Put, "/v1/departments/{id}", "replaceDepartment", Admins, "Changes a department.")
            .takes::<departments::Replace>()
            .answers::<departments::Department>(200)
            .with(Conditions::Conditional),
        Op::new(
            Delete,
            "/v1/departments/{id}",
            "deleteDepartment",
            Admins,
            "Removes a department. Conversations keep its id.",
        )
        .answers_nothing(204)
        .with(Conditions::Conditional),
        Op::new(
            Post,
            "/v1/hours/check",
            "checkHours",
            Admins,
            "What opening hours say of a moment, and why. Nothing is kept.",
        )
        .takes::<widgets::hours::Question>()
        .answers::<widgets::hours::Verdict>(200),
        Op::new(Get, "/v1/widgets", "listWidgets", Agents, "All widgets with their settings.")
            .query(&[CURSOR, LIMIT])
            .answers::<widgets::Page>(200),
        Op::new(Post, "/v1/widgets", "createWidget", Admins, "Creates a widget.")
            .takes::<widgets::Create>()
            .answers::<widgets::Widget>(201)
            .with(Conditions::Repeatable),
        Op::new(
            Get,
            "/v1/widgets/{id}",
            "getPublicWidget",
            Anybody,
            "What a page needs to show a widget. Outside the tenant `default` its id is \
             `<tenant>.<widget>`. With `If-None-Match` it answers 304 while nothing changed, and \
             with `wait` too it answers at the next change.",
        )
        .query(&[
            ("wait", Kind::Integer, "seconds to wait for a change, at most 25"),
            ("locale", Kind::Text, "the language of the page, for the words of its launcher"),
        ])
        .answers::<widgets::public::Public<'_>>(200)
        .with(Conditions::Versioned),
        Op::new(
            Delete,
            "/v1/widgets/{id}",
            "deleteWidget",
            Admins,
            "Removes a widget and its identity keys. Conversations that came through it go on.",
        )
        .answers_nothing(204)
        .with(Conditions::Conditional),
        Op::new(
            Get,
            "/v1/widgets/{id}/check",
            "checkWidget",
            Anybody,
            "Whether pages of an origin may show a widget, and else what is wrong. Pages of every \
             origin may read the answer.",
        )
        .query(&[("origin", Kind::Text, "the origin of the page, as browsers write it")])
        .answers::<widgets::check::Check>(200),
        Op::new(
            Get,
            "/v1/widgets/{id}/embed",
            "getEmbedCode",
            Admins,
            "What to put into a page so that it shows a widget.",
        )
        .answers::<widgets::embed::Embed>(200),
        Op::new(
            Post,
            "/v1/widgets/{id}/identity-key",
            "rotateIdentityKey",
            Admins,
            "Makes the key with which a site says who its visitors are; shown once. The key so far \
             is good for another day.",
        )
        .query(&[("revoke", Kind::Integer, "1 refuses the key so far at once")])
        .answers::<widgets::identity::Made>(201),
        Op::new(
            Get,
            "/v1/widgets/{id}/settings",
            "getWidgetSettings",
            Admins,
            "A widget's settings.",
        )
        .answers::<widgets::Widget>(200)
        .with(Conditions::Versioned),
        Op::new(
            Put,
            "/v1/widgets/{id}/settings",
            "replaceWidgetSettings",
            Admins,
            "Replaces a widget's settings.",
        )
        .takes::<crate::directory::widget::Settings>()
        .answers::<widgets::Widget>(200)
        .with(Conditions::Conditional),
        Op::new(
            Post,
            "/v1/links",
            "useLink",
            Anybody,
            "Uses a link up that leads into a conversation; answers who its bearer is from now on.",
        )
        .takes::<links::Use>()
        .answers::<links::Opened>(200),
        Op::new(
            Patch,
            "/v1/visitors/me",
            "changeMyContact",
            Visitors,
            "What a visitor without an account tells of themselves; agents see it as unverified.",
        )
        .takes::<visitors::Patch>()
        .answers::<visitors::Me<'_>>(200),
        Op::new(
            Post,
            "/v1/demo/sign-in",
            "demoSignIn",
            Anybody,
            "Signs a demo person in; only with `--demo`, from this machine.",
        )
        .takes::<demo::SignIn>()
        .answers::<demo::SignedIn>(200),
        Op::new(
            Get,
            "/v1/stream",
            "openStream",
            Anybody,
            "Opens a WebSocket; docs/PROTOCOL.md tells its frames. The token travels in `hello`.",
        )
        .answers_nothing(101),
    ];
    table.extend(people::operations());
    table.extend(action_operations());
    table
}

/// Actions on a conversation: each answers the card after it.
fn action_operations() -> impl Iterator<Item = Operation> {
    use Who::{Agents, Everybody};
    let nothing = || Some(of::<actions::Nothing>());
    let table = [
        ("/v1/conversations/{id}/accept", "accept", Agents, nothing(), "Takes it."),
        (
            "/v1/conversations/{id}/assign",
            "assign",
            Agents,
            Some(of::<actions::Assign>()),
            "Gives it to an agent.",
        ),
        ("/v1/conversations/{id}/unassign", "unassign", Agents, nothing(), "Gives it back."),
        ("/v1/conversations/{id}/requeue", "requeue", Agents, nothing(), "Lets it wait again."),
        (
            "/v1/conversations/{id}/transfer",
            "transfer",
            Agents,
            Some(of::<actions::Transfer>()),
            "Hands it on to an agent or a department; the reason becomes a note.",
        ),
        (
            "/v1/conversations/{id}/refuse-transfer",
            "refuseTransfer",
            Agents,
            nothing(),
            "Refuses what was handed on.",
        ),
        ("/v1/conversations/{id}/close", "close", Everybody, nothing(), "Closes it."),
        ("/v1/conversations/{id}/resolve", "resolve", Agents, nothing(), "Closes it as resolved."),
        ("/v1/conversations/{id}/reopen", "reopen", Agents, nothing(), "Opens it again."),
        ("/v1/conversations/{id}/archive", "archive", Agents, nothing(), "Puts it away."),
        (
            "/v1/conversations/{id}/rating",
            "rate",
            Everybody,
            Some(of::<actions::Rating>()),
            "Rates it: its visitor, once, after it was closed.",
        ),
        (
            "/v1/conversations/{id}/ticket",
            "linkTicket",
            Agents,
            Some(of::<actions::Ticket>()),
            "Links a ticket.",
        ),
    ];
    table.into_iter().map(|(path, id, who, body, summary)| Operation {
        body,
        ..Operation::new(HttpMethod::Post, path, id, who, summary)
            .answers::<Card<'_>>(200)
            .with(Conditions::Repeatable)
    })
}

/// An event as the stream writes it.
struct Event;

impl PartialSchema for Event {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let format = |format| text().format(Some(SchemaFormat::KnownFormat(format)));
        let integer = || ObjectBuilder::new().schema_type(Type::Integer);
        ObjectBuilder::new()
            .description(Some("An event; docs/PROTOCOL.md tells its kinds and their bodies."))
            .property("type", text())
            .property("conversation", format(KnownFormat::Uuid))
            .property("stream", text().description(Some("`internal`; absent in the public one")))
            .property("seq", integer().description(Some("the position in its stream")))
            .property("public_head", integer().description(Some("internal events only")))
            .property("id", format(KnownFormat::Uuid))
            .property("at", format(KnownFormat::DateTime))
            .property("kind", text())
            .property("from", Ref::from_schema_name(Person::name()))
            .property("body", ObjectBuilder::new().schema_type(Type::Object))
            .property("device", format(KnownFormat::Uuid).description(Some("of own sends only")))
            .property("n", integer().description(Some("of own sends only")))
            .required("conversation")
            .required("seq")
            .required("id")
            .required("at")
            .required("kind")
            .required("from")
            .required("body")
            .into()
    }
}

impl ToSchema for Event {
    fn schemas(schemas: &mut Schemas) {
        (of::<Person<'_>>().collect)(schemas);
    }
}

/// A page of events.
struct EventPage;

impl PartialSchema for EventPage {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(Event::name()));
        ObjectBuilder::new()
            .property("items", items)
            .property("more", ObjectBuilder::new().schema_type(Type::Boolean))
            .property("head", ObjectBuilder::new().schema_type(Type::Integer))
            .required("items")
            .required("more")
            .required("head")
            .into()
    }
}

impl ToSchema for EventPage {
    fn schemas(schemas: &mut Schemas) {
        (of::<Event>().collect)(schemas);
    }
}

/// Any JSON object.
struct Any;

impl PartialSchema for Any {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Object).into()
    }
}

impl ToSchema for Any {}

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    let table = operations();
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    let mut paths = PathsBuilder::new();
    let mut used = Vec::new();
    (of::<ProblemBody<'_>>().collect)(&mut used);
    for operation in &table {
        for typed in operation.body.iter().chain(&operation.answer) {
            (typed.collect)(&mut used);
        }
    }
    schemas.extend(used);
    for operation in table {
        let path = operation.path;
        paths = paths.path(path, PathItem::new(operation.method.clone(), describe(&operation)));
    }
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A signed token, or the secret of an anonymous visitor."))
        .build();
    let key = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key with the scope named. Without one, no key will do."))
        .build();
    let cookie = ApiKeyValue::with_description(
        "__Host-switchboard",
        "A browser that signed in. Changes also need an `Origin` of ours and \
         `X-Switchboard-CSRF`.",
    );
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .response("Problem", problem())
        .response("MethodNotAllowed", method_not_allowed())
        .security_scheme("token", SecurityScheme::Http(bearer))
        .security_scheme("key", SecurityScheme::Http(key))
        .security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
        .build();
    let info = InfoBuilder::new()
        .title("Switchboard")
        .version("1")
        .description(Some(
            "Live chat over HTTP. docs/PROTOCOL.md tells of the WebSocket and of what both share.",
        ))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

/// Serves the document.
pub async fn serve() -> HttpResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    ([(header::CONTENT_TYPE, JSON)], TEXT.as_str()).into_response()
}

fn describe(row: &Operation) -> utoipa::openapi::path::Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(row.id))
        .summary(Some(row.summary))
        .extensions(Some(Extensions::builder().add("x-who", row.who.word()).build()));
    for name in ["id", "seq"].into_iter().filter(|name| row.path.contains(&format!("{{{name}}}"))) {
        operation = operation.parameter(parameter(ParameterIn::Path, name, Kind::Text, ""));
    }
    for (name, kind, about) in row.query {
        operation = operation.parameter(parameter(ParameterIn::Query, name, *kind, about));
    }
    if row.conditions == Conditions::Repeatable {
        let about = "The same key again is answered again and done once; another body is 422.";
        let key = parameter(ParameterIn::Header, "Idempotency-Key", Kind::Text, about);
        operation = operation.parameter(key);
    }
    if row.conditions == Conditions::Conditional {
        let about = "The `ETag` that was read, or `*`; otherwise 428.";
        let tag = parameter(ParameterIn::Header, "If-Match", Kind::Text, about);
        operation = operation.parameter(ParameterBuilder::from(tag).required(Required::True));
    }
    if let Some(body) = row.body {
        let is_picture = (body.name)() == people::Picture::name();
        let kinds: &[&str] = if is_picture { &PICTURES } else { &[JSON] };
        let content = |builder: RequestBodyBuilder, kind: &&str| {
            builder.content(*kind, Content::new(Some(body.reference())))
        };
        let body =
            kinds.iter().fold(RequestBodyBuilder::new(), content).required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    let securities: &[Option<&str>] = match row.who {
        Who::Anybody => &[None],
        Who::AnybodyOrVisitor => &[None, Some("token")],
        Who::Everybody | Who::Visitors | Who::Agents | Who::Admins | Who::Operators => {
            &[Some("token"), Some("cookie")]
        }
    };
    let securities = securities.iter().map(|scheme| match scheme {
        Some(scheme) => SecurityRequirement::new(*scheme, Vec::<String>::new()),
        None => SecurityRequirement::default(),
    });
    let key = scope(row).map(|scope| SecurityRequirement::new("key", [scope.word()]));
    operation
        .securities(Some(securities.chain(key).collect::<Vec<_>>()))
        .response(row.status.to_string(), success(row))
        .response("405", Ref::from_response_name("MethodNotAllowed"))
        .response("default", Ref::from_response_name("Problem"))
        .build()
}

/// What an API key needs for it; `None` when no key will do.
fn scope(row: &Operation) -> Option<Scope> {
    let method = match row.method {
        HttpMethod::Get => Method::GET,
        _ => Method::POST,
    };
    match scopes::needed(&method, row.path) {
        Needed::Scope(scope) if row.who != Who::Anybody => Some(scope),
        Needed::Scope(_) | Needed::Any | Needed::Person => None,
    }
}

fn success(row: &Operation) -> Response {
    let mut response = ResponseBuilder::new().description(match row.status {
        101 => "The socket is open.",
        201 => "It was made.",
        204 => "It was done.",
        _ => "As asked for.",
    });
    if let Some(answer) = row.answer {
        response = response.content(JSON, Content::new(Some(answer.reference())));
        if matches!(row.conditions, Conditions::Versioned | Conditions::Conditional) {
            response = response.header("ETag", text_header("The version, for `If-Match`."));
        }
    }
    response.build()
}

fn problem() -> Response {
    let body = Content::new(Some(of::<ProblemBody<'_>>().reference()));
    ResponseBuilder::new()
        .description("A problem (RFC 9457) with a stable `code`.")
        .content(PROBLEM, body)
        .build()
}

fn method_not_allowed() -> Response {
    let body = Content::new(Some(of::<ProblemBody<'_>>().reference()));
    ResponseBuilder::new()
        .description("This path has other methods.")
        .header("Allow", text_header("Which."))
        .content(PROBLEM, body)
        .build()
}

fn text_header(about: &str) -> Header {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::String));
    header.description = Some(about.to_owned());
    header
}

fn parameter(place: ParameterIn, name: &str, kind: Kind, about: &str) -> Parameter {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    let kind = match kind {
        Kind::Text => Type::String,
        Kind::Integer => Type::Integer,
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description((!about.is_empty()).then_some(about))
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .build()
}
