//! The certificates of clients.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::tls::ClientAuth;

/// Takes any certificate, as long as the client has its key.
pub(super) fn any(
    auth: ClientAuth,
    sans: Option<Vec<String>>,
    provider: &CryptoProvider,
) -> Arc<dyn ClientCertVerifier> {
    let is_mandatory = auth == ClientAuth::RequireAny;
    let algorithms = provider.signature_verification_algorithms;
    Arc::new(Verifier { authorities: None, is_mandatory, sans, algorithms })
}

/// Takes certificates that these authorities have signed.
pub(super) fn verified(
    auth: ClientAuth,
    roots: RootCertStore,
    sans: Option<Vec<String>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let is_mandatory = auth == ClientAuth::RequireAndVerify;
    let authorities = Some(builder.build()?);
    let algorithms = provider.signature_verification_algorithms;
    Ok(Arc::new(Verifier { authorities, is_mandatory, sans, algorithms }))
}

#[derive(Debug)]
struct Verifier {
    authorities: Option<Arc<dyn ClientCertVerifier>>,
    is_mandatory: bool,
    sans: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.authorities.as_ref().map_or(&[], |authorities| authorities.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(authorities) = &self.authorities {
            authorities.verify_client_cert(end_entity, intermediates, now)?;
        }
        if let Some(allowed) = &self.sans {
            let names = names(end_entity)?;
            if !names.iter().any(|name| allowed.contains(name)) {
                let reason = OtherError(Arc::new(ForeignName(names)));
                return Err(CertificateError::Other(reason).into());
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The alternative names of a certificate, as text: DNS names, mail and IP addresses, URIs.
fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, CertificateError> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let names = certificate.subject_alternative_name();
    let names = names.map_err(|_| CertificateError::BadEncoding)?;
    let names = names.into_iter().flat_map(|extension| &extension.value.general_names);
    Ok(names.filter_map(text).collect())
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(bytes) => Some(Ipv4Addr::from(bytes).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|b| Ipv6Addr::from(b).to_string()),
        },
        _ => None,
    }
}

/// A client that is none of those allowed.
#[derive(Debug)]
struct ForeignName(Vec<String>);

impl fmt::Display for ForeignName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client's certificate has no allowed alternative name")?;
        match self.0.as_slice() {
            [] => f.write_str(", it has none at all"),
            names => write!(f, ", but `{}`", names.join("`, `").escape_debug()),
        }
    }
}

impl std::error::Error for ForeignName {}
