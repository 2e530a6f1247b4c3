//! Times a function with `#[timer]` and serves the result.
//!
//! ```sh
//! cargo run --example timer --features http
//! curl localhost:8000/metrics
//! ```

#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::time::Duration;

use narthex::{Buckets, Metrics, MetricsService, Registry, Server};

#[derive(Clone, Metrics)]
#[metrics(namespace = "worker")]
struct WorkerMetrics {
    /// Time to do a piece of work.
    #[metric(buckets = Buckets::exponential(0.001, 2.0, 8))]
    work_seconds: narthex::Histogram,
}

struct Worker {
    metrics: WorkerMetrics,
}

impl Worker {
    #[narthex::timer(self.metrics.work_seconds)]
    async fn work(&self) {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(1..20))).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let worker = Worker { metrics: WorkerMetrics::register(&registry)? };
    let address = std::env::args().nth(1).unwrap_or_else(|| "localhost:8000".into());
    let server = Server::bind(&*address).await?.serve(MetricsService::new(registry));
    println!("listening on {}", server.metrics_url());
    loop {
        worker.work().await;
    }
}
