//! TLS towards carriers: one certificate with its key, from two files. Changed files are taken up
//! without a restart and without touching open connections; files that do not fit leave what was.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How often the files are looked at. Certificates are renewed weeks before they end.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Why a certificate is not taken.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is none in the file, or what is there is none.
    #[error("{} has no {what} in PEM", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
        /// What is looked for.
        what: &'static str,
    },
    /// The two do not fit.
    #[error("certificate and key cannot be used: {0}")]
    Unfit(#[from] rustls::Error),
}

/// The certificate that carriers are shown. Cloning it is cheap and gives the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    cert: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
    /// What was in the files when they were last looked at, fit or not.
    seen: Mutex<Files>,
}

/// What is in both files.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn open(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = read(cert, key)?;
        let config = ArcSwap::from_pointee(config(&files, cert, key)?);
        let (cert, key) = (cert.to_owned(), key.to_owned());
        Ok(Self(Arc::new(Inner { cert, key, config, seen: Mutex::new(files) })))
    }

    /// Takes the files up where they have changed since they were last looked at. Whether they
    /// have.
    ///
    /// # Errors
    /// They have, and do not fit: what was goes on.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let Inner { cert, key, config: used, seen } = self.0.as_ref();
        let files = read(cert, key)?;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == files {
            return Ok(false);
        }
        *seen = files.clone();
        used.store(Arc::new(config(&files, cert, key)?));
        Ok(true)
    }

    /// Looks at the files now and then, and whenever told to, for ever; says what came of it.
    pub async fn follow(self, told: &tokio::sync::Notify) {
        loop {
            let is_told = tokio::select! {
                () = told.notified() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let tls = self.clone();
            let reloaded = tokio::task::spawn_blocking(move || tls.reload()).await;
            match reloaded {
                Ok(Ok(true)) => tracing::info!("edge.tls: the new certificate is used"),
                Ok(Ok(false)) if is_told => tracing::info!("edge.tls: the certificate is the same"),
                Ok(Err(error)) => {
                    tracing::error!(%error, "edge.tls: the certificate stays as it was");
                }
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }

    /// Does the handshake.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<Box<TlsStream<TcpStream>>> {
        let acceptor = TlsAcceptor::from(self.0.config.load_full());
        acceptor.accept(stream).await.map(Box::new)
    }
}

fn read(cert: &Path, key: &Path) -> Result<Files, TlsError> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| TlsError::Unreadable { path: path.to_owned(), error })
    };
    Ok(Files { cert: read(cert)?, key: read(key)? })
}

fn config(files: &Files, cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let missing = |path: &Path, what| TlsError::Missing { path: path.to_owned(), what };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&files.cert)
        .collect::<Result<_, _>>()
        .map_err(|_| missing(cert, "certificate"))?;
    if chain.is_empty() {
        return Err(missing(cert, "certificate"));
    }
    let own = PrivateKeyDer::from_pem_slice(&files.key).map_err(|_| missing(key, "private key"))?;
    // TLS 1.2 and 1.3, whichever provider the process has installed otherwise.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, own)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A carrier that comes again need not do the whole handshake, whichever thread it comes to.
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}
