//! TLS: whom a client trusts, and who it says it is.

use std::fmt;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore};

use crate::error::{Fault, PushError, SettingsFault};

/// Whom to trust over TLS, and the certificate that says who asks; by default the authorities that
/// the machine trusts, and none.
///
/// ```no_run
/// use narthex_push::{ClientTls, Pusher};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = ClientTls::new()
///     .ca_certificates(std::fs::read("ca.pem")?)
///     .client_certificate(std::fs::read("client.pem")?, std::fs::read("client.key")?);
/// let pusher = Pusher::new("https://gateway:9091", "nightly_backup").tls(tls);
/// # Ok(())
/// # }
/// ```
///
/// The name of the server is always compared with its certificate.
#[derive(Clone, Default)]
pub struct ClientTls {
    /// In PEM, as the rest.
    authorities: Option<Arc<[u8]>>,
    identity: Option<Identity>,
}

#[derive(Clone)]
struct Identity {
    certificates: Arc<[u8]>,
    key: Arc<[u8]>,
}

impl ClientTls {
    /// Trusts the authorities that the machine trusts, and shows no certificate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these authorities, in PEM, and no others.
    #[must_use]
    pub fn ca_certificates(self, pem: impl AsRef<[u8]>) -> Self {
        Self { authorities: Some(pem.as_ref().into()), ..self }
    }

    /// Shows a certificate to a server that asks for one: in PEM, followed by those of the
    /// authorities between, and its private key, without a passphrase.
    #[must_use]
    pub fn client_certificate(self, certificates: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let (certificates, key) = (certificates.as_ref().into(), key.as_ref().into());
        Self { identity: Some(Identity { certificates, key }), ..self }
    }

    /// The settings as rustls has them, for connections that are not a pusher's: such as those that
    /// fetch the page to push.
    ///
    /// # Errors
    ///
    /// Fails where one of the certificates or the key cannot be used, and where this machine trusts
    /// nobody and no authority is given.
    pub fn config(&self) -> Result<ClientConfig, PushError> {
        let config = || config(self.roots(true)?, self.identity.as_ref());
        config().map_err(|fault| PushError::new(Fault::Settings(fault)))
    }

    pub(crate) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// What connects to the server that is pushed to, and what connects to wherever that redirects:
    /// a stranger does not get to know who asks.
    pub(crate) fn connectors(
        &self,
        tcp: HttpConnector,
        https: bool,
    ) -> Result<[HttpsConnector<HttpConnector>; 2], SettingsFault> {
        let roots = self.roots(https)?;
        let connector = |identity| {
            let https =
                HttpsConnectorBuilder::new().with_tls_config(config(roots.clone(), identity)?);
            Ok(https.https_or_http().enable_http1().wrap_connector(tcp.clone()))
        };
        Ok([connector(self.identity.as_ref())?, connector(None)?])
    }

    fn roots(&self, https: bool) -> Result<Arc<RootCertStore>, SettingsFault> {
        Ok(Arc::new(match &self.authorities {
            Some(pem) => own_roots(pem)?,
            None if https => system_roots()?,
            // A redirect to https finds nobody whom it could trust; reading the machine's
            // certificates takes long, and most gateways are never behind TLS.
            None => RootCertStore::empty(),
        }))
    }
}

/// Sessions are resumed by the configuration that they were made with: so that none is resumed for
/// another identity, each has a configuration of its own.
fn config(
    roots: Arc<RootCertStore>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, SettingsFault> {
    // Named, so that it does not matter what else the process uses.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default protocol versions")
        .with_root_certificates(roots);
    let Some(identity) = identity else { return Ok(config.with_no_client_auth()) };
    let certificates = certificates(&identity.certificates, "the client certificate")?;
    // The reason could show what was taken for a key.
    let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|_| {
        let message = "the key of the client certificate is none: there is no private key in PEM \
                       without a passphrase in it";
        SettingsFault::new(message)
    })?;
    config.with_client_auth_cert(certificates, key).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            SettingsFault::new("the key is not that of the client certificate")
        }
        error => SettingsFault::because("the client certificate cannot be used", error),
    })
}

fn own_roots(pem: &[u8]) -> Result<RootCertStore, SettingsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "the authority to trust")? {
        roots.add(certificate).map_err(|error| {
            SettingsFault::because("an authority to trust cannot be used", error)
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, SettingsFault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A machine may well have some that are not sound.
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        true => Err(SettingsFault::new("this machine trusts no authority, and none is given")),
        false => Ok(roots),
    }
}

/// All certificates in PEM; `what` they are is for errors.
fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, SettingsFault> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates
        .map_err(|error| SettingsFault::because(format!("{what} is not valid PEM"), error))?;
    match certificates.is_empty() {
        true => Err(SettingsFault::new(format!("{what} is none: there is no certificate in PEM"))),
        false => Ok(certificates),
    }
}

/// Without the key.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("has_authorities", &self.authorities.is_some())
            .field("has_identity", &self.identity.is_some())
            .finish()
    }
}
