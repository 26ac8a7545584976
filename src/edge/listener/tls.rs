//! TLS of our own: one certificate, read again when its files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use crate::phase::{self, Phase};

/// How often the files' times are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A certificate and its key.
#[derive(Debug)]
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
    /// The files' times when they were last read.
    seen: Mutex<Times>,
}

type Times = [Option<SystemTime>; 2];

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or is not PEM.
    #[error("reading {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("{path} holds no certificate")]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// The key is not the certificate's, or of a kind we do not know.
    #[error("using the certificate {path}")]
    Use {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When they cannot be read or do not go together.
    pub fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, Error> {
        let seen = Mutex::new(times(cert, key));
        let current = RwLock::new(read(cert, key)?);
        Ok(Arc::new(Self { cert: cert.to_owned(), key: key.to_owned(), current, seen }))
    }

    /// Speaks TLS with what was read last.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read()))
    }

    /// Reads the files again. Connections that are open keep what they have.
    ///
    /// # Errors
    ///
    /// As [`Tls::load`]; then what was read before stays in use.
    pub fn reload(&self) -> Result<(), Error> {
        *self.seen.lock() = times(&self.cert, &self.key);
        *self.current.write() = read(&self.cert, &self.key)?;
        Ok(())
    }

    /// Whether the files have changed since they were last read.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        *self.seen.lock() != times(&self.cert, &self.key)
    }

    /// Reads the files again whenever they change, and on SIGHUP, until the node drains.
    pub async fn keep_fresh(self: Arc<Self>, mut phase: phase::Watch) {
        // Without the signal, the files' times are enough.
        let mut asked = signal(SignalKind::hangup()).ok();
        loop {
            let is_asked = async {
                match &mut asked {
                    Some(asked) => asked.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = phase.reached(Phase::Draining) => return,
                _ = is_asked => {}
                () = tokio::time::sleep(LOOK_EVERY) => if !self.is_stale() { continue },
            }
            match self.reload() {
                Ok(()) => tracing::info!("certificate read again"),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "certificate not read again, the old one stays"
                ),
            }
        }
    }
}

fn read(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, Error> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Read { path, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(unreadable(cert))?;
    if chain.is_empty() {
        return Err(Error::Empty { path: cert.to_owned() });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let unusable = |source| Error::Use { path: cert.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Clients that come back after a drain are not made to pay for a whole handshake.
    config.ticketer = ring::Ticketer::new().map_err(unusable)?;
    Ok(Arc::new(config))
}

fn times(cert: &Path, key: &Path) -> Times {
    [cert, key].map(|path| std::fs::metadata(path).and_then(|it| it.modified()).ok())
}
