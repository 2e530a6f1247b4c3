//! Types without the trait that gives the text.

use narthex::LabelValue;

struct Opaque;

#[derive(LabelValue)]
#[label(display)]
enum Status {
    Known(u16),
}

#[derive(LabelValue)]
struct Wrapper(Opaque);

#[derive(LabelValue)]
struct Shown(#[label(display)] Opaque);

fn main() {
    let _ = Status::Known(1);
}
