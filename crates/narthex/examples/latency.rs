//! Durations as a histogram, classic and native, and as a counter, both with exemplars: the traces
//! to look at when a value is odd.
//!
//! Takes an address to listen on, then durations in seconds. Who scrapes in protobuf sees the
//! native buckets, who scrapes in OpenMetrics the exemplars, and in text there are neither.
//!
//! ```sh
//! cargo run --example latency --features http -- localhost:8000 0.1 0.25 0.4 1.5
//! curl -H 'Accept: application/openmetrics-text' localhost:8000/metrics
//! ```

#![expect(clippy::print_stdout, reason = "says where it listens")]

use narthex::{Counter, Histogram, MetricsService, Registry, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "localhost:8000".into());

    let registry = Registry::new();
    let requests = Counter::builder("requests_total", "Requests served.").register(&registry)?;
    let latency = Histogram::builder("request_seconds", "Time to serve a request.")
        .native(1.1)
        .buckets([0.1, 0.3, 1.0])
        .register(&registry)?;
    for (trace, seconds) in arguments.enumerate() {
        let trace = [("trace_id", format!("trace-{trace}"))];
        requests.inc_with_exemplar(trace.clone());
        latency.observe_with_exemplar(seconds.parse()?, trace);
    }

    let server = Server::bind(address).await?.serve(MetricsService::new(registry));
    println!("listening on {}", server.metrics_url());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await?;
    Ok(())
}
