//! Pushes to servers that behave, and to servers that do not.

mod cancel;
mod conformance;
mod gateway;
mod periodic;
mod real;
mod redirect;
mod refused;
mod restarts;
mod settings;
mod support;
mod textfile;
#[cfg(feature = "tls")]
mod tls;
