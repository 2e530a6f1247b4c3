//! Two variants with one text, in each way to come by it.

use narthex::LabelValue;

#[derive(LabelValue)]
enum Outcome {
    HTTPError,
    HttpError,
    Done,
    #[label(rename = "done")]
    Finished,
}

#[derive(LabelValue)]
#[label(rename_all = "lowercase")]
enum Lower {
    NotFound,
    Notfound,
}

/// The follow-on of the errors above must not bury them.
fn needs<T: LabelValue>() {}

fn main() {
    needs::<Outcome>();
}
