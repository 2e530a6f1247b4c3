//! An application with every common instrument, its process and its runtime on one page.
//!
//! ```sh
//! cargo run --example app --features http,process,tokio
//! curl localhost:8000/metrics
//! ```

#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::time::Duration;

use narthex::process::{ProcessCollector, TokioCollector};
use narthex::{Counter, Gauge, Histogram, Metrics, MetricsService, Registry, Server, Summary};

#[derive(Metrics)]
#[metrics(namespace = "app")]
struct AppMetrics {
    /// Requests handled.
    requests_total: Counter,
    /// Jobs in the queue.
    queued_jobs: Gauge,
    /// Time to handle a request.
    request_seconds: Histogram,
    /// Payload of a request.
    #[metric(objectives = [(0.5, 0.05), (0.99, 0.001)])]
    request_bytes: Summary,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let app = AppMetrics::register(&registry)?;
    registry.register(ProcessCollector::new())?;
    registry.register(TokioCollector::current()?)?;

    let address = std::env::args().nth(1).unwrap_or_else(|| "localhost:8000".into());
    let server = Server::bind(&*address).await?.serve(MetricsService::new(registry));
    println!("listening on {}", server.metrics_url());
    loop {
        let _timer = app.request_seconds.start_timer();
        app.requests_total.inc();
        app.queued_jobs.set(fastrand::u32(0..10).into());
        app.request_bytes.observe(fastrand::u32(100..2000).into());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
