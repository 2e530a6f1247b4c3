//! Only a struct with named fields, or with none, is a set of labels.

use narthex::Labels;

#[derive(Labels)]
struct Request(u16, bool);

#[derive(Labels)]
enum Method {
    Get,
}

#[derive(Labels)]
union Either {
    left: u8,
    right: u8,
}

fn main() {}
