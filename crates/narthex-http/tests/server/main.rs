//! The server on the open network: TLS, authentication, listeners, and what clients may not do.

mod auth;
mod certs;
mod client;
mod client_certs;
mod config;
mod listeners;
#[path = "../it/logs.rs"]
mod logs;
mod page;
mod raw;
mod real;
mod tls;
