//! The smallest use: a counter, rendered as a page.
//!
//! ```sh
//! cargo run --example counter
//! ```

use narthex::{Counter, Format, Registry};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let events = Counter::builder("events_total", "Events seen.").register(&registry)?;
    for _ in 0..3 {
        events.inc();
    }
    Format::TEXT.write(&registry.gather(), &mut std::io::stdout().lock())?;
    Ok(())
}
