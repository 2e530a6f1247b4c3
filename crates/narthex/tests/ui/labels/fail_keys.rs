//! Keys that do not exist, stand elsewhere, or have another form.

use narthex::Labels;

#[derive(Labels)]
#[label(rename_all = "camelCase")]
#[label(prefix = "http")]
#[narthex(krate = "narthex")]
#[narthex(crate = 1)]
struct Request<'a> {
    #[label(renam = "path")]
    a: &'a str,
    #[label(name = "path")]
    b: &'a str,
    #[label(rename)]
    c: &'a str,
    #[label(rename = 1)]
    d: &'a str,
    #[label(rename(path))]
    e: &'a str,
    #[label(skip = true)]
    f: &'a str,
    #[label("path")]
    g: &'a str,
    #[label]
    h: &'a str,
    #[label = "path"]
    i: &'a str,
    #[label(rename = "one", rename = "two")]
    j: &'a str,
    #[label(skip, rename = "three")]
    k: &'a str,
    #[label(rename_all = "lowercase")]
    l: &'a str,
}

fn main() {}
