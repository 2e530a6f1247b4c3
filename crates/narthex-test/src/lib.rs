//! What the tests of narthex share. Unpublished.
//!
//! - [`Process`] runs a program, [`Prometheus`] and [`Pushgateway`] the real servers; all end when
//!   dropped.
//! - [`Chromedriver`] is a real browser for clients of its driver, [`Nginx`] a proxy before a server.
//! - [`get`] and [`request`] talk HTTP/1.1 over a plain socket, so that a test of our server does
//!   not rest on the client stack that goes with it.
//! - [`Endpoint`] is a server that answers what a test wants it to.
//! - [`promtool_findings`] and [`openmetrics_findings`] give a second opinion on a page.
//! - [`example`] finds the program of an example, and [`proc_status`] what the kernel says of one.
//! - [`report_goal`] prints what a goal of `docs/reliability.md` asks for.
//! - [`Relay`] makes a scraper read a format that it would not ask for.
//! - [`required_component`] and [`conformance`] find what a machine may lack. A test that misses
//!   it says that it was skipped; under `CI=true` a missing component fails the test.
//!
//! As helpers of tests they panic where something goes wrong, with what was seen.

mod address;
mod chromedriver;
mod component;
mod endpoint;
mod example;
mod goal;
mod http;
mod nginx;
mod poll;
mod proc_status;
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
pub use example::example;
pub use goal::report_goal;
pub use http::{Response, get, request};
pub use nginx::Nginx;
pub use poll::poll;
pub use proc_status::{proc_status, resident_bytes};
pub use process::Process;
pub use prometheus::{Job, Prometheus};
pub use promtool::promtool_findings;
pub use pushgateway::Pushgateway;
pub use python::openmetrics_findings;
pub use relay::Relay;
