//! How an answer is shown.

use std::fmt::Write as _;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};

use crate::client::Answer;
use crate::terminal::printable;

/// How answers are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Whether only the body is.
    pub(super) raw: bool,
    /// Whether a terminal reads it.
    pub(super) terminal: bool,
}

/// The headers that tell what a body is, or why there is no better one.
const HEADERS: [(http::HeaderName, &str); 5] = [
    (CONTENT_TYPE, "Content-Type"),
    (CONTENT_ENCODING, "Content-Encoding"),
    (CONTENT_LENGTH, "Content-Length"),
    (LOCATION, "Location"),
    (RETRY_AFTER, "Retry-After"),
];

impl Look {
    /// The answer, with its body as it is to be read.
    pub(super) fn page(self, answer: &Answer, body: &[u8]) -> Vec<u8> {
        let mut page = match self.raw {
            true => Vec::new(),
            false => head(answer).into_bytes(),
        };
        match self.terminal {
            true => page.extend(printable(body).into_bytes()),
            false => page.extend_from_slice(body),
        }
        let ends_within_a_line = !body.is_empty() && !body.ends_with(b"\n");
        if ends_within_a_line && (self.terminal || !self.raw) {
            page.push(b'\n');
        }
        page
    }
}

fn head(answer: &Answer) -> String {
    let mut head = format!("{:?} {}\n", answer.version, answer.status);
    // Writing to a string cannot fail.
    for (name, shown) in HEADERS {
        for value in answer.headers.get_all(&name) {
            let _ = writeln!(head, "{shown}: {}", printable(value.as_bytes()));
        }
    }
    let _ = writeln!(
        head,
        "Size: {} bytes on the wire, {} decoded\nTime: {:.1} ms\n",
        answer.size_on_the_wire,
        answer.body.len(),
        answer.time.as_secs_f64() * 1e3
    );
    head
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, StatusCode, Version};

    use super::Look;
    use crate::client::Answer;

    fn check(raw: bool, terminal: bool, body: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_bytes(b"text/plain; x=\x9b").unwrap());
        headers.insert("x-other", HeaderValue::from_static("1"));
        let answer = Answer {
            version: Version::HTTP_11,
            status: StatusCode::NOT_FOUND,
            headers,
            size_on_the_wire: 9,
            body: body.into(),
            time: Duration::from_micros(12_345),
        };
        let page = Look { raw, terminal }.page(&answer, &answer.body);
        assert_eq!(String::from_utf8(page).unwrap(), expected);
    }

    const HEAD: &str = "HTTP/1.1 404 Not Found\nContent-Type: text/plain; x=\\x9b\n\
        Size: 9 bytes on the wire, 5 decoded\nTime: 12.3 ms\n\n";

    #[test]
    fn an_answer_is_its_head_and_its_body() {
        check(false, false, "up 1\n", &format!("{HEAD}up 1\n"));
        check(false, false, "up\x1b 1", &format!("{HEAD}up\x1b 1\n"));
        check(false, true, "up\x1b 1", &format!("{HEAD}up\\u{{1b}} 1\n"));
    }

    #[test]
    fn raw_is_the_body_alone() {
        check(true, false, "up 1\n", "up 1\n");
        check(true, false, "up\x1b1", "up\x1b1");
        check(true, true, "up\x1b1", "up\\u{1b}1\n");
        check(true, true, "", "");
    }
}
