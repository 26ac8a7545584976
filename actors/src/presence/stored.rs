//! What an agent chose, as a document: lines of text under a version, so that an operator can
//! read it.

use std::sync::Arc;

use switchboard_domain::capacity::Capacity;
use switchboard_domain::ids::{AgentId, DepartmentId, TenantId};
use switchboard_domain::presence::{Presence, Status};
use switchboard_store::{Document, DocumentKey, Expect, Fault, Store};

use super::agent::Agent;

use crate::maps::HashMap;

/// The kind of these documents.
const KIND: &str = "presence";
/// The first line of this form. A newer form gets another line and reads this one too.
const VERSION: &str = "presence 2";
/// The form before: it knows no desk.
const VERSION_1: &str = "presence 1";
/// Documents read at once.
const PAGE: usize = 500;

/// Writes what an agent chose.
pub(super) async fn write(
    store: &dyn Store,
    tenant: &TenantId,
    id: AgentId,
    agent: &Agent,
) -> Result<(), Fault> {
    let id = id.to_string().into();
    let key = DocumentKey { tenant: tenant.clone(), kind: KIND, id };
    store.put_document(key, Expect::Any, encode(agent).into_bytes()).await.map(|_| ())
}

/// Whether two are stored alike.
pub(super) fn is_same(agent: &Agent, other: &Agent) -> bool {
    encode(agent) == encode(other)
}

/// Reads what all agents of a tenant chose.
pub(super) async fn read_all(
    store: &dyn Store,
    tenant: &TenantId,
) -> Result<HashMap<AgentId, Agent>, Fault> {
    let mut agents = HashMap::default();
    let mut after = None;
    loop {
        let page = store.documents(tenant, KIND, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(agents) };
        after = Some(Arc::clone(&last.id));
        for document in &page {
            let (id, agent) = decode(document).ok_or_else(|| damaged(document))?;
            agents.insert(id, agent);
        }
    }
}

fn damaged(document: &Document) -> Fault {
    Fault::Damaged { what: format!("presence of agent {}", document.id).into() }
}

fn encode(agent: &Agent) -> String {
    let mut lines = vec![
        VERSION.to_owned(),
        format!("name {}", one_line(&agent.name)),
        format!("status {}", name_of(agent.presence.chosen())),
        format!("capacity {}", agent.capacity.max()),
    ];
    lines.extend(agent.skills.iter().map(|skill| format!("skill {}", one_line(skill))));
    let departments = agent.departments.iter();
    lines.extend(departments.map(|department| format!("department {}", one_line(&department.0))));
    lines.extend(agent.desk.iter().map(|desk| format!("desk {}", one_line(&desk.0))));
    lines.join("\n")
}

/// Names have no line breaks; should one come through, it must not forge a line.
fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

fn decode(document: &Document) -> Option<(AgentId, Agent)> {
    let id = document.id.parse().ok()?;
    let mut lines = std::str::from_utf8(&document.bytes).ok()?.lines();
    if ![VERSION, VERSION_1].contains(&lines.next()?) {
        return None;
    }
    let mut agent = Agent::default();
    let mut skills: Vec<Arc<str>> = Vec::new();
    let mut departments = Vec::new();
    for line in lines {
        match line.split_once(' ')? {
            ("name", name) => agent.name = name.into(),
            ("status", status) => agent.presence = Presence::new(Some(status_of(status)?)),
            ("capacity", max) => agent.capacity = Capacity::rebuilt(max.parse().ok()?, []).ok()?,
            ("skill", skill) => skills.push(skill.into()),
            ("department", department) => departments.push(DepartmentId(department.into())),
            ("desk", desk) => agent.desk = Some(DepartmentId(desk.into())),
            _ => return None,
        }
    }
    agent.skills = skills.into();
    agent.departments = departments.into();
    Some((id, agent))
}

const fn name_of(status: Status) -> &'static str {
    match status {
        Status::Online => "online",
        Status::Away => "away",
        Status::Busy => "busy",
        Status::Offline => "offline",
    }
}

fn status_of(name: &str) -> Option<Status> {
    let all = [Status::Online, Status::Away, Status::Busy, Status::Offline];
    all.into_iter().find(|status| name_of(*status) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut agent = Agent::named(&"Ada Lovelace".into());
        agent.presence.choose(Status::Busy);
        assert!(agent.capacity.set_max(7).is_ok());
        assert!(agent.set_skills(vec!["sql".into(), "old french".into()]).is_ok());
        agent.departments = Arc::new([DepartmentId("sales".into())]);
        agent.desk = Some(DepartmentId("sales".into()));
        let id = AgentId::from_u128(9);
        let bytes = encode(&agent).into_bytes();
        let document = Document { id: id.to_string().into(), version: 1, bytes };
        let Some((read_id, read)) = decode(&document) else { panic!("not read") };
        assert_eq!(read_id, id);
        assert_eq!(encode(&read), encode(&agent));
        assert_eq!(read.presence.chosen(), Status::Busy);
        assert_eq!((read.capacity.max(), read.desk), (7, agent.desk));
    }

    #[test]
    fn the_form_before_is_read() {
        let id = AgentId::from_u128(9);
        let bytes = b"presence 1\nname Ada\nstatus away\ncapacity 3".to_vec();
        let document = Document { id: id.to_string().into(), version: 1, bytes };
        let Some((_, read)) = decode(&document) else { panic!("not read") };
        assert_eq!((read.presence.chosen(), read.desk), (Status::Away, None));
    }

    #[test]
    fn what_is_not_ours_is_damaged() {
        for bytes in ["", "presence 9\nname x", "presence 1\nstatus asleep", "presence 1\nwhat"] {
            let id = AgentId::from_u128(9).to_string().into();
            let document = Document { id, version: 1, bytes: bytes.into() };
            assert!(decode(&document).is_none(), "{bytes:?}");
        }
    }
}
