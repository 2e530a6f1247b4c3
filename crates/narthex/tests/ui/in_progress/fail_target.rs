//! Expressions that give nothing to write to.

use narthex::{Counter, DynamicFamily, Gauge, Histogram};

struct Service {
    counter: Counter,
    gauge: Gauge,
    histogram: Histogram,
    family: DynamicFamily<Gauge>,
    number: u64,
}

impl Service {
    #[narthex::in_progress(self.counter)]
    fn wrong_instrument(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::in_progress(self.family)]
    async fn family(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::in_progress(&self.number)]
    fn no_instrument(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::in_progress(self.missed)]
    fn no_field(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::in_progress(self.gauge, crate = "elsewhere")]
    fn no_crate(&self) -> Result<(), ()> {
        Ok(())
    }
}

fn main() {}
