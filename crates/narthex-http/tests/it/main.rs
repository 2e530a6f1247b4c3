//! Tests over the public API, most of them through a socket.

mod accept_encoding;
mod access_log;
mod bind;
mod client;
mod drain;
mod framing;
mod gathers;
mod layer;
mod limits;
mod logs;
mod service;
mod site;
mod slow_readers;
