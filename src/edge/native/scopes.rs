//! The one table of which scope of an API key opens which route. What is not in it is closed to
//! keys.

use axum::http::Method;

use crate::accounts::api_key::Scope;

/// What a route asks of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Any key will do.
    Any,
    /// This scope.
    Scope(Scope),
    /// No key will: a person must come.
    Person,
}

/// A part of the API.
#[derive(Clone, Copy)]
enum Area {
    Conversations,
    Agents,
    Settings,
    Own,
    Closed,
}

/// Routes by how they begin; the first that fits counts.
const TABLE: [(&str, Area); 12] = [
    ("/v1/auth/me", Area::Own),
    ("/v1/conversations", Area::Conversations),
    ("/v1/visitors", Area::Conversations),
    ("/v1/agents/me", Area::Closed),
    ("/v1/agents/{id}/invitation", Area::Closed),
    ("/v1/agents", Area::Agents),
    ("/v1/departments", Area::Settings),
    ("/v1/widgets/{id}/identity-key", Area::Closed),
    ("/v1/widgets", Area::Settings),
    ("/v1/tenants/me", Area::Settings),
    ("/v1/tenants", Area::Closed),
    ("/v1/keys", Area::Closed),
];

/// What a route asks of a key.
#[must_use]
pub fn needed(method: &Method, route: &str) -> Needed {
    let fits = |start: &str| {
        route.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let area = TABLE.iter().find(|(start, _)| fits(start)).map_or(Area::Closed, |(_, area)| *area);
    let (read, write) = match area {
        Area::Own => return Needed::Any,
        Area::Closed => return Needed::Person,
        Area::Conversations => (Scope::ConversationsRead, Scope::ConversationsWrite),
        Area::Agents => (Scope::AgentsRead, Scope::AgentsWrite),
        Area::Settings => (Scope::SettingsRead, Scope::SettingsWrite),
    };
    Needed::Scope(if method.is_safe() { read } else { write })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hands_out_secrets_or_is_not_known_is_closed_to_keys() {
        for (method, route) in [
            (Method::POST, "/v1/keys"),
            (Method::DELETE, "/v1/keys/{id}"),
            (Method::POST, "/v1/agents/{id}/invitation"),
            (Method::POST, "/v1/widgets/{id}/identity-key"),
            (Method::POST, "/v1/stream/tickets"),
            (Method::PUT, "/v1/auth/password"),
            (Method::GET, "/v1/tenants"),
            (Method::PATCH, "/v1/agents/me"),
            (Method::GET, "/v1/agentsx"),
            (Method::GET, "/v1/new"),
        ] {
            assert_eq!(needed(&method, route), Needed::Person, "{method} {route}");
        }
    }

    #[test]
    fn reading_and_writing_are_two_scopes() {
        let table = [
            (Method::GET, "/v1/conversations", Scope::ConversationsRead),
            (Method::POST, "/v1/conversations/{id}/messages", Scope::ConversationsWrite),
            (Method::GET, "/v1/agents/{id}", Scope::AgentsRead),
            (Method::PATCH, "/v1/agents/{id}", Scope::AgentsWrite),
            (Method::GET, "/v1/widgets/{id}/settings", Scope::SettingsRead),
            (Method::DELETE, "/v1/departments/{id}", Scope::SettingsWrite),
        ];
        for (method, route, scope) in table {
            assert_eq!(needed(&method, route), Needed::Scope(scope), "{method} {route}");
        }
        assert_eq!(needed(&Method::GET, "/v1/auth/me"), Needed::Any);
    }
}
