//! TLS and authentication, from the files that say what they are.

mod client;
mod credentials;
mod document;
mod error;
mod files;
mod rate;
mod tls;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{
    AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::rustls::ServerConfig;

use self::credentials::{Credentials, Verdict};
use self::document::Document;
pub use self::error::WebConfigError;
use self::files::Files;
use self::rate::Rate;
use self::tls::{ClientAuth, Pem, TlsSettings};
use super::Server;
use super::guard::{Guard, Io, Pending};
use super::metrics::{Refused, ServerMetrics};
use super::watch::Watched;
use crate::body::Body;
use crate::service::text_response;

/// How a [`Server`] is protected: TLS, passwords, tokens, headers and a rate limit.
///
/// Either everything comes from a [file](Self::file) as the Prometheus exporter toolkit has it, or
/// certificates are [named](Self::tls_files) directly; [bearer tokens](Self::bearer_token_file) go
/// with both. `/-/healthy` and `/-/ready` answer everybody, so that probes need no password;
/// everything else is covered, the landing page and own routes included. HTTP/2 is not served:
/// clients that offer it are answered in HTTP/1.1.
///
/// Files are looked at twice a second, and what has changed is used for new connections and
/// requests. What cannot be used is logged and counted in the server's
/// [metrics](Server::metrics), and the last good configuration stays: a certificate and its key may
/// be replaced one after the other. A [`WebConfigHandle`] has them looked at at once. TLS itself is
/// turned on or off at a start alone.
///
/// Passwords are checked away from the threads that serve, few at a time: where 64 wait already, a
/// request is answered 429. A password that was right is remembered, as a keyed digest, for as long
/// as the files stay; a wrong one is never. A wrong password costs the same time whether or not
/// there is such a user.
///
/// It needs the feature `tls`.
///
/// ```no_run
/// use narthex_core::Registry;
/// use narthex_http::{MetricsService, Server, WebConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = WebConfig::new().file("/etc/thermo/web.yml");
/// let server = Server::bind("0.0.0.0:9100").await?.web_config(config)?;
/// let running = server.serve(MetricsService::new(Registry::new()));
/// assert!(running.metrics_url().starts_with("https://"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct WebConfig {
    file: Option<PathBuf>,
    tls: Option<(PathBuf, PathBuf)>,
    client_ca: Option<PathBuf>,
    tokens: Option<PathBuf>,
}

impl WebConfig {
    /// No protection: plain HTTP for everybody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a web configuration file of the Prometheus [exporter toolkit][toolkit], in which
    /// relative paths are resolved against the file's own folder; by default there is none.
    ///
    /// All of its keys are understood. What rustls cannot do is an error: TLS below 1.2, cipher
    /// suites without forward secrecy or authenticated encryption, the curve P-521.
    ///
    /// [toolkit]: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Serves TLS with this certificate, followed by its chain, and this key, in PEM; by default
    /// there is no TLS.
    #[must_use]
    pub fn tls_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some((certificate.into(), key.into()));
        self
    }

    /// Requires of every client a certificate that one of these authorities has signed, in PEM; by
    /// default no client is asked for one.
    #[must_use]
    pub fn client_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.client_ca = Some(path.into());
        self
    }

    /// Lets in who presents a token of this file (RFC 6750), one a line; blank lines and those that
    /// begin with `#` are skipped. By default there are no tokens.
    #[must_use]
    pub fn bearer_token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tokens = Some(path.into());
        self
    }

    /// Reads all files and says what is wrong with them.
    ///
    /// # Errors
    /// Returns the [`WebConfigError`] that a server would be refused with.
    pub fn check(&self) -> Result<(), WebConfigError> {
        self.load(&mut Files::default()).map(drop)
    }

    fn load(&self, files: &mut Files) -> Result<State, WebConfigError> {
        let mut document = match &self.file {
            Some(path) => Document::read(path, files)?,
            None => Document::default(),
        };
        if let Some((certificate, key)) = &self.tls {
            if document.tls.is_some() {
                let place = self.file.as_deref().unwrap_or_else(|| Path::new(""));
                return Err(WebConfigError::of(place, "TLS is configured elsewhere as well"));
            }
            let (client_auth, client_ca) = match &self.client_ca {
                Some(ca) => (ClientAuth::RequireAndVerify, Some(Pem::File(ca.clone()))),
                None => (ClientAuth::None, None),
            };
            document.tls = Some(TlsSettings {
                client_auth,
                client_ca,
                ..TlsSettings::new(Pem::File(certificate.clone()), Pem::File(key.clone()))
            });
        } else if let Some(ca) = &self.client_ca {
            let message = "client certificates need TLS: a certificate and a key of the server";
            return Err(WebConfigError::of(ca, message));
        }
        let tls = document.tls.map(|tls| tls.load(files)).transpose()?;
        let tokens = match &self.tokens {
            Some(path) => credentials::read_tokens(path, files)?,
            None => Vec::new(),
        };
        let credentials = Credentials::new(document.users, tokens);
        Ok(State { tls, credentials, headers: document.headers, rate: document.rate })
    }
}

impl Server {
    /// Protects the server; by default it serves plain HTTP to everybody.
    ///
    /// The health endpoints' [own listener](Self::health_address) stays as it is.
    ///
    /// # Errors
    /// Returns a [`WebConfigError`] where a file cannot be read or used.
    pub fn web_config(mut self, config: WebConfig) -> Result<Self, WebConfigError> {
        let mut files = Files::default();
        let state = config.load(&mut files)?;
        let has_tls = state.tls.is_some();
        self.guard = Some(Arc::new(Protection {
            config,
            has_tls,
            state: Mutex::new(Arc::new(state)),
            read: Mutex::new(Read { files, outcome: Ok(()) }),
            metrics: self.metrics.clone(),
        }));
        Ok(self)
    }

    /// What makes the [web configuration](Self::web_config) be read again at once, where there is
    /// one.
    pub fn web_config_handle(&self) -> Option<WebConfigHandle> {
        self.guard.clone().map(WebConfigHandle)
    }
}

/// Makes a [`Server`] read its [`WebConfig`] again at once, for those who do not want to wait until
/// it has seen a change by itself, or want to know what came of it.
///
/// ```no_run
/// use narthex_http::{Server, WebConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let config = WebConfig::new().file("/etc/thermo/web.yml");
/// let server = Server::bind("0.0.0.0:9100").await?.web_config(config)?;
/// let handle = server.web_config_handle().expect("it was given one");
/// // Later, when the file has been written:
/// tokio::task::spawn_blocking(move || handle.reload()).await??;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct WebConfigHandle(Arc<dyn Guard>);

impl WebConfigHandle {
    /// Reads the files again if they have changed; new connections and requests see the change when
    /// this returns. It blocks, as files do.
    ///
    /// # Errors
    /// Returns the [`WebConfigError`] because of which the last good configuration stays.
    pub fn reload(&self) -> Result<(), WebConfigError> {
        self.0.reload()
    }
}

/// A protection at work.
struct Protection {
    config: WebConfig,
    has_tls: bool,
    /// The last good one.
    state: Mutex<Arc<State>>,
    read: Mutex<Read>,
    metrics: ServerMetrics,
}

/// What was read at the last try, and what came of it.
struct Read {
    files: Files,
    outcome: Result<(), WebConfigError>,
}

/// A protection as its files had it at some moment.
struct State {
    tls: Option<Arc<ServerConfig>>,
    credentials: Option<Credentials>,
    headers: Vec<(HeaderName, HeaderValue)>,
    rate: Option<Rate>,
}

impl Protection {
    fn state(&self) -> Arc<State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again if they have changed, and tells what came of the last try.
    ///
    /// The lock is held to the end, so that of two tries at once the later one counts.
    fn refresh(&self) -> Result<(), WebConfigError> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !read.files.have_changed() {
            return read.outcome.clone();
        }
        let mut files = Files::default();
        let loaded = self.config.load(&mut files);
        let outcome = loaded.and_then(|state| self.replace(state));
        *read = Read { files, outcome: outcome.clone() };
        match &outcome {
            Ok(()) => {
                self.metrics.reloaded();
                tracing::info!("the web configuration has changed and is in use");
            }
            Err(reason) => {
                self.metrics.reload_failed();
                tracing::warn!(%reason, "the web configuration has changed and cannot be used");
            }
        }
        outcome
    }

    fn replace(&self, state: State) -> Result<(), WebConfigError> {
        if state.tls.is_some() != self.has_tls {
            // Only a file can say so: certificates that are named are there at each reading.
            let place = self.config.file.as_deref().unwrap_or_else(|| Path::new(""));
            return Err(WebConfigError::of(place, "TLS is turned on or off at a start alone"));
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        Ok(())
    }
}

impl Guard for Protection {
    fn scheme(&self) -> &'static str {
        if self.has_tls { "https" } else { "http" }
    }

    fn handshake(self: Arc<Self>, io: Watched) -> Pending<'static, io::Result<Box<dyn Io>>> {
        match self.state().tls.clone() {
            Some(config) => Box::pin(tls::handshake(io, config)),
            None => Box::pin(async { Ok(Box::new(io) as Box<dyn Io>) }),
        }
    }

    fn refusal<'a>(&'a self, headers: &'a HeaderMap) -> Pending<'a, Option<Response<Body>>> {
        Box::pin(async {
            let state = self.state();
            if let Some(wait) = state.rate.as_ref().and_then(Rate::refuse) {
                self.metrics.refuse(Refused::Rate);
                return Some(too_many("too many requests\n", wait));
            }
            let credentials = state.credentials.as_ref()?;
            match credentials.check(headers.get_all(AUTHORIZATION)).await {
                Verdict::Granted => None,
                Verdict::Busy => {
                    self.metrics.refuse(Refused::Busy);
                    let text = "too many passwords are being checked\n";
                    Some(too_many(text, Duration::from_secs(1)))
                }
                Verdict::Refused(reason) => {
                    self.metrics.refuse(Refused::Credentials);
                    let mut response = text_response(StatusCode::UNAUTHORIZED, reason, false);
                    for challenge in credentials.challenges() {
                        let challenge = HeaderValue::from_static(challenge);
                        response.headers_mut().append(WWW_AUTHENTICATE, challenge);
                    }
                    Some(response)
                }
            }
        })
    }

    fn dress(&self, response: &mut Response<Body>) {
        for (name, value) in &self.state().headers {
            response.headers_mut().insert(name, value.clone());
        }
    }

    fn reload(&self) -> Result<(), WebConfigError> {
        self.refresh()
    }

    fn upkeep(self: Arc<Self>) -> Pending<'static, ()> {
        /// New certificates are to be in use within a second.
        const PERIOD: Duration = Duration::from_millis(500);
        Box::pin(async move {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let protection = self.clone();
                // What is wrong is in the log and on the page. It fails where it panics, and the
                // next time may be better.
                let _ = tokio::task::spawn_blocking(move || protection.refresh()).await;
            }
        })
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protection").field("config", &self.config).finish_non_exhaustive()
    }
}

fn too_many(text: &'static str, wait: Duration) -> Response<Body> {
    let mut response = text_response(StatusCode::TOO_MANY_REQUESTS, text, false);
    // Whole seconds, and not before the time has passed.
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}
