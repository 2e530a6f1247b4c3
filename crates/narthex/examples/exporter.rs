//! A whole exporter: a gauge with random values and a counter that grows at each scrape.
//!
//! ```sh
//! cargo run --example exporter --features exporter -- --port 9091
//! curl localhost:9091/metrics
//! ```

use narthex::exporter::{Exporter, ScrapeContext, Settings, WebArgs};
use narthex::{Counter, Family, Labels, Registry};

#[derive(clap::Parser)]
#[command(name = "sample-exporter", version, about = "Sample exporter")]
struct Cli {
    /// Name on the counter.
    #[arg(long, default_value = "spam")]
    baz: String,
    #[command(flatten)]
    web: WebArgs,
}

#[derive(Labels)]
struct Baz<'a> {
    baz: &'a str,
}

fn main() -> std::process::ExitCode {
    let settings = Settings::new("SAMPLE").default_port(9091);
    narthex::exporter::main(settings, async |cli: Cli| {
        let registry = Registry::new();
        let counter: Family<Counter, Baz<'static>> =
            Family::builder("a_counter_total", "A counter.").register(&registry)?;
        let counter = counter.resolve(&Baz { baz: &cli.baz });
        Ok(Exporter::new("sample-exporter", registry, cli.web).source(
            "sample",
            move |scrape: ScrapeContext| {
                counter.inc_by(fastrand::u64(0..10));
                let gauge = scrape.gauge_family("a_gauge", "A gauge.", ["foo", "bar"]);
                gauge.set(["this", "one"], fastrand::f64() * 100.0);
                gauge.set(["and", "that"], fastrand::f64() * 100.0);
                async {}
            },
        ))
    })
}
