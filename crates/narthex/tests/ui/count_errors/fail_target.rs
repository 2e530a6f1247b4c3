//! Expressions that give nothing to write to.

use narthex::{Counter, DynamicFamily, Gauge, Histogram};

struct Service {
    counter: Counter,
    gauge: Gauge,
    histogram: Histogram,
    family: DynamicFamily<Counter>,
    number: u64,
}

impl Service {
    #[narthex::count_errors(self.gauge)]
    fn wrong_instrument(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::count_errors(self.family)]
    async fn family(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::count_errors(&self.number)]
    fn no_instrument(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::count_errors(self.missed)]
    fn no_field(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::count_errors(self.counter, crate = "elsewhere")]
    fn no_crate(&self) -> Result<(), ()> {
        Ok(())
    }
}

fn main() {}
