//! Exports the temperature that a file holds, as many sensors under `/sys` have it.
//!
//! ```text
//! echo 21.5 > /tmp/thermo
//! cargo run -p narthex-exporter --example thermo -- --device /tmp/thermo
//! curl localhost:9111/metrics
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use narthex_core::Registry;
use narthex_exporter::{BoxError, Exporter, ScrapeContext, Settings, Source, WebArgs};

/// Temperatures of the house.
#[derive(clap::Parser)]
#[command(name = "thermo-exporter", version = "1.2.3")]
struct Cli {
    /// Sensor to read.
    #[arg(long)]
    device: PathBuf,
    #[command(flatten)]
    web: WebArgs,
}

struct Sensor {
    device: PathBuf,
}

impl Sensor {
    fn open(device: &Path) -> Result<Self, BoxError> {
        match device.try_exists()? {
            true => Ok(Self { device: device.to_owned() }),
            false => Err(format!("there is no sensor `{}`", device.display()).into()),
        }
    }
}

impl Source for Sensor {
    async fn collect(&self, scrape: &ScrapeContext) -> Result<(), BoxError> {
        let celsius: f64 = tokio::fs::read_to_string(&self.device).await?.trim().parse()?;
        scrape.gauge("temperature_celsius", "Temperature.").set(celsius);
        Ok(())
    }
}

fn main() -> ExitCode {
    narthex_exporter::main(Settings::new("THERMO").default_port(9111), async |cli: Cli| {
        let sensor = Sensor::open(&cli.device)?;
        Ok(Exporter::new("thermo-exporter", Registry::new(), cli.web).source("sensor", sensor))
    })
}
