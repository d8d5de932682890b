//! TLS, with certificates that can be replaced while it runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::Tls;

/// Why certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// A file is no PEM.
    #[error("expected PEM in {file}: {why}")]
    Pem {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The chain and the key do not fit.
    #[error("expected a certificate chain with its key: {0}")]
    Pair(rustls::Error),
}

/// What handshakes are made with.
pub(super) struct Certificates {
    files: Tls,
    config: ArcSwap<ServerConfig>,
}

impl Certificates {
    /// Reads both files.
    pub(super) fn load(files: Tls) -> Result<Self, TlsError> {
        let config = ArcSwap::new(read(&files)?);
        Ok(Self { files, config })
    }

    /// Reads both files again; what is wrong with them leaves the old ones in use.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        self.config.store(read(&self.files)?);
        Ok(())
    }

    /// For the next handshake.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

fn read(files: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
    let pem = |file: &std::path::Path, why: String| TlsError::Pem { file: file.display().to_string(), why };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(&files.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| pem(&files.key, error.to_string()))?;
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
