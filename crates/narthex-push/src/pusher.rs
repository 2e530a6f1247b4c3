//! The client of a Pushgateway.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::header::{HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use narthex_format::{Format, TextVersion};
use narthex_model::{Escaping, Problem, Scrape};

use crate::body::{self, Body, Coding};
use crate::client::{Client, ClientTls};
use crate::error::{Fault, PushError, SettingsFault};
use crate::exchange::{Message, Success, authorize, basic, bearer};
use crate::group::{Group, Names};
use crate::retry::{self, Patience};
use crate::target::Url;

/// Sends metrics to a Pushgateway, or to any other URL that takes a page of them.
///
/// A gateway keeps the metrics of each group until they are replaced or deleted. The group is the
/// job and the [grouping](Self::grouping) labels, and belongs to one pusher: who shares a group
/// overwrites each other.
///
/// Clones share their connections, which are kept and used again. Settings that cannot work do not
/// fail where they are made but where something is sent, before that; [`check`](Self::check) does
/// the same at once.
///
/// ```no_run
/// use narthex_core::{Counter, Registry};
/// use narthex_push::Pusher;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::new();
/// Counter::builder("files_saved_total", "Files saved.").register(&registry)?.inc_by(3);
/// let pusher = Pusher::new("http://gateway:9091", "nightly_backup").grouping("instance", "db1");
/// pusher.push(&registry.gather()).await?;
/// # Ok(())
/// # }
/// ```
///
/// Redirects are followed with method and body as they are, unless they lead from `https` to
/// `http`. Only the server that was asked first gets to see credentials, the client certificate and
/// own headers.
#[derive(Clone)]
pub struct Pusher {
    settings: Settings,
    /// Made when it is first needed, and again when the settings change.
    prepared: Arc<OnceLock<Prepared>>,
}

#[derive(Clone)]
struct Settings {
    url: String,
    /// `None` where the URL is taken as it is.
    job: Option<String>,
    grouping: Vec<(String, String)>,
    names: Names,
    kind: BodyKind,
    gzip: bool,
    headers: HeaderMap,
    tls: ClientTls,
    connect_timeout: Duration,
    patience: Patience,
    /// The first thing that is wrong.
    fault: Option<SettingsFault>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyKind {
    Text,
    Protobuf,
}

/// Settings that can work.
struct Prepared {
    url: Url,
    group: Option<Group>,
    client: Client,
    /// Problems of scrapes that were logged.
    told: Mutex<Vec<Problem>>,
}

/// A push that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub(crate) status: StatusCode,
    pub(crate) attempts: u32,
}

impl Pushed {
    /// The status of the answer; 202 where the gateway has queued the push.
    pub fn status(self) -> StatusCode {
        self.status
    }

    /// How often it was tried.
    pub fn attempts(self) -> u32 {
        self.attempts
    }
}

impl Pusher {
    /// A pusher for the group of `job` on the Pushgateway at `url`, of which a path prefix is kept.
    pub fn new(url: impl Into<String>, job: impl Into<String>) -> Self {
        Self::with(url.into(), Some(job.into()))
    }

    /// A pusher to exactly this URL, such as VictoriaMetrics's
    /// `http://victoria:8428/api/v1/import/prometheus`.
    ///
    /// There are no groups and so no grouping labels; metrics are sent as they are, with timestamps
    /// where they have any. Every status from 200 to 299 is a success.
    pub fn to_url(url: impl Into<String>) -> Self {
        Self::with(url.into(), None)
    }

    fn with(url: String, job: Option<String>) -> Self {
        let settings = Settings {
            url,
            job,
            grouping: Vec::new(),
            names: Names::default(),
            kind: BodyKind::Text,
            gzip: false,
            headers: HeaderMap::new(),
            tls: ClientTls::default(),
            connect_timeout: Duration::from_secs(5),
            patience: Patience { timeout: Duration::from_secs(10), retries: 3 },
            fault: None,
        };
        Self { settings, prepared: Arc::default() }
    }

    /// Adds a label of the grouping key; the gateway puts it on every metric of the group.
    #[must_use]
    pub fn grouping(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change(|settings| settings.grouping.push((name.into(), value.into())))
    }

    /// Lets label names of the grouping key and names of metrics be any UTF-8, for a gateway that
    /// runs with `--push.enable-utf8-names`.
    ///
    /// Else such a label name is refused, and names in the body are written with underscores.
    #[must_use]
    pub fn utf8_names(self) -> Self {
        self.change(|settings| settings.names = Names::Utf8)
    }

    /// Sends protobuf instead of the text format: the one way to push native histograms, which a
    /// gateway since 1.5 keeps.
    #[must_use]
    pub fn protobuf(self) -> Self {
        self.change(|settings| settings.kind = BodyKind::Protobuf)
    }

    /// Compresses what is sent.
    #[must_use]
    pub fn gzip(self) -> Self {
        self.change(|settings| settings.gzip = true)
    }

    /// Sends a user and a password with each request.
    #[must_use]
    pub fn basic_auth(self, user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        let value = basic(user.as_ref(), password.as_ref());
        self.authorization(value, "the user has a colon, which basic authentication cannot send")
    }

    /// Sends a bearer token with each request.
    #[must_use]
    pub fn bearer_token(self, token: impl AsRef<str>) -> Self {
        let value = bearer(token.as_ref());
        self.authorization(value, "the bearer token is empty or has characters that no header has")
    }

    fn authorization(self, value: Option<HeaderValue>, otherwise: &'static str) -> Self {
        self.change(|settings| match value {
            Some(value) => authorize(&mut settings.headers, value),
            None => settings.fail(SettingsFault::new(otherwise)),
        })
    }

    /// Sends a header with each request; its value is never shown.
    #[must_use]
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.change(|settings| {
            let name = name.as_ref();
            let header = name.parse::<HeaderName>().ok();
            let Some((header, mut value)) = header.zip(HeaderValue::try_from(value.as_ref()).ok())
            else {
                let message =
                    format!("`{}` is no header, or its value is none", name.escape_debug());
                return settings.fail(SettingsFault::new(message));
            };
            if FRAMING.contains(&header.as_str()) {
                let message = format!("the header `{header}` follows from what is sent");
                return settings.fail(SettingsFault::new(message));
            }
            value.set_sensitive(true);
            settings.headers.append(header, value);
        })
    }

    /// Whom to trust over TLS, and which certificate to show; by default the authorities that the
    /// machine trusts, and none.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, tls: ClientTls) -> Self {
        self.change(|settings| settings.tls = tls)
    }

    /// How long a connection may take, from the name to the end of the TLS handshake; by default
    /// 5 s.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        self.change(|settings| settings.connect_timeout = limit)
    }

    /// How long everything may take, retries and the pauses between them included; by default 10 s.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        self.change(|settings| settings.patience.timeout = limit)
    }

    /// How often to try again within the time; by default 3 times.
    ///
    /// Pauses double from 0.2 s, with jitter, unless the server asks for another one in
    /// `Retry-After`. A push or a deletion is tried again after a broken connection, 429 and 5xx;
    /// an addition only when there was no connection, for the server could count it twice.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.change(|settings| settings.patience.retries = retries)
    }

    fn change(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.prepared = Arc::default();
        self
    }

    /// Replaces all metrics of the group by these (PUT).
    ///
    /// # Errors
    ///
    /// Fails where the settings cannot work or the gateway would refuse the metrics, before
    /// anything is sent; where it cannot be reached in time; and where it refuses the push.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection. The gateway has then taken all of the push or
    /// none of it.
    pub async fn push(&self, scrape: &Scrape) -> Result<Pushed, PushError> {
        self.send(Method::PUT, Some(scrape)).await
    }

    /// Replaces the metrics of the group that have the same names as these, and keeps the others
    /// (POST).
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    ///
    /// # Cancel safety
    ///
    /// As [`push`](Self::push).
    pub async fn add(&self, scrape: &Scrape) -> Result<Pushed, PushError> {
        self.send(Method::POST, Some(scrape)).await
    }

    /// Deletes the group with all its metrics (DELETE); there need not be one.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    ///
    /// # Cancel safety
    ///
    /// As [`push`](Self::push).
    pub async fn delete(&self) -> Result<Pushed, PushError> {
        self.send(Method::DELETE, None).await
    }

    /// Sees whether the settings can work, which each push does as well.
    ///
    /// # Errors
    ///
    /// Fails with the first thing that is wrong with them.
    pub fn check(&self) -> Result<(), PushError> {
        self.prepared().map(drop)
    }

    /// The metrics of one push as it would send them, or why a gateway would refuse them.
    fn body(&self, prepared: &Prepared, scrape: &Scrape) -> Result<Body, PushError> {
        let coding = self.settings.coding();
        if let Some(group) = &prepared.group {
            body::check(scrape, group, coding.format)?;
        }
        let (body, left_out) = coding.encode(scrape);
        prepared.tell(scrape.problems().iter().chain(&left_out));
        Ok(body)
    }

    async fn send(&self, method: Method, scrape: Option<&Scrape>) -> Result<Pushed, PushError> {
        if tokio::runtime::Handle::try_current().is_err() {
            let message =
                "there is no tokio runtime here; `blocking()` gives a pusher with its own";
            return Err(PushError::new(Fault::Runtime(message.into(), None)));
        }
        let prepared = self.prepared()?;
        let body = match scrape {
            Some(scrape) => self.body(prepared, scrape)?,
            None => Body::default(),
        };
        let mut headers = body.headers;
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let confidential = self.settings.headers.clone();
        let message = Message { method, body: body.bytes, headers, confidential };
        let success = if prepared.group.is_some() { Success::Gateway } else { Success::Any };
        let patience = self.settings.patience;
        retry::send(&prepared.client, &prepared.url, &message, success, patience).await
    }

    fn prepared(&self) -> Result<&Prepared, PushError> {
        if let Some(prepared) = self.prepared.get() {
            return Ok(prepared);
        }
        let prepared =
            self.settings.prepare().map_err(|fault| PushError::new(Fault::Settings(fault)))?;
        Ok(self.prepared.get_or_init(|| prepared))
    }
}

/// Headers that follow from the body and the connection.
const FRAMING: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
];

const AGENT: &str = concat!("narthex/", env!("CARGO_PKG_VERSION"));

impl Settings {
    fn prepare(&self) -> Result<Prepared, SettingsFault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let url = Url::parse(&self.url)?;
        let group = match &self.job {
            Some(job) => Some(Group::new(job, &self.grouping, self.names)?),
            None if self.grouping.is_empty() => None,
            None => {
                let message = "there is no grouping key in a URL that is taken as it is";
                return Err(SettingsFault::new(message));
            }
        };
        let url =
            group.as_ref().map_or_else(|| Ok(url.clone()), |group| url.join(&group.path()))?;
        url.uri().map_err(|error| SettingsFault::because("the URL cannot be requested", error))?;
        if self.connect_timeout.is_zero() || self.patience.timeout.is_zero() {
            return Err(SettingsFault::new("nothing can be done in no time: a timeout is 0"));
        }
        let client = Client::new(self.connect_timeout, url.is_https(), &self.tls)?;
        Ok(Prepared { url, group, client, told: Mutex::default() })
    }

    fn coding(&self) -> Coding {
        let escaping = match self.names {
            Names::Classic => Escaping::Underscores,
            Names::Utf8 => Escaping::AllowUtf8,
        };
        let format = match self.kind {
            BodyKind::Text => Format::Text { version: TextVersion::V0_0_4, escaping },
            BodyKind::Protobuf => Format::Protobuf { escaping },
        };
        Coding { format, gzip: self.gzip }
    }

    fn fail(&mut self, fault: SettingsFault) {
        self.fault.get_or_insert(fault);
    }
}

impl Prepared {
    /// Logs each problem of a scrape once.
    fn tell<'a>(&self, problems: impl Iterator<Item = &'a Problem>) {
        for problem in problems {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= MOST_TOLD || told.contains(problem) {
                continue;
            }
            told.push(problem.clone());
            // A log layer is foreign code, so it runs without the lock.
            drop(told);
            let problem = problem.to_string();
            tracing::warn!(problem = %problem.escape_debug(), "the push is incomplete");
        }
    }
}

/// So many distinct problems are logged at most, and remembered for it.
const MOST_TOLD: usize = 100;

impl fmt::Debug for Pusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of headers are marked, and a URL with a password is refused: but it is refused
        // later than it may be shown.
        let url = Url::parse(&self.settings.url).map(|url| url.to_string());
        f.debug_struct("Pusher")
            .field("url", &url.as_deref().unwrap_or("(not valid)"))
            .field("job", &self.settings.job)
            .field("grouping", &self.settings.grouping)
            .field("headers", &self.settings.headers)
            .finish_non_exhaustive()
    }
}
