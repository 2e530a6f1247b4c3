//! What is asked of an endpoint, and which answers are taken.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::{Method, Uri};
use rustls::ClientConfig;
use toml::Spanned;

use super::client::{plain_config, private_config, system_config};
use super::seconds;
use crate::settings::Fields;

/// A request that is sent again and again.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) method: Method,
    pub(super) uri: Uri,
    /// Those with secrets are marked as sensitive.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) timeout: Duration,
    /// The most bytes that an answer may have.
    pub(super) max_size: usize,
    /// The statuses that are taken; where there is none, every 2xx.
    pub(super) status: Vec<u16>,
    /// The media type that is taken beside those of JSON; `*` is any.
    pub(super) content_type: Option<String>,
    pub(super) tls: Arc<ClientConfig>,
    /// The certificates that `tls` trusts, where the file names them.
    ca: Option<Vec<u8>>,
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_MAX_SIZE: usize = 4 << 20;
const USER_AGENT_VALUE: &str = concat!("narthex/", env!("CARGO_PKG_VERSION"));

impl Plan {
    pub(super) fn read(table: &mut Fields<'_>) -> Option<Self> {
        let endpoint = table.required::<String>("endpoint");
        let params = params(table);
        let uri = endpoint.and_then(|endpoint| {
            let uri = uri(endpoint.get_ref(), &params);
            table.check(&endpoint.span(), uri)
        });
        let body = table.optional::<toml::Value>("post_data");
        let body = body.and_then(|data| table.check(&data.span(), json(data.get_ref())));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        read_authorization(table, &mut headers);
        read_headers(table, &mut headers);
        let timeout = seconds(table, "timeout").unwrap_or(DEFAULT_TIMEOUT);
        let max_size = table.optional::<usize>("max_size").map(Spanned::into_inner);
        let status = table.optional::<Vec<u16>>("status").map(Spanned::into_inner);
        let content_type = table.optional::<String>("content_type").map(Spanned::into_inner);
        let ca = table.file("ca_file");
        let is_secure = uri.as_ref().is_some_and(|uri| uri.scheme_str() == Some("https"));
        let tls = match &ca {
            Some(ca) => table.check(&ca.span(), private_config(ca.get_ref()))?,
            None if is_secure => {
                let span = table.span();
                table.check(&span, system_config())?
            }
            None => plain_config(),
        };
        Some(Self {
            method: if body.is_some() { Method::POST } else { Method::GET },
            uri: uri?,
            headers,
            body: body.unwrap_or_default().into(),
            timeout,
            max_size: max_size.unwrap_or(DEFAULT_MAX_SIZE),
            status: status.unwrap_or_default(),
            content_type,
            tls,
            ca: ca.map(Spanned::into_inner),
        })
    }
}

/// Plans are equal where nobody could tell their requests apart.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.method == other.method
            && self.uri == other.uri
            && self.headers == other.headers
            && self.body == other.body
            && self.timeout == other.timeout
            && self.max_size == other.max_size
            && self.status == other.status
            && self.content_type == other.content_type
            && self.ca == other.ca
    }
}

/// The address without what may be a secret in it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{authority}{}", self.uri.scheme_str().unwrap_or_default(), self.uri.path())
    }
}

/// The parameters, encoded for the query of a URL.
fn params(table: &mut Fields<'_>) -> String {
    let mut query = String::new();
    let Some(mut fields) = table.table("params") else { return query };
    for (name, value) in fields.named::<toml::Value>() {
        let text = match value.get_ref() {
            toml::Value::String(text) => text.clone(),
            simple
            @ (toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_)) => {
                simple.to_string()
            }
            other => {
                let message =
                    format!("wrong type: expected a string or number, found {}", other.type_str());
                fields.fail(&value.span(), &message);
                continue;
            }
        };
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(&format!("{}={}", encoded(name.get_ref()), encoded(&text)));
    }
    table.end(fields);
    query
}

/// The text with all but unreserved characters encoded (RFC 3986, section 2).
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The address with the parameters. What is wrong is told without it, for it may hold secrets.
fn uri(endpoint: &str, params: &str) -> Result<Uri, String> {
    let not_valid = |_| "it is not a valid URL".to_owned();
    let uri: Uri = endpoint.parse().map_err(not_valid)?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
            return Err("a URL must not hold a password; `basic_auth` may".to_owned());
        }
        (Some("http" | "https"), Some(_)) => {}
        _ => return Err("it is not a URL that begins with `http://` or `https://`".to_owned()),
    }
    if params.is_empty() {
        return Ok(uri);
    }
    let joint = if uri.query().is_some() { '&' } else { '?' };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{path}{joint}{params}").parse().map_err(not_valid)?);
    Uri::from_parts(parts).map_err(|_| "it is not a valid URL".to_owned())
}

fn json(data: &toml::Value) -> Result<Vec<u8>, String> {
    let json = value_to_json(data)?;
    serde_json::to_vec(&json).map_err(|error| error.to_string())
}

fn value_to_json(value: &toml::Value) -> Result<serde_json::Value, String> {
    Ok(match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(integer) => (*integer).into(),
        toml::Value::Float(float) => serde_json::Number::from_f64(*float)
            .ok_or_else(|| format!("JSON has no number `{float}`"))?
            .into(),
        toml::Value::Boolean(boolean) => (*boolean).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => {
            items.iter().map(value_to_json).collect::<Result<Vec<_>, _>>()?.into()
        }
        toml::Value::Table(entries) => {
            let entry = |(key, value): (&String, _)| Ok((key.clone(), value_to_json(value)?));
            serde_json::Value::Object(entries.iter().map(entry).collect::<Result<_, String>>()?)
        }
    })
}

fn read_authorization(table: &mut Fields<'_>, headers: &mut HeaderMap) {
    let bearer = table.text("bearer_token");
    let basic = table.table("basic_auth").and_then(|mut fields| {
        let username = fields.required::<String>("username");
        let password = fields.text("password");
        let span = fields.span();
        table.end(fields);
        let (username, password) = (username?, password.map(Spanned::into_inner));
        let pair = format!("{}:{}", username.get_ref(), password.unwrap_or_default());
        Some((span, format!("Basic {}", BASE64_STANDARD.encode(pair))))
    });
    let (span, value) = match (bearer, basic) {
        (None, None) => return,
        (Some(token), None) => (token.span(), format!("Bearer {}", token.get_ref())),
        (None, Some(basic)) => basic,
        (Some(token), Some(_)) => {
            table.fail(&token.span(), "cannot be used with `basic_auth`");
            return;
        }
    };
    if let Some(value) = table.check(&span, header_value(&value)) {
        headers.insert(AUTHORIZATION, value);
    }
}

fn read_headers(table: &mut Fields<'_>, headers: &mut HeaderMap) {
    let Some(mut fields) = table.table("headers") else { return };
    for (name, value) in fields.named_texts() {
        let valid = HeaderName::try_from(name.get_ref())
            .map_err(|_| format!("`{}` is not a valid header name", name.get_ref().escape_debug()));
        let valid = fields.check(&name.span(), valid);
        let value = fields.check(&value.span(), header_value(value.get_ref()));
        if let (Some(name), Some(value)) = (valid, value) {
            headers.insert(name, value);
        }
    }
    table.end(fields);
}

/// A header's value, which is kept out of all output.
fn header_value(text: &str) -> Result<HeaderValue, &'static str> {
    let value = HeaderValue::try_from(text);
    let mut value = value.map_err(|_| "it has characters that no header can have")?;
    value.set_sensitive(true);
    Ok(value)
}
