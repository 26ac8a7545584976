//! What anybody may know of a widget, and news of it by a long poll.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use switchboard_actors::presence::{self, View};
use switchboard_actors::subscriber;
use switchboard_domain::ids::{TenantId, Timestamp};
use switchboard_domain::schedule::Schedule;
use tokio::time::{Duration, sleep, timeout};
use utoipa::ToSchema;
use xxhash_rust::xxh3::xxh3_128;

use super::super::extract::{PathId, Query};
use super::super::wire::time::Rfc3339;
use super::hours::schedule;
use crate::directory::widget::{Address, Locale, Offline, Prechat, Settings, Theme};
use crate::edge::doors::Doors;
use crate::edge::opening::is_full;
use crate::edge::problem::{Code, Problem};
use crate::phase::Phase;

/// How often a long poll looks at the lines at most, while people come and go there.
const LINES_EVERY: Duration = Duration::from_millis(500);
/// The longest wait of a long poll, in seconds: less than proxies usually allow.
const WAIT_SECONDS_MAX: u64 = 25;

/// What anybody may know of a widget.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicWidget)]
pub struct Public<'a> {
    id: String,
    /// The title of its window.
    name: &'a str,
    welcome: &'a str,
    /// What to show while nobody is there.
    offline_message: &'a str,
    /// What to do while nobody is there.
    offline: &'a Offline,
    theme: &'a Theme,
    locale: Locale,
    /// What its launcher calls the chat, and closing what is said of it, in the language of the
    /// settings or else of the page that asks; absent for English.
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<[&'static str; 2]>,
    /// After how many seconds it opens by itself, once in a browser's session; absent for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_open_s: Option<u16>,
    show_avatars: bool,
    uploads: bool,
    /// Whether agents see what is typed before it is sent: to be said to the visitor.
    preview_typing: bool,
    email_required: bool,
    prechat: &'a Prechat,
    /// Departments to choose from.
    departments: Vec<Choice>,
    department_required: bool,
    /// Whether conversations need a token of the site that says who the visitor is.
    identity_required: bool,
    /// Whether it is within the hours.
    open: bool,
    /// Whether anybody is there.
    online: bool,
    /// Whether everybody is busy and no more may wait, in every line that can be chosen; a
    /// message can be left. Absent for no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    full: bool,
    /// When it opens next; absent while open, and when that is not within a year.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_open_at: Option<Rfc3339>,
}

/// A department to choose.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DepartmentChoice)]
pub struct Choice {
    id: String,
    name: String,
    /// Whether no more may wait there. Absent for no.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    full: bool,
}

/// How long to wait for news, and for whom.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    #[serde(default)]
    wait: Option<u64>,
    /// The language of the page that asks, such as `ar-EG`.
    #[serde(default)]
    locale: Option<String>,
}

/// `GET /v1/widgets/{id}`: open to everybody. With `wait` and the tag of what the caller knows it
/// answers at the next change of what is shown, or that there was none.
///
/// # Errors
///
/// [`Problem`].
pub async fn public(
    State(doors): State<Arc<Doors>>,
    PathId(id): PathId,
    Query(Wait { wait, locale }): Query<Wait>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let address = Address::parse(&id).ok_or(Code::NotFound)?;
    let locale = locale.unwrap_or_default();
    let mut shown = Shown::read(&doors, &address, &locale).await?;
    let wait = Duration::from_secs(wait.unwrap_or(0).min(WAIT_SECONDS_MAX));
    if shown.is_known(&headers) && !wait.is_zero() {
        let changed = next_change(&doors, &address, &locale, &shown.tag);
        if let Ok(changed) = timeout(wait, Box::pin(changed)).await {
            shown = changed?;
        }
    }
    Ok(shown.answer(&headers))
}

/// Waits until a widget shows something else than what that tag stands for, or the node drains.
async fn next_change(
    doors: &Doors,
    address: &Address,
    locale: &str,
    tag: &str,
) -> Result<Shown, Problem> {
    let mut news = doors.directory.news(&address.tenant);
    let (outlet, mut deliveries) = subscriber::queue();
    doors.presence.watch(&address.tenant, View::Anybody, &outlet).await;
    let _watching = Watching { doors, tenant: &address.tenant, outlet_id: outlet.id() };
    let mut lines = doors.queue.lines(&address.tenant);
    let mut phase = doors.phase.clone();
    loop {
        let shown = Shown::read(doors, address, locale).await?;
        if shown.tag != tag {
            return Ok(shown);
        }
        let flips = async {
            match shown.flips_at {
                Some(at) => sleep(until(at, doors.clock.now())).await,
                None => std::future::pending().await,
            }
        };
        let room = async {
            if !shown.is_bounded {
                std::future::pending::<()>().await;
            }
            // However fast a line moves, whoever waits for room looks this often.
            sleep(LINES_EVERY).await;
            lines.changed().await;
        };
        tokio::select! {
            () = news.changed() => {}
            () = room => {}
            told = deliveries.next() => if told.is_err() { return Ok(shown) },
            () = flips => {}
            () = phase.reached(Phase::Draining) => return Ok(shown),
        }
    }
}

/// Ends the watch also when the client leaves before the answer.
struct Watching<'a> {
    doors: &'a Doors,
    tenant: &'a TenantId,
    outlet_id: u64,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let presence: &presence::Handle = &self.doors.presence;
        presence.unwatch(self.tenant, self.outlet_id);
    }
}

/// How long until then; at least a moment, so that clocks that differ do not make it spin.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.ms_since(now)).unwrap_or(0).max(50))
}

/// A widget as it is shown at a moment.
struct Shown {
    body: Vec<u8>,
    tag: String,
    /// When its hours change what is shown.
    flips_at: Option<Timestamp>,
    /// Whether who waits changes what is shown.
    is_bounded: bool,
}

impl Shown {
    async fn read(doors: &Doors, address: &Address, locale: &str) -> Result<Self, Problem> {
        let tenant = &address.tenant;
        let widget =
            doors.directory.widget(tenant, &address.widget).await?.ok_or(Code::NotFound)?;
        let settings = &widget.value.settings;
        if !settings.enabled {
            return Err(Code::WidgetDisabled.into());
        }
        let departments = offered(doors, tenant, settings).await?;
        let must_choose = settings.department_required && !departments.is_empty();
        let full = if must_choose {
            departments.iter().all(|choice| choice.full)
        } else {
            is_full(doors, tenant, settings, None)
        };
        let now = doors.clock.now();
        let schedule = match &settings.hours {
            None => Schedule::always(),
            Some(hours) => schedule(hours).map_err(|why| {
                tracing::error!(widget = %address, %why, "stored hours cannot be used");
                Problem::new(Code::Internal)
            })?,
        };
        let closes_at = schedule.closes_at(now);
        let open = schedule.is_open(now);
        let next_open_at = schedule.next_opening(now).filter(|_| !open);
        let public = Public {
            id: address.to_string(),
            name: settings.theme.title.as_deref().unwrap_or(&settings.name),
            welcome: settings.welcome.as_deref().unwrap_or_default(),
            offline_message: settings.offline_message.as_deref().unwrap_or_default(),
            offline: &settings.offline,
            theme: &settings.theme,
            locale: settings.locale,
            labels: labels(settings.locale, locale),
            auto_open_s: settings.auto_open_s,
            show_avatars: settings.show_avatars,
            uploads: settings.uploads,
            preview_typing: settings.preview_typing,
            email_required: settings.email_required,
            prechat: &settings.prechat,
            department_required: must_choose,
            departments,
            identity_required: settings.identity_required,
            open,
            online: doors.presence.anybody_online(tenant),
            full,
            next_open_at: next_open_at.map(Rfc3339),
        };
        let body = serde_json::to_vec(&public).unwrap_or_default();
        let tag = format!("\"{:032x}\"", xxh3_128(&body));
        let is_bounded = settings.queue_max.is_some();
        Ok(Self { body, tag, flips_at: closes_at.or(next_open_at), is_bounded })
    }

    /// Whether the caller has exactly this.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == self.tag))
    }

    fn answer(self, headers: &HeaderMap) -> Response {
        let mut response = if self.is_known(headers) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let json = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, json)], self.body).into_response()
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// The launcher's words in the language of the settings, or else of the page.
fn labels(chosen: Locale, page: &str) -> Option<[&'static str; 2]> {
    switchboard_web::launcher(match chosen {
        Locale::Auto => page,
        Locale::En => "en",
        Locale::Ar => "ar",
    })
}

/// The departments that a visitor may choose from: those of the settings that still exist.
///
/// # Errors
///
/// When they cannot be read.
async fn offered(
    doors: &Doors,
    tenant: &TenantId,
    settings: &Settings,
) -> Result<Vec<Choice>, Problem> {
    let mut offered = Vec::new();
    for id in settings.department_ids() {
        if let Some(found) = doors.directory.department(tenant, &id).await? {
            let name = (*found.value.name).to_owned();
            let full = is_full(doors, tenant, settings, Some(&id));
            offered.push(Choice { id: id.to_string(), name, full });
        }
    }
    Ok(offered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_tag_is_known() {
        let shown =
            Shown { body: Vec::new(), tag: "\"a\"".to_owned(), flips_at: None, is_bounded: false };
        for (said, known) in
            [("\"a\"", true), ("\"b\", \"a\"", true), ("\"b\"", false), ("*", false), ("", false)]
        {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, said.parse().unwrap())]);
            assert_eq!(shown.is_known(&headers), known, "{said}");
        }
        assert!(!shown.is_known(&HeaderMap::new()));
    }
}
