//! What the tests of narthex share. Unpublished.
//!
//! - [`Process`] runs a program, [`Prometheus`] and [`Pushgateway`] the real servers; all end when
//!   dropped.
//! - [`Chromedriver`] is a real browser for clients of its driver, [`Nginx`] a proxy before a server.
//! - [`get`] and [`request`] talk HTTP/1.1 over a plain socket, so that a test of our server does
//!   not rest on the client stack that goes with it.
//! - [`Endpoint`] is a server that answers what a test wants it to.
//! - [`promtool_findings`] and [`openmetrics_findings`] give a second opinion on a page.
//! - [`Relay`] makes a scraper read a format that it would not ask for.
//! - [`required_component`] and [`conformance`] find what a machine may lack. A test that misses
//!   it says that it was skipped; under `CI=true` a missing component fails the test.
//!
//! As helpers of tests they panic where something goes wrong, with what was seen.

mod address;
mod chromedriver;
mod component;
mod endpoint;
mod http;
mod nginx;
mod poll;
mod process;
mod prometheus;
mod promtool;
mod pushgateway;
mod python;
mod relay;

pub use address::free_address;
pub use chromedriver::Chromedriver;
pub use component::{conformance, required_component};
pub use endpoint::{Endpoint, respond};
pub use http::{Response, get, request};
pub use nginx::Nginx;
pub use poll::poll;
pub use process::Process;
pub use prometheus::{Job, Prometheus};
pub use promtool::promtool_findings;
pub use pushgateway::Pushgateway;
pub use python::openmetrics_findings;
pub use relay::Relay;
