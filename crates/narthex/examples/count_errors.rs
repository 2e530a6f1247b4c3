//! Counts what a function returns as an error with `#[count_errors]`.
//!
//! ```sh
//! cargo run --example count_errors --features http
//! curl localhost:8000/metrics
//! ```

#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::num::ParseIntError;
use std::time::Duration;

use narthex::{Counter, Metrics, MetricsService, Registry, Server};

#[derive(Metrics)]
#[metrics(namespace = "parser")]
struct Parser {
    /// Lines that were read.
    lines_total: Counter,
    /// Lines that are no number.
    failures_total: Counter,
}

impl Parser {
    #[narthex::count_errors(self.failures_total)]
    fn parse(&self, line: &str) -> Result<u32, ParseIntError> {
        self.lines_total.inc();
        line.trim().parse()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let parser = Parser::register(&registry)?;
    let address = std::env::args().nth(1).unwrap_or_else(|| "localhost:8000".into());
    let server = Server::bind(&*address).await?.serve(MetricsService::new(registry));
    println!("listening on {}", server.metrics_url());
    for line in ["1", "two", "3"].iter().cycle() {
        if let Err(error) = parser.parse(line) {
            println!("`{line}`: {error}");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
