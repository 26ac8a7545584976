//! `account reset`: the way back in for somebody who is locked out, from the machine itself.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use switchboard_actors::clock::Clock;
use switchboard_domain::ids::TenantId;
use switchboard_domain::person::Role;
use switchboard_store::Store;
use switchboard_store::embedded::{self, Embedded};

use super::{Exit, Failed, say};
use crate::accounts::folded;
use crate::clock::SystemClock;
use crate::config::{Config, Engine};
use crate::directory::{Directory, PAGE_MAX, Person};
use crate::metrics::Metrics;

/// Prints a link with which the person of that mail address sets a password. Only a stopped node's
/// data can be written.
pub(super) fn reset(config: &Config, email: &str, tenant: &str) -> Result<Exit, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
        .map_err(Failed::because)?;
    let link = runtime.block_on(link(config, email, tenant)).map_err(Failed::because)?;
    say(format_args!("{link}"))
}

async fn link(config: &Config, email: &str, tenant: &str) -> anyhow::Result<String> {
    let store = match config.store.engine {
        Engine::Memory => bail!("`store.engine` is `memory`: nothing is stored"),
        Engine::Embedded => embedded(config)?,
        Engine::Cql => shared(config).await?,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let directory = Directory::open(store, Arc::clone(&clock), []).await?;
    let tenant = TenantId(tenant.into());
    let person = find(&directory, &tenant, &folded(email)).await?;
    if person.disabled {
        bail!("the person is disabled; an administrator has to let them in first");
    }
    let made = directory.make_invitation(&tenant, &person, clock.now()).await?;
    let public_url = match &config.server.public_url {
        Some(url) => url.clone(),
        None => format!("http://{}", config.server.listen),
    };
    Ok(format!("{public_url}/console#invite={}", made.token))
}

fn embedded(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let place = embedded::Config::new(config.store.data_dir.clone());
    if !config.store.data_dir.exists() {
        bail!("there is nothing in {}", config.store.data_dir.display());
    }
    let store = Embedded::open(place, Arc::clone(&Metrics::new().store) as _)
        .context("opening the store; stop the server first")?;
    Ok(Arc::new(store))
}

/// A database that nodes share is written beside them: documents carry their versions.
#[cfg(feature = "cql")]
async fn shared(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let settings = crate::config::Cql { migrate: false, ..config.cql.clone() };
    Ok(Arc::new(Box::pin(crate::database::open(&settings)).await?))
}

#[cfg(not(feature = "cql"))]
async fn shared(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    config.check()?;
    bail!("this program was built without the feature `cql`")
}

/// Who signs in with that address, else the one agent who has it.
async fn find(directory: &Directory, tenant: &TenantId, email: &str) -> anyhow::Result<Person> {
    if let Some(credential) = directory.credential_of(tenant, email).await?
        && let Some(person) = directory.person(tenant, credential.value.person).await?
    {
        return Ok(person.value.clone());
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = directory.people(tenant, after, PAGE_MAX).await?;
        let is_it = |person: &Person| {
            person.role >= Role::Agent
                && person.email.as_deref().map(folded).as_deref() == Some(email)
        };
        found.extend(page.iter().map(|it| it.value.clone()).filter(is_it));
        match page.last() {
            Some(last) if page.len() == PAGE_MAX => after = Some(last.value.id),
            Some(_) | None => break,
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(person), true) => Ok(person),
        (Some(_), false) => Err(anyhow!("several people of `{tenant}` have that mail address")),
        (None, _) => Err(anyhow!("nobody of the tenant `{tenant}` has that mail address")),
    }
}
