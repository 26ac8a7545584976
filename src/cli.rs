//! The command line: what an operator can ask of the binary, and what its exit codes mean.
//!
//! Settings come from a file, over it the environment, over that the command line. Answers go to
//! standard output, everything else to standard error.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use switchboard_actors::clock::Clock as _;
use switchboard_domain::person::Role;
use switchboard_store::embedded;

use crate::auth::{self, Keys, Mint};
use crate::clock::SystemClock;
use crate::config::{self, Config, Engine, Environment};
use crate::directory::tenant;

pub mod pid;
mod account;
mod serve;
mod doctor;
mod migrate;

/// Longest life of a token that the command makes, in hours: a year.
const TOKEN_HOURS_MAX: u32 = 24 * 366;

/// A live-chat cluster in one binary.
#[derive(Debug, Parser)]
#[command(name = "switchboard", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The settings file; docs/SETTINGS.md lists what it may hold.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory, over `store.data_dir`.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 something failed, standard error says what; \
                          2 the command line is wrong; 3 the settings are wrong; \
                          4 the store or the actors failed while serving, start again";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; a second one cuts what is left.
    Serve(Serve),
    /// Print a token that this server accepts, signed with `jwt.secret`.
    Token(Token),
    /// Read all settings and say what is wrong, or print them as JSON, without secrets.
    CheckConfig,
    /// Write a copy of the database to a new file and check every record of it; works beside a
    /// running server.
    Backup {
        /// The file to make.
        to: PathBuf,
    },
    /// Make a backup the database of an empty data directory, after checking every record of it.
    Restore {
        /// The backup.
        from: PathBuf,
    },
    /// Check every record of the database; works beside a running server.
    Verify,
    /// Make the keyspace of `store.engine = "cql"` and bring its tables up to date; may run again,
    /// also beside servers of the version before.
    Migrate,
    /// Look at the settings and at the machine, and say what stands in the way of serving.
    Doctor,
    /// Ask the server that runs on the data directory to stop, and wait until it has.
    Drain,
    /// Own accounts of people.
    #[command(subcommand)]
    Account(Account),
}

#[derive(Debug, Subcommand)]
enum Account {
    /// Print a link, good once and for a week, with which somebody who is locked out sets another
    /// password. The server must be stopped.
    Reset {
        /// The mail address that the person signs in with.
        email: String,
        /// The person's tenant.
        #[arg(long, default_value = tenant::DEFAULT)]
        tenant: String,
    },
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Where clients come in, over `server.listen`.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where metrics and health are read, over `server.ops_listen`.
    #[arg(long, value_name = "ADDRESS")]
    ops_listen: Option<SocketAddr>,
    /// A PEM chain, over `server.tls_cert`.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its PEM key, over `server.tls_key`.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Seed demo data and allow its one-click sign-in: `server.demo` in `development`.
    #[arg(long)]
    demo: bool,
}

#[derive(Debug, clap::Args)]
struct Token {
    /// Whom it is for: the external id of the person.
    #[arg(long)]
    sub: String,
    /// What the person may do.
    #[arg(long, value_parser = ["visitor", "agent", "supervisor", "admin", "owner"])]
    role: String,
    /// The name to show.
    #[arg(long)]
    name: Option<String>,
    /// The mail address.
    #[arg(long)]
    email: Option<String>,
    /// How many hours it is good.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=i64::from(TOKEN_HOURS_MAX)))]
    hours: u32,
}

/// How a command ended, as the exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Settings = 3,
    Broken = 4,
}

/// Why a command did not do what was asked.
#[derive(Debug)]
struct Failed {
    exit: Exit,
    why: anyhow::Error,
}

impl Failed {
    fn because(why: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Failed, why: why.into() }
    }
}

impl From<config::Error> for Failed {
    fn from(error: config::Error) -> Self {
        Self { exit: Exit::Settings, why: error.into() }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::because(error)
    }
}

/// Does what the command line asks.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(said) => {
            // Help and version are asked for, and go to standard output.
            let _printed = said.print();
            let exit = if said.use_stderr() { Exit::Usage } else { Exit::Done };
            return ExitCode::from(exit as u8);
        }
    };
    let exit = match act(arguments, environment) {
        Ok(exit) => exit,
        Err(Failed { exit, why }) => {
            // Nobody is left to tell when standard error is closed.
            let _told = writeln!(io::stderr(), "switchboard: {why:#}");
            exit
        }
    };
    ExitCode::from(exit as u8)
}

fn act(
    arguments: Arguments,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Exit, Failed> {
    let mut config = Config::load(arguments.config.as_deref(), environment)?;
    if let Some(dir) = arguments.data_dir {
        config.store.data_dir = dir;
    }
    match arguments.command {
        Command::Serve(over) => {
            over.apply(&mut config);
            config.check()?;
            serve::serve(&config)
        }
        Command::Token(token) => {
            config.check()?;
            let minted = token.mint(&config).map_err(Failed::because)?;
            say(format_args!("{minted}"))
        }
        Command::CheckConfig => {
            config.check()?;
            let shown = serde_json::to_string_pretty(&config).map_err(Failed::because)?;
            say(format_args!("{shown}"))
        }
        Command::Backup { to } => {
            let report = embedded::backup(data_dir(&config)?, &to).map_err(Failed::because)?;
            say(format_args!("{}: {}", to.display(), Shown(report)))
        }
        Command::Restore { from } => {
            let dir = data_dir(&config)?;
            let report = embedded::restore(&from, dir).map_err(Failed::because)?;
            say(format_args!("{}: {}", dir.display(), Shown(report)))
        }
        Command::Verify => {
            let dir = data_dir(&config)?;
            let report = embedded::verify(dir).map_err(Failed::because)?;
            say(format_args!("{}: {}", dir.display(), Shown(report)))
        }
        Command::Account(Account::Reset { email, tenant }) => {
            config.check()?;
            account::reset(&config, &email, &tenant)
        }
        Command::Migrate => {
            config.check()?;
            migrate::migrate(&config)
        }
        Command::Doctor => doctor::look(&config),
        Command::Drain => {
            let within = config.server.drain_within() + pid::GRACE;
            let pid = pid::drain(data_dir(&config)?, within).map_err(Failed::because)?;
            say(format_args!("process {pid} has stopped"))
        }
    }
}

/// Answers on standard output.
fn say(answer: fmt::Arguments<'_>) -> Result<Exit, Failed> {
    writeln!(io::stdout(), "{answer}")?;
    Ok(Exit::Done)
}

fn data_dir(config: &Config) -> Result<&Path, Failed> {
    match config.store.engine {
        Engine::Embedded => Ok(&config.store.data_dir),
        Engine::Memory => {
            Err(Failed::because(anyhow::anyhow!("`store.engine` is `memory`: nothing is stored")))
        }
        Engine::Cql => Err(Failed::because(anyhow::anyhow!(
            "`store.engine` is `cql`: there is no data directory; use the database's own tools, \
             and SIGTERM to stop a server"
        ))),
    }
}

/// What a checked database holds, in words.
struct Shown(embedded::Report);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let embedded::Report { conversations, events, checkpoints, receipts, documents } = self.0;
        write!(
            f,
            "every record is as written: {conversations} conversations, {events} events, \
             {checkpoints} checkpoints, {receipts} receipts, {documents} documents"
        )
    }
}

impl Serve {
    fn apply(self, config: &mut Config) {
        let server = &mut config.server;
        server.listen = self.listen.unwrap_or(server.listen);
        server.ops_listen = self.ops_listen.unwrap_or(server.ops_listen);
        server.tls_cert = self.tls_cert.or(server.tls_cert.take());
        server.tls_key = self.tls_key.or(server.tls_key.take());
        if self.demo {
            server.demo = true;
            config.environment = Environment::Development;
        }
    }
}

impl Token {
    fn mint(&self, config: &Config) -> Result<String, auth::keys::Error> {
        let role = match self.role.as_str() {
            "agent" => Role::Agent,
            "supervisor" => Role::Supervisor,
            "admin" => Role::Admin,
            "owner" => Role::Owner,
            _ => Role::Visitor,
        };
        Keys::load(&config.jwt, &config.auth)?.mint(&Mint {
            subject: &self.sub,
            name: self.name.as_deref(),
            email: self.email.as_deref(),
            role,
            now: SystemClock::default().now(),
            lifetime_s: i64::from(self.hours) * 3_600,
        })
    }
}
