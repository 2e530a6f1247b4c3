//! A job that ends before anybody could scrape it: it pushes what it has to say to a Pushgateway.
//!
//! ```sh
//! cargo run --example push --features push -- http://localhost:9091
//! ```

use std::io::Write as _;
use std::time::SystemTime;

use narthex::{Counter, Gauge, Histogram, Pusher, Registry};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gateway = std::env::args().nth(1).ok_or("the first argument is the gateway's URL")?;

    let registry = Registry::new();
    let files = Counter::builder("backup_files_total", "Files saved.").register(&registry)?;
    let sizes = Histogram::builder("backup_file_bytes", "Size of the files saved.")
        .buckets([1e3, 1e6, 1e9])
        .register(&registry)?;
    let done = Gauge::builder("backup_last_success_timestamp_seconds", "When a backup succeeded.")
        .register(&registry)?;

    for size in [120.0, 64_000.0, 2_500_000.0] {
        files.inc();
        sizes.observe(size);
    }
    done.set(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64());

    // In an async program: `pusher.push(&registry.gather()).await?`.
    let pusher = Pusher::new(gateway, "nightly_backup").grouping("instance", "db1").blocking()?;
    let pushed = pusher.push(&registry.gather())?;
    writeln!(std::io::stdout(), "pushed: {}", pushed.status())?;
    Ok(())
}
