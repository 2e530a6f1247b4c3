//! The smallest service: a counter with a constant label, served until Ctrl-C.
//!
//! ```sh
//! cargo run --example service --features http
//! curl localhost:8000/metrics
//! ```

#![expect(clippy::print_stdout, reason = "says where it listens")]

use narthex::{Counter, Family, Labels, MetricsService, Registry, Server};

#[derive(Labels)]
struct Event {
    kind: &'static str,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::builder().const_label("host", "db1").build()?;
    let events: Family<Counter, Event> =
        Family::builder("events_total", "Events seen.").register(&registry)?;
    events.with(&Event { kind: "timer_expire" }).inc();

    let address = std::env::args().nth(1).unwrap_or_else(|| "localhost:8000".into());
    let server = Server::bind(&*address).await?.serve(MetricsService::new(registry));
    println!("listening on {}", server.metrics_url());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await?;
    Ok(())
}
