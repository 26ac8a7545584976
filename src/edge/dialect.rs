//! Foreign APIs that we speak, so that clients of earlier systems connect unchanged.
//!
//! A dialect decodes, asks for the same commands and queries as the native API, and encodes. It
//! has data of its own (paths, words, units), and no rules: where a client of it needs something
//! that the core cannot do, the core is widened. A dialect knows neither another dialect nor the
//! native API. `docs/dialects/` says of each what it speaks and what not yet.

pub mod caller;
pub mod cors;
pub mod failed;
pub mod follow;
pub mod history;
pub mod encoded;
pub mod acknowledged;
pub mod people;
pub mod request;
pub mod seat;
pub mod standing;
pub mod socket_io;
pub mod vocabulary;
pub mod web_socket;
pub mod phase5;
pub mod fullmag;
pub mod ges;
pub mod tms;
pub mod localpro;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use switchboard_domain::ids::TenantId;
use switchboard_domain::person::Role;
use switchboard_domain::queue::Policy;

use self::cors::{Manner, Origins};
use self::seat::Places;
use self::socket_io::{Dialect, Heartbeat, SocketIo};
use super::doors::Doors;
use super::network::Network;
use crate::directory::origin::Pattern;
use crate::directory::tenant;

/// The section `[dialects]`: foreign APIs that are spoken beside our own.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether clients of the phase5 help desk are served: `/api/live-chat`,
    /// `/api/agent-availability` and Socket.IO on the namespace `/`. See `docs/dialects/phase5.md`.
    pub phase5: bool,
    /// Origins of phase5 pages, besides those that may call everything.
    pub phase5_origins: Vec<String>,
    /// Whether clients of the FullMag shop are served: `/api/chat` and Socket.IO in the namespace
    /// `/chat`. See `docs/dialects/fullmag.md`.
    pub fullmag: bool,
    /// Origins of fullmag pages, besides those that may call everything.
    pub fullmag_origins: Vec<String>,
    /// Whether plain agents are support there too; else supervisors and higher.
    pub fullmag_agents: bool,
    /// Whether clients of the GES website chat are served: `/api/v1/chat`, `/api/v1/admin/chat` and
    /// `/api/v1/admin/presence`. See `docs/dialects/ges.md`.
    pub ges: bool,
    /// Origins of GES pages, besides those that may call everything.
    pub ges_origins: Vec<String>,
    /// The tenant of visitors who come without a token through a dialect that knows no tenants.
    pub tenant: String,
    /// Whether clients of TMS are served: `/v1/chat/sessions` and the WebSocket `/v1/chat/ws`. See
    /// `docs/dialects/tms.md`.
    pub tms: bool,
    /// Origins of TMS pages, besides those that may call everything.
    pub tms_origins: Vec<String>,
    /// Whether clients of the LocalPro chat are served: `/api/live-chat/sessions`,
    /// `/api/admin/live-chat` and the WebSocket `/ws/live-chat`. See `docs/dialects/localpro.md`.
    pub localpro: bool,
    /// Origins of LocalPro pages, besides those that may call everything.
    pub localpro_origins: Vec<String>,
    /// Networks (`10.1.0.0/16`, `::1`) from which whoever says the id of an agent opens that
    /// agent's LocalPro socket without a token. Only for networks in which nobody pretends.
    pub localpro_trusted_networks: Vec<String>,
    /// How chats find their agent that came through no widget, as those of phase5, FullMag, GES and
    /// LocalPro do: `manual`, `least_busy`, `round_robin` or `skills`, or `department` for their
    /// department's way.
    pub routing: ChatRouting,
    /// Sockets of all dialects together; more are refused.
    pub connections_max: usize,
    /// Milliseconds between two pings of a Socket.IO client, from 100 to 30,000. Proxies must keep
    /// connections that long without a word.
    pub socket_io_ping_ms: u64,
    /// Milliseconds within which a ping must be answered, from 100 to 120,000.
    pub socket_io_pong_ms: u64,
}

/// How chats find their agent that came through no widget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRouting {
    /// Everybody sees what waits; one takes it.
    #[default]
    Manual,
    /// To the agent with the most room.
    LeastBusy,
    /// In turn.
    RoundRobin,
    /// To who has the skills asked for.
    Skills,
    /// As their department routes.
    Department,
}

impl ChatRouting {
    /// The queue's policy; `None` for the department's.
    #[must_use]
    pub const fn policy(self) -> Option<Policy> {
        Some(match self {
            Self::Manual => Policy::Manual,
            Self::LeastBusy => Policy::LeastBusy,
            Self::RoundRobin => Policy::RoundRobin,
            Self::Skills => Policy::Skills,
            Self::Department => return None,
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            phase5: true,
            phase5_origins: Vec::new(),
            fullmag: true,
            fullmag_origins: Vec::new(),
            fullmag_agents: false,
            ges: true,
            ges_origins: Vec::new(),
            tenant: tenant::DEFAULT.to_owned(),
            tms: true,
            tms_origins: Vec::new(),
            localpro: true,
            localpro_origins: Vec::new(),
            localpro_trusted_networks: Vec::new(),
            routing: ChatRouting::default(),
            connections_max: 20_000,
            socket_io_ping_ms: 25_000,
            socket_io_pong_ms: 20_000,
        }
    }
}

impl Config {
    /// Whether the settings make sense.
    ///
    /// # Errors
    ///
    /// The setting, and what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let lists = [
            ("dialects.phase5_origins", &self.phase5_origins),
            ("dialects.fullmag_origins", &self.fullmag_origins),
            ("dialects.ges_origins", &self.ges_origins),
            ("dialects.tms_origins", &self.tms_origins),
            ("dialects.localpro_origins", &self.localpro_origins),
        ];
        for (setting, origins) in lists {
            for origin in origins {
                origin
                    .parse::<Pattern>()
                    .map_err(|why| (setting, format!("{origin:?} allows no page: {why}")))?;
            }
        }
        for network in &self.localpro_trusted_networks {
            let setting = "dialects.localpro_trusted_networks";
            network
                .parse::<Network>()
                .map_err(|why| (setting, format!("{network:?} is no network: {why}")))?;
        }
        for (setting, ms, ms_max) in [
            // A poll is answered by the next ping, and has to be within a request's time.
            ("dialects.socket_io_ping_ms", self.socket_io_ping_ms, 30_000),
            ("dialects.socket_io_pong_ms", self.socket_io_pong_ms, 120_000),
        ] {
            if !(100..=ms_max).contains(&ms) {
                return Err((setting, format!("must be from 100 to {ms_max}")));
            }
        }
        if !tenant::is_name(&self.tenant) {
            return Err(("dialects.tenant", "is not a tenant's name".to_owned()));
        }
        Ok(())
    }
}

/// The routes of every dialect that the settings ask for, to stand beside our own.
pub fn router(config: &Config, doors: &Arc<Doors>) -> Router {
    let origins = |own: &[String]| Arc::new(Origins::new(Arc::clone(doors), own));
    let mut router = Router::new();
    let places = Places::new(config.connections_max);
    let mut socket_io = Mount::new(doors, &places, config);
    if config.phase5 {
        let origins = origins(&config.phase5_origins);
        socket_io.serve::<phase5::Live>("/", &origins, &config.phase5_origins, ());
        let manner = Manner(request::refused::<phase5::Phase5>);
        router = router.merge(cors::around(phase5::routes(doors), &origins, manner));
    }
    if config.fullmag {
        let origins = origins(&config.fullmag_origins);
        let support_from = if config.fullmag_agents { Role::Agent } else { Role::Supervisor };
        let profile = fullmag::Profile { support_from };
        let own = &config.fullmag_origins;
        socket_io.serve::<fullmag::Live>(fullmag::NAMESPACE, &origins, own, profile);
        let manner = Manner(request::refused::<fullmag::Fullmag>);
        let routes = fullmag::routes(doors, profile);
        router = router.merge(cors::around(routes, &origins, manner));
    }
    if config.ges {
        let routes = ges::routes(doors, TenantId(config.tenant.as_str().into()));
        let manner = Manner(request::refused::<ges::Ges>);
        router = router.merge(cors::around(routes, &origins(&config.ges_origins), manner));
    }
    if let Some((routes, own)) = socket_io.done() {
        let manner = Manner(|problem| problem.clone().into_response());
        router = router.merge(cors::around(routes, &origins(&own), manner));
    }
    if config.tms {
        let origins = origins(&config.tms_origins);
        let manner = Manner(request::refused::<tms::Tms>);
        router = router.merge(cors::around(tms::routes(doors, &places), &origins, manner));
    }
    if config.localpro {
        let origins = origins(&config.localpro_origins);
        let manner = Manner(request::refused::<localpro::Localpro>);
        let profile = localpro::Profile {
            home: TenantId(config.tenant.as_str().into()),
            trusted: trusted(&config.localpro_trusted_networks),
        };
        let routes = localpro::routes(doors, &places, profile);
        router = router.merge(cors::around(routes, &origins, manner));
    }
    router
}

/// Networks of the settings; what is none was refused with them.
fn trusted(networks: &[String]) -> Vec<Network> {
    networks.iter().filter_map(|network| network.parse().ok()).collect()
}

/// Socket.IO, once a dialect speaks it. Its transports are open to the pages of each of those
/// dialects, and refuse as our own API does; which namespace a page may enter is asked then.
struct Mount<'a> {
    doors: &'a Arc<Doors>,
    places: &'a Places,
    heartbeat: Heartbeat,
    socket_io: Option<SocketIo>,
    origins: Vec<String>,
}

impl<'a> Mount<'a> {
    const fn new(doors: &'a Arc<Doors>, places: &'a Places, config: &Config) -> Self {
        let heartbeat = Heartbeat {
            every: Duration::from_millis(config.socket_io_ping_ms),
            within: Duration::from_millis(config.socket_io_pong_ms),
        };
        Self { doors, places, heartbeat, socket_io: None, origins: Vec::new() }
    }

    fn serve<D: Dialect>(
        &mut self,
        namespace: &'static str,
        origins: &Arc<Origins>,
        own: &[String],
        profile: D::Profile,
    ) {
        let new = || SocketIo::new(self.doors, self.places, self.heartbeat);
        self.socket_io.get_or_insert_with(new).namespace::<D>(namespace, origins, profile);
        self.origins.extend_from_slice(own);
    }

    fn done(self) -> Option<(Router, Vec<String>)> {
        self.socket_io.map(|socket_io| (socket_io.routes(), self.origins))
    }
}
