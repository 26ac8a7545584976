//! Logs: what is written where, and tasks that carry a name.
//!
//! No line ever holds content, tokens, mail addresses or file names, and of a request's target
//! only the path: see [`without_query`].

use std::future::Future;
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use tracing_subscriber::EnvFilter;

/// Our own lines from info on; of the framework and the web server only what is odd.
const FILTER: &str = "info,ractor=warn,ractor_cluster=error,hyper=warn";

/// The section `[log]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which lines are written: `level` or `target=level`, separated by commas; the levels are
    /// `error`, `warn`, `info`, `debug`, `trace` and `off`.
    pub filter: String,
    /// `text` for people or `json` for collectors, one object a line. Both go to standard error.
    pub format: Format,
}

impl Default for Config {
    fn default() -> Self {
        Self { filter: FILTER.to_owned(), format: Format::Text }
    }
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people; in color on a terminal.
    Text,
    /// For collectors.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter cannot be read.
    #[error("setting `log.filter`")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// Something else of this process already writes logs.
    #[error("logs are set up twice")]
    Twice,
}

/// Whether the filter can be read.
///
/// # Errors
///
/// [`Error::Filter`].
pub fn check(config: &Config) -> Result<(), Error> {
    filter(config).map(|_| ())
}

fn filter(config: &Config) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(&config.filter).map_err(Error::Filter)
}

/// Sets up the logs of this process, and a hook that writes each panic as one line.
///
/// # Errors
///
/// When the filter cannot be read, or logs are set up already.
pub fn start(config: &Config) -> Result<(), Error> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(config)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let set = match config.format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).with_current_span(true).try_init(),
    };
    // The error says nothing but that there is a subscriber already.
    set.map_err(|_twice| Error::Twice)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic ends one actor or task, which is started again (P8), and is an error to look at. Its
/// words are written by our code, never by a client: bounded and without line ends all the same.
fn log_panic(panic: &PanicHookInfo<'_>) {
    const WORDS_MAX: usize = 300;
    let words = panic.payload_as_str().unwrap_or("no words");
    let words: String = words.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(words, place, thread = thread.name().unwrap_or("unnamed"), "panicked");
}

/// Starts a task under a name: its lines carry it. Use this and never the bare call, so that
/// every line of a log can be traced to the task that wrote it.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.instrument(tracing::info_span!("task", name)))
}

/// Starts one of thousands of alike tasks: a connection. It has no span, because a span that
/// lives as long as a connection costs as much memory as the connection.
pub fn spawn_light<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// The path of a request's target, for logs: the query may hold what nobody should read there.
#[must_use]
pub fn without_query(target: &http::Uri) -> &str {
    target.path()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        for (text, fine) in
            [(FILTER, true), ("warn,switchboard::edge=debug", true), ("a=b=c", false)]
        {
            let config = Config { filter: text.to_owned(), ..Config::default() };
            assert_eq!(check(&config).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn a_query_is_never_shown() {
        let target = http::Uri::from_static("/v1/stream?token=secret");
        assert_eq!(without_query(&target), "/v1/stream");
    }
}
