//! Who is on the other side.
//!
//! Attack: somebody between here and the host who pretends to be it. Certificates are verified against the machine's roots,
//! and those that the operator adds, by the name in the URL, TLS 1.2 and 1.3 only; there is no way to turn that off. Revocation is
//! not checked.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use oacp::capability::{Host, Target};
use oacp::http::ExchangeError;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore};

use crate::failure;

/// The machine's roots, read once in a process, when the first connection needs them: it takes milliseconds.
static SYSTEM_ROOTS: OnceLock<RootCertStore> = OnceLock::new();

/// Why a text adds no root certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RootsError {
    /// It is not PEM.
    #[error("the text is not PEM")]
    Pem,
    /// It is PEM, of something else.
    #[error("the text holds no certificate")]
    Empty,
    /// A certificate in it cannot be read.
    #[error("a certificate cannot be read")]
    Certificate,
}

/// TLS as a client speaks it: made once, when first needed.
pub(crate) struct Tls {
    extra: RootCertStore,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    /// # Errors
    /// Which of the texts, from 1, cannot be used, and why.
    pub(crate) fn new(extra_roots: &[Vec<u8>]) -> Result<Self, (usize, RootsError)> {
        let mut extra = RootCertStore::empty();
        for (number, pem) in (1..).zip(extra_roots) {
            add(&mut extra, pem).map_err(|e| (number, e))?;
        }
        Ok(Self {
            extra,
            config: OnceCell::new(),
        })
    }

    /// The handshake, by the target's name.
    pub(crate) async fn connect(
        &self,
        target: &Target,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ExchangeError> {
        let config = self.config.get_or_try_init(|| self.configure()).await?;
        let name = match target.host() {
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| failure::tls("no certificate can be for this name"))?,
            Host::V4(address) => ServerName::from(IpAddr::from(*address)),
            Host::V6(address) => ServerName::from(IpAddr::from(*address)),
        };
        TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
            .map_err(|e| {
                let error = e.get_ref().and_then(|e| e.downcast_ref::<Error>());
                failure::tls(format!("`{}`: {}", target.origin(), reason(error)))
            })
    }

    async fn configure(&self) -> Result<Arc<ClientConfig>, ExchangeError> {
        let system = tokio::task::spawn_blocking(|| SYSTEM_ROOTS.get_or_init(system_roots))
            .await
            .map_err(|_| failure::tls("the machine's root certificates were not read"))?;
        let mut roots = system.clone();
        roots.roots.extend(self.extra.roots.iter().cloned());
        if roots.is_empty() {
            return Err(failure::tls(
                "this machine has no root certificates, so no host can prove who it is",
            ));
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| failure::tls("this build has no TLS"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), RootsError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| RootsError::Pem)?;
        roots
            .add(certificate)
            .map_err(|_| RootsError::Certificate)?;
    }
    match roots.len() == before {
        true => Err(RootsError::Empty),
        false => Ok(()),
    }
}

/// What the machine has that can be read. A root that cannot be read is one less to be trusted.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// In words of our own: a certificate's names are the other side's text.
fn reason(error: Option<&Error>) -> &'static str {
    use CertificateError as Certificate;
    match error {
        Some(Error::InvalidCertificate(certificate)) => match certificate {
            Certificate::Expired | Certificate::ExpiredContext { .. } => {
                "the certificate has expired"
            }
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "the certificate is not valid yet"
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                "the certificate is for another name"
            }
            Certificate::UnknownIssuer => "nobody who is trusted issued the certificate",
            Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
                "the certificate is not for servers"
            }
            Certificate::Revoked => "the certificate was revoked",
            _ => "the certificate is not valid",
        },
        Some(Error::AlertReceived(_)) => "the other side ended the handshake",
        Some(Error::NoCertificatesPresented) => "the other side has no certificate",
        Some(_) => "the other side does not speak TLS as it should",
        None => "the connection ended during the handshake",
    }
}
