//! Types that have no text of their own.

use narthex::LabelValue;

#[derive(LabelValue)]
enum Status {
    Ok,
    Error(u16),
    Redirect { to: String },
}

#[derive(LabelValue)]
struct Nothing;

#[derive(LabelValue)]
struct Pair(u8, u8);

#[derive(LabelValue)]
union Either {
    left: u8,
    right: u8,
}

fn main() {}
