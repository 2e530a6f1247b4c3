//! Who asks, and whom we trust, as the command line says it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use narthex_push::ClientTls;

/// Credentials, and certificates for https.
#[derive(Debug, clap::Args)]
pub(crate) struct AccessArgs {
    /// User for basic authentication.
    #[arg(long, value_name = "USER", requires = "password_file", help_heading = "Request")]
    user: Option<String>,

    /// File with the user's password.
    #[arg(long, value_name = "FILE", requires = "user", help_heading = "Request")]
    password_file: Option<PathBuf>,

    /// File with a bearer token.
    #[arg(long, value_name = "FILE", conflicts_with = "user", help_heading = "Request")]
    bearer_token_file: Option<PathBuf>,

    /// PEM file with the authorities to trust, and no others.
    #[arg(long, value_name = "FILE", help_heading = "Request")]
    ca: Option<PathBuf>,

    /// PEM file with the certificate to show to a server that asks for one.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Request")]
    cert: Option<PathBuf>,

    /// PEM file with the private key of that certificate, without a passphrase.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Request")]
    key: Option<PathBuf>,
}

impl AccessArgs {
    /// What the header `Authorization` says, if anything: printable, and a secret.
    pub(crate) fn authorization(&self) -> Result<Option<String>, UsageError> {
        match (&self.user, &self.password_file, &self.bearer_token_file) {
            (Some(user), _, _) if user.contains(':') => {
                let message = "the user has a colon, which basic authentication cannot send";
                Err(UsageError::new(message))
            }
            (Some(user), Some(password), _) => {
                let pair = format!("{user}:{}", secret(password)?);
                Ok(Some(format!("Basic {}", BASE64_STANDARD.encode(pair))))
            }
            (_, _, Some(file)) => {
                let token = secret(file)?;
                let is_printable = token.bytes().all(|byte| matches!(byte, b' '..=b'~'));
                if token.is_empty() || !is_printable {
                    let message = "the bearer token is empty or has characters that no header has";
                    return Err(UsageError::new(message));
                }
                Ok(Some(format!("Bearer {token}")))
            }
            _ => Ok(None),
        }
    }

    /// For the server that credentials are for.
    pub(crate) fn tls(&self) -> Result<ClientTls, UsageError> {
        let tls = self.trust()?;
        match self.cert.as_deref().zip(self.key.as_deref()) {
            Some((certificate, key)) => Ok(tls.client_certificate(read(certificate)?, read(key)?)),
            None => Ok(tls),
        }
    }

    /// For any other server, which does not get to know who asks.
    pub(crate) fn trust(&self) -> Result<ClientTls, UsageError> {
        match &self.ca {
            Some(ca) => Ok(ClientTls::new().ca_certificates(read(ca)?)),
            None => Ok(ClientTls::new()),
        }
    }

    /// Whether there is an option that says nothing about a server without TLS.
    pub(crate) fn is_for_https(&self) -> bool {
        self.ca.is_some() || self.cert.is_some()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, UsageError> {
    fs::read(path)
        .map_err(|error| UsageError::new(format!("`{}` cannot be read: {error}", path.display())))
}

/// A secret in a file, without the end of its line.
fn secret(path: &Path) -> Result<String, UsageError> {
    // The reason could show some of it.
    let text = String::from_utf8(read(path)?)
        .map_err(|_| UsageError::new(format!("`{}` is not text", path.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Arguments that cannot be used, or what they name.
#[derive(Debug)]
pub(crate) struct UsageError {
    message: String,
}

impl UsageError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UsageError {}
