//! Expressions that give nothing to write to.

use narthex::{Counter, DynamicFamily, Gauge, Histogram};

struct Service {
    counter: Counter,
    gauge: Gauge,
    histogram: Histogram,
    family: DynamicFamily<Histogram>,
    number: u64,
}

impl Service {
    #[narthex::timer(self.counter)]
    fn wrong_instrument(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::timer(self.family)]
    async fn family(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::timer(&self.number)]
    fn no_instrument(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::timer(self.missed)]
    fn no_field(&self) -> Result<(), ()> {
        Ok(())
    }

    #[narthex::timer(self.histogram, crate = "elsewhere")]
    fn no_crate(&self) -> Result<(), ()> {
        Ok(())
    }
}

fn main() {}
