//! All bad names of a struct are reported at once.

use narthex::Labels;

#[derive(Labels)]
struct Request<'a> {
    __name__: &'a str,
    größe: u32,
    #[label(rename = "http.path")]
    path: &'a str,
    #[label(rename = "2xx")]
    ok: bool,
    #[label(rename = "")]
    empty: bool,
    status: u16,
    #[label(rename = "status")]
    code: u16,
}

/// The follow-on of the errors above must not bury them.
fn needs<L: Labels>() {}

fn main() {
    needs::<Request<'static>>();
}
