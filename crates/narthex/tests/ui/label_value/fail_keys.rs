//! Keys that do not exist, stand elsewhere, or contradict each other.

use narthex::LabelValue;

#[derive(LabelValue)]
#[label(rename_all = "snakecase")]
enum NearRule {
    #[label(skip)]
    Get,
    #[label(display)]
    Post,
    #[label(name = "x")]
    Put,
}

#[derive(LabelValue)]
#[label(rename_all = "title")]
enum FarRule {
    Get,
}

#[derive(LabelValue)]
#[label(rename = "x")]
enum Misplaced {
    Get,
}

#[derive(LabelValue)]
#[label(display, rename_all = "lowercase")]
enum Displayed {
    #[label(rename = "x")]
    Get,
}

impl std::fmt::Display for Displayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("get")
    }
}

#[derive(LabelValue)]
#[label(rename_all = "lowercase")]
struct Newtype(#[label(rename = "x")] u8);

#[derive(LabelValue)]
#[narthex(crate)]
#[narthex(crate = "not a path")]
struct Elsewhere(u8);

fn main() {}
