//! Mistakes of the user's own, which the compiler shows where they are.

use std::num::ParseIntError;

use narthex::Counter;

struct Service {
    metric: Counter,
}

impl Service {
    #[narthex::count_errors(self.metric)]
    fn wrong_type(&self) -> Result<u8, ParseIntError> {
        let number = "1".parse::<u16>()?;
        Ok(number)
    }

    #[narthex::count_errors(self.metric)]
    async fn wrong_error(&self) -> Result<u8, ParseIntError> {
        let number = "1".parse::<f64>()?;
        Ok(number as u8)
    }

    #[narthex::count_errors(self.metric)]
    async fn no_result(&self) -> Result<u8, ParseIntError> {
        "1".parse::<u8>().unwrap();
    }

    #[narthex::count_errors(self.metric)]
    fn unknown(&self) -> Result<u8, ParseIntError> {
        self.absent("1")
    }
}

fn main() {}
