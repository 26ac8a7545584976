//! Who may speak: nodes whose certificate is signed by the cluster's own authority and names
//! them. Both sides of a connection show one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::ownership::NodeName;

/// A node's certificate and whose it trusts.
#[derive(Clone)]
pub struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    chain: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Where a node's credentials lie, each a PEM file.
#[derive(Clone, Debug)]
pub struct Files {
    /// The node's certificate, with those between it and the authority. It names the node.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority that signs the certificates of all nodes.
    pub authority: PathBuf,
}

/// Why nodes cannot speak TLS.
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
    /// The key is not the certificate's, or of a kind we do not know.
    #[error("using the node's certificate")]
    Use(#[from] rustls::Error),
    /// The certificate is too old, or of another authority: no node would take it.
    #[error("the cluster's authority does not vouch for the node's certificate")]
    Foreign(#[source] rustls::Error),
    /// The certificate is of another node.
    #[error("the certificate does not name the node `{node}`")]
    Unnamed {
        /// Which.
        node: NodeName,
    },
    /// The authority's certificates are no roots.
    #[error("using the cluster's authority")]
    Authority(#[from] VerifierBuilderError),
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// When they cannot be read or do not go together.
    pub fn load(files: &Files) -> Result<Self, Error> {
        let chain = certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
        Self::new(chain, key, certificates(&files.authority)?)
    }

    /// From what the files hold.
    ///
    /// # Errors
    ///
    /// When the parts do not go together.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        authority: Vec<CertificateDer<'static>>,
    ) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for root in authority {
            roots.add(root)?;
        }
        let roots = Arc::new(roots);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::clone(&verifier))
            .with_single_cert(chain.clone(), key.clone_key())?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.clone(), key)?;
        Ok(Self { server: Arc::new(server), client: Arc::new(client), chain, verifier })
    }

    /// Whether other nodes would believe now that these are the credentials of that node.
    ///
    /// # Errors
    ///
    /// [`Error::Foreign`], [`Error::Unnamed`].
    pub fn check(&self, node: &NodeName) -> Result<(), Error> {
        let Some((certificate, between)) = self.chain.split_first() else {
            return Err(Error::Unnamed { node: node.clone() });
        };
        let verified = self.verifier.verify_client_cert(certificate, between, UnixTime::now());
        verified.map_err(Error::Foreign)?;
        if names(certificate, node) {
            return Ok(());
        }
        Err(Error::Unnamed { node: node.clone() })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }

    pub(super) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.client))
    }
}

/// A node as certificates name it; `None` for a name that no certificate can hold.
pub(super) fn name_of(node: &NodeName) -> Option<ServerName<'static>> {
    ServerName::try_from(node.0.to_string()).ok()
}

/// Whether a certificate, already verified, names that node.
pub(super) fn names(certificate: &CertificateDer<'_>, node: &NodeName) -> bool {
    let (Ok(parsed), Some(name)) = (ParsedCertificate::try_from(certificate), name_of(node)) else {
        return false;
    };
    verify_server_name(&parsed, &name).is_ok()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl FnOnce(pem::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Read { path, source }
}
