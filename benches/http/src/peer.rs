//! The same counters in `prometheus-client`, served as its documentation has it: encoded anew, into
//! a string, for each request.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::{SERIES, labels};

type Labels = Vec<(&'static str, String)>;

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::default();
    let requests = Family::<Labels, Counter>::default();
    registry.register("http_requests", "Requests served", requests.clone());
    for at in 0..SERIES {
        let [method, path, status] = labels(at);
        let labels = vec![("method", method), ("path", path), ("status", status)];
        requests.get_or_create(&labels).inc_by(at as u64);
    }
    registry
}

pub(crate) fn page(registry: &Registry) -> Bytes {
    let mut text = String::new();
    encode(&mut text, registry).expect("writing to a string does not fail");
    text.into()
}

pub(crate) fn zipped(registry: &Registry) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&page(registry)).expect("memory can be written to");
    gzip.finish().expect("memory can be written to").into()
}
