//! TLS, by rustls.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{
    Error, InconsistentKeys, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion, version,
};

use super::client;
use super::error::WebConfigError;
use super::files::Files;
use crate::server::guard::Io;
use crate::server::watch::Watched;

/// Everything that TLS is told.
#[derive(Debug)]
pub(super) struct TlsSettings {
    pub(super) certificate: Pem,
    pub(super) key: Pem,
    pub(super) client_auth: ClientAuth,
    pub(super) client_ca: Option<Pem>,
    /// The names of which a client's certificate must have one, if any is asked for.
    pub(super) client_sans: Option<Vec<String>>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    /// Names of cipher suites for TLS 1.2, where not all of them are wanted.
    pub(super) suites: Option<Vec<SupportedCipherSuite>>,
    pub(super) groups: Option<Vec<&'static dyn tokio_rustls::rustls::crypto::SupportedKxGroup>>,
    pub(super) prefer_client_order: bool,
}

/// PEM, or where it is.
pub(super) enum Pem {
    File(PathBuf),
    /// In the configuration at this path, under this key.
    Inline {
        text: String,
        file: PathBuf,
        key: &'static str,
    },
}

/// What is asked of clients, as Go's crypto/tls has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    None,
    Request,
    RequireAny,
    VerifyIfGiven,
    RequireAndVerify,
}

impl TlsSettings {
    pub(super) fn new(certificate: Pem, key: Pem) -> Self {
        Self {
            certificate,
            key,
            client_auth: ClientAuth::None,
            client_ca: None,
            client_sans: None,
            versions: vec![&version::TLS13, &version::TLS12],
            suites: None,
            groups: None,
            prefer_client_order: false,
        }
    }

    pub(super) fn load(self, files: &mut Files) -> Result<Arc<ServerConfig>, WebConfigError> {
        let chain = self.certificate.certificates(files)?;
        let key = self.key.private_key(files)?;
        let provider = Arc::new(self.provider());
        let verifier = match (self.client_auth, &self.client_ca) {
            (ClientAuth::None, _) => None,
            (ClientAuth::Request | ClientAuth::RequireAny, _) => {
                Some(client::any(self.client_auth, self.client_sans, &provider))
            }
            (ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify, Some(ca)) => {
                let roots = ca.authorities(files)?;
                let verifier =
                    client::verified(self.client_auth, roots, self.client_sans, &provider);
                Some(verifier.map_err(|error| ca.error(error.to_string()))?)
            }
            (ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify, None) => {
                let message = "client certificates cannot be verified without a client CA";
                return Err(self.certificate.error(message));
            }
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .map_err(|error| self.certificate.error(error.to_string()))?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                self.key.error("the key is not that of the certificate")
            }
            Error::InvalidCertificate(reason) => {
                self.certificate.error(format!("the certificate cannot be used: {reason}"))
            }
            error => self.key.error(format!("the key cannot be used: {error}")),
        })?;
        config.ignore_client_order = !self.prefer_client_order;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn provider(&self) -> CryptoProvider {
        let mut provider = ring::default_provider();
        if let Some(suites) = &self.suites {
            provider.cipher_suites.clone_from(suites);
        }
        if let Some(groups) = &self.groups {
            provider.kx_groups.clone_from(groups);
        }
        provider
    }
}

impl Pem {
    fn read(&self, files: &mut Files, is_secret: bool) -> Result<Vec<u8>, WebConfigError> {
        match self {
            Self::File(path) if is_secret => files.read_secret(path),
            Self::File(path) => files.read(path),
            Self::Inline { text, .. } => Ok(text.clone().into_bytes()),
        }
    }

    fn certificates(
        &self,
        files: &mut Files,
    ) -> Result<Vec<CertificateDer<'static>>, WebConfigError> {
        let pem = self.read(files, false)?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates
            .map_err(|error| self.error(format!("the certificates cannot be read: {error}")))?;
        match certificates.is_empty() {
            true => Err(self.error("there is no certificate in PEM")),
            false => Ok(certificates),
        }
    }

    fn private_key(&self, files: &mut Files) -> Result<PrivateKeyDer<'static>, WebConfigError> {
        let pem = self.read(files, true)?;
        // The reason could show what was taken for a key.
        PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| self.error("there is no private key in PEM without a passphrase"))
    }

    fn authorities(&self, files: &mut Files) -> Result<RootCertStore, WebConfigError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates(files)? {
            roots
                .add(certificate)
                .map_err(|error| self.error(format!("an authority cannot be used: {error}")))?;
        }
        Ok(roots)
    }

    fn error(&self, message: impl Into<String>) -> WebConfigError {
        match self {
            Self::File(path) => WebConfigError::of(path, message),
            Self::Inline { file, key, .. } => {
                WebConfigError::of(file, format!("`{key}`: {}", message.into()))
            }
        }
    }
}

/// Without what may be a key.
impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline { key, .. } => f.debug_tuple("Inline").field(key).finish(),
        }
    }
}

/// Takes a connection to TLS, or tells who speaks HTTP here that it is HTTPS.
pub(super) async fn handshake(
    mut io: Watched,
    config: Arc<ServerConfig>,
) -> io::Result<Box<dyn Io>> {
    let first = io.read_u8().await?;
    if first.is_ascii_uppercase() {
        return Err(answer_plain_http(io).await);
    }
    let stream = TlsAcceptor::from(config).accept(Ahead { first: Some(first), io }).await?;
    Ok(Box::new(stream))
}

/// The words are Go's, so that they are found.
const PLAIN: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

async fn answer_plain_http(mut io: Watched) -> io::Error {
    /// More than a head.
    const MOST: usize = 32 * 1024;
    let answer = async {
        io.write_all(PLAIN).await?;
        io.shutdown().await?;
        // Closing a socket that has unread bytes would take the answer back.
        let mut rest = [0; 1024];
        let mut read = 0;
        while read < MOST {
            match io.read(&mut rest).await? {
                0 => break,
                some => read += some,
            }
        }
        Ok::<_, io::Error>(())
    };
    match answer.await {
        Ok(()) => io::Error::other("the client spoke HTTP, and this is HTTPS"),
        Err(error) => error,
    }
}

/// A connection of which a byte was read ahead.
struct Ahead {
    first: Option<u8>,
    io: Watched,
}

impl AsyncRead for Ahead {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Ahead {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
