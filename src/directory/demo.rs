//! What `--demo` seeds: a widget, an administrator and an agent of the tenant `default`.

use switchboard_domain::ids::{TenantId, WidgetId};
use switchboard_domain::person::Role;

use super::person::Change;
use super::widget::{Settings, Widget};
use super::{Directory, Error, tenant};

/// The demo widget.
pub const WIDGET: &str = "demo";

/// Somebody whom the demo page can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoPerson {
    /// The external id, and the word in the request.
    pub external_id: &'static str,
    /// The name to show.
    pub name: &'static str,
    /// The mail address, of a domain that never exists.
    pub email: &'static str,
    /// The role.
    pub role: Role,
}

/// Everybody whom the demo page can sign in.
pub const PEOPLE: [DemoPerson; 2] = [
    DemoPerson { external_id: "ada", name: "Ada", email: "ada@demo.invalid", role: Role::Admin },
    DemoPerson { external_id: "ben", name: "Ben", email: "ben@demo.invalid", role: Role::Agent },
];

impl Directory {
    /// Seeds what the demo needs and is not there yet; what was changed since stays.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn seed_demo(&self) -> Result<(), Error> {
        let tenant = TenantId(tenant::DEFAULT.into());
        self.ensure_tenant(&tenant).await?;
        let seen = |answer: Result<(), Error>| match answer {
            Err(Error::Exists) => Ok(()),
            answer => answer,
        };
        if self.widget(&tenant, &WidgetId(WIDGET.into())).await?.is_none() {
            let widget = Widget::new(WIDGET, settings()?)?;
            seen(self.create_widget(&tenant, widget).await.map(drop))?;
        }
        for person in PEOPLE {
            let change = Change {
                name: Some(person.name.to_owned()),
                email: Some(person.email.to_owned()),
                ..Change::default()
            };
            let made = self.create_person(&tenant, person.external_id, person.role, &change).await;
            seen(made.map(drop))?;
        }
        Ok(())
    }
}

fn settings() -> Result<Settings, Error> {
    let origins = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
    let allowed = origins.map(str::parse).into_iter().collect::<Result<_, _>>();
    Ok(Settings {
        name: "Fern & Field".to_owned(),
        allowed_origins: allowed.map_err(|why| Error::Invalid { field: "allowed_origins", why })?,
        welcome: Some("Hello! How can we help?".to_owned()),
        offline_message: Some(
            "Nobody is here right now. Leave a message and we will answer.".to_owned(),
        ),
        departments: ["sales", "technical", "billing"].map(str::to_owned).into(),
        ..Settings::default()
    })
}
