//! Live lists and presence on a socket.

use std::sync::Arc;

use futures_util::future::FutureExt;
use switchboard_actors::inbox::{
    Change as InboxChange, Company as InboxCompany, Row, Rows, ViewDelta, Watch,
};
use switchboard_actors::presence::{self, AgentPresence};
use switchboard_domain::card::Sort as DomainSort;
use switchboard_domain::ids::DepartmentId;
use switchboard_domain::person::{Role, Side};
use switchboard_store::ListScope;
use uuid::Uuid;

use super::{Answer, Close, Code, Connection, Frame, Identity, Problem};
use crate::accounts::avatar::Faces;
use crate::edge::doors::Doors;
use crate::edge::native::presences::{profile, status_name};
use crate::edge::native::wire::card::{Card, statuses_named};
use crate::edge::native::wire::incoming::{Sort, View};
use crate::edge::native::wire::outgoing::{Change, Companion, Company, Presence};
use crate::edge::native::wire::person::Agent;
use crate::edge::native::{caller, commands};

/// Live lists of one connection: what a console shows side by side, and some.
const VIEWS_MAX: usize = 16;

impl Connection {
    /// Makes an agent's presence known, and tells the client who is there.
    pub(super) async fn enter_presence(&mut self) {
        let identity = &self.identity;
        let tenant = &identity.tenant;
        if let Ok(person) = caller::agent_person(identity) {
            let id = person.id;
            let profile = profile(person, identity.caller.role);
            let connected =
                self.doors.presence.connected(tenant, id, self.outlet.id(), profile).await;
            if let Err(refusal) = connected {
                tracing::warn!(%refusal, "an agent connected without presence");
            }
        }
        let view = match self.side() {
            Side::Agent => presence::View::Agents,
            Side::Visitor | Side::System => presence::View::Anybody,
        };
        self.doors.presence.watch(tenant, view, &self.outlet).await;
    }

    pub(super) fn leave_presence(&mut self) {
        let tenant = &self.identity.tenant;
        let outlet_id = self.outlet.id();
        if let Some(agent) = self.identity.caller.author.principal.agent() {
            self.doors.presence.disconnected(tenant, agent, outlet_id);
        }
        self.doors.presence.unwatch(tenant, outlet_id);
        if !self.views.is_empty() {
            self.views = Vec::new();
            self.doors.inbox.unwatch_all(tenant, outlet_id);
        }
    }

    pub(super) async fn watch(
        &mut self,
        reference: Uuid,
        view: View,
        sort: Sort,
        limit: usize,
    ) -> Result<(), Close> {
        self.unwatch(reference);
        if self.side() != Side::Agent || self.views.len() >= VIEWS_MAX {
            let code = if self.side() == Side::Agent { Code::TooLarge } else { Code::Forbidden };
            return self.write(self.codec.encode(&refused(reference, &code.into()))).await;
        }
        // Clients name lists by UUIDs, the inbox by numbers: the number never comes twice.
        let id = self.subscriptions.next_ref();
        self.views.push((id, reference));
        let doors = Arc::clone(&self.doors);
        let identity = Arc::clone(&self.identity);
        let outlet = self.outlet.clone();
        let codec = self.codec;
        self.start(
            async move {
                let watched = async {
                    let watch = watch_of(&doors, &identity, id, view, sort, limit).await?;
                    let entered =
                        doors.inbox.watch(&identity.tenant, &identity.caller, watch, &outlet);
                    Ok::<_, Problem>(entered.await?)
                };
                match watched.await {
                    Ok(()) => Answer::Silent,
                    Err(problem) => Answer::Frame(codec.encode(&refused(reference, &problem))),
                }
            }
            .boxed(),
        );
        Ok(())
    }

    pub(super) fn unwatch(&mut self, reference: Uuid) {
        if let Some(idx) = self.views.iter().position(|(_, known)| *known == reference) {
            let (id, _) = self.views.swap_remove(idx);
            self.doors.inbox.unwatch(&self.identity.tenant, id, self.outlet.id());
        }
    }

    pub(super) async fn view(&mut self, delta: &ViewDelta) -> Result<(), Close> {
        // Unwatched meanwhile.
        let Some((_, reference)) = self.views.iter().find(|(id, _)| *id == delta.id) else {
            return Ok(());
        };
        let faces = self.doors.directory.faces(&self.identity.tenant);
        let (snapshot, changes) = match &delta.rows {
            Rows::Snapshot(rows) => {
                (Some(rows.iter().map(|row| card(row, &faces)).collect()), None)
            }
            Rows::Changes(changes) => {
                (None, Some(changes.iter().map(|it| change(it, &faces)).collect()))
            }
        };
        let frame = self.codec.encode(&Frame::View {
            reference: *reference,
            version: delta.version,
            total: u64::try_from(delta.total).unwrap_or(u64::MAX),
            snapshot,
            changes,
        });
        self.write(frame).await
    }

    /// Tells who is with conversations of the lists that are watched here.
    pub(super) async fn company(&mut self, all: &[InboxCompany]) -> Result<(), Close> {
        let faces = self.doors.directory.faces(&self.identity.tenant);
        let items = all.iter().map(|it| company(it, &faces)).collect();
        self.write(self.codec.encode(&Frame::Company { items })).await
    }

    pub(super) async fn presence(
        &mut self,
        agents: &[AgentPresence],
        snapshot: bool,
    ) -> Result<(), Close> {
        let faces = self.doors.directory.faces(&self.identity.tenant);
        let agents = agents
            .iter()
            .map(|agent| Presence {
                agent: Agent::from(&agent.agent).with_face(&faces),
                status: status_name(agent.effective),
                capacity: agent.capacity,
                active: agent.active,
            })
            .collect();
        self.write(self.codec.encode(&Frame::Presences { agents, snapshot })).await
    }
}

fn card<'a>(row: &'a Row, faces: &'a Faces) -> Card<'a> {
    // The inbox has counted already: a receipt of the watcher is not at hand here.
    Card::with_unread(&row.card, Side::Agent, row.unread).with_face(faces)
}

fn company<'a>(company: &'a InboxCompany, faces: &'a Faces) -> Company<'a> {
    let agents = company
        .agents
        .iter()
        .map(|it| Companion { agent: Agent::from(&it.agent).with_face(faces), typing: it.types });
    Company { conversation: company.conversation.uuid(), agents: agents.collect() }
}

fn change<'a>(change: &'a InboxChange, faces: &'a Faces) -> Change<'a> {
    match change {
        InboxChange::Put(row) => Change::Put(Box::new(card(row, faces))),
        InboxChange::Drop(conversation) => Change::Drop(conversation.uuid()),
    }
}

async fn watch_of(
    doors: &Doors,
    identity: &Identity,
    id: u64,
    view: View,
    sort: Sort,
    limit: usize,
) -> Result<Watch, Problem> {
    caller::require(identity, Role::Agent)?;
    let statuses = match view.status.as_deref() {
        None => Vec::new(),
        Some(name) => statuses_named(name)
            .ok_or_else(|| Problem::with(Code::Invalid, "there is no such status"))?,
    };
    let scope = match view.agent.as_deref() {
        None => ListScope::All,
        Some("none") => ListScope::Unassigned,
        Some("me") => ListScope::Agent(caller::agent(identity)?.id),
        Some(name) => ListScope::Agent(commands::agent(doors, identity, name).await?.id),
    };
    Ok(Watch {
        id,
        statuses,
        department: view.department.map(|id| DepartmentId(id.into())),
        scope,
        sort: match sort {
            Sort::Waiting => DomainSort::Waiting,
            Sort::Recent => DomainSort::Recent,
        },
        limit,
    })
}

fn refused(reference: Uuid, problem: &Problem) -> Frame<'_> {
    Frame::Refused {
        reference: Some(reference),
        re: Some("watch"),
        conversation: None,
        stream: None,
        code: problem.code.as_str(),
        by: None,
        detail: problem.detail.as_deref(),
        retry_after_ms: problem.retry_after_ms,
    }
}
