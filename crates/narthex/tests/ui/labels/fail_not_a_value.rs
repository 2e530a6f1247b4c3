//! A field whose type gives no text.

use narthex::Labels;

enum Method {
    Get,
}

#[derive(Labels)]
struct Request<'a> {
    seconds: f64,
    path: &'a str,
    method: Method,
    maybe: Option<Method>,
    #[label(display)]
    shown: Method,
}

fn main() {
    let _ = Method::Get;
}
