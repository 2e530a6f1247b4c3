//! Shows how much work is in progress with `#[in_progress]`, however it ends.
//!
//! ```sh
//! cargo run --example in_progress --features http
//! curl localhost:8000/metrics
//! ```

#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::sync::Arc;
use std::time::Duration;

use narthex::{Counter, Gauge, Metrics, MetricsService, Registry, Server};
use tokio::time::{sleep, timeout};

#[derive(Metrics)]
#[metrics(namespace = "downloads")]
struct Downloads {
    /// Downloads being made now.
    in_progress: Gauge,
    /// Downloads that took too long.
    given_up_total: Counter,
}

impl Downloads {
    #[narthex::in_progress(self.in_progress)]
    async fn download(&self) {
        sleep(Duration::from_millis(fastrand::u64(10..100))).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let downloads = Arc::new(Downloads::register(&registry)?);
    let address = std::env::args().nth(1).unwrap_or_else(|| "localhost:8000".into());
    let server = Server::bind(&*address).await?.serve(MetricsService::new(registry));
    println!("listening on {}", server.metrics_url());
    loop {
        let downloads = downloads.clone();
        tokio::spawn(async move {
            // What is given up is cancelled, and no longer in progress either.
            if timeout(Duration::from_millis(50), downloads.download()).await.is_err() {
                downloads.given_up_total.inc();
            }
        });
        sleep(Duration::from_millis(10)).await;
    }
}
