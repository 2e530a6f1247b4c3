//! The forms that a user meets first, with no item imported.

#![deny(warnings, clippy::pedantic)]

struct Service {
    metric: narthex::Histogram,
}

impl Service {
    #[narthex::timer(self.metric)]
    fn run(&mut self) -> Result<u8, std::num::ParseIntError> {
        "1".parse()
    }

    #[narthex::timer(self.metric)]
    async fn run_async(&self, text: &str) -> Result<u8, std::num::ParseIntError> {
        let number = text.parse::<u8>()?;
        Ok(number)
    }
}

fn main() {
    let registry = narthex::Registry::new();
    let metric = narthex::Histogram::builder("metric", "Metric.").register(&registry).unwrap();
    let mut service = Service { metric };
    assert_eq!(service.run(), Ok(1));
    drop(service.run_async("1"));
}
