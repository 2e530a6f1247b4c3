//! How an answer is shown.

use std::fmt::Write as _;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};

use super::client::Answer;

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
    pub(super) fn page(self, answer: &Answer) -> Vec<u8> {
        let mut page = match self.raw {
            true => Vec::new(),
            false => head(answer).into_bytes(),
        };
        match self.terminal {
            true => page.extend(printable(&answer.body).into_bytes()),
            false => page.extend_from_slice(&answer.body),
        }
        let ends_within_a_line = !answer.body.is_empty() && !answer.body.ends_with(b"\n");
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

/// The text with whatever a terminal would obey, or not show, written out.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' | '\t' => text.push(c),
                c if c.is_control() => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, StatusCode, Version};

    use super::super::client::Answer;
    use super::{Look, printable};

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
        let page = Look { raw, terminal }.page(&answer);
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

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        for (bytes, expected) in [
            (&b"a\tb\nc"[..], "a\tb\nc"),
            ("é ∞".as_bytes(), "é ∞"),
            (b"\r\x07\x1b[2J\x7f", "\\r\\u{7}\\u{1b}[2J\\u{7f}"),
            ("\u{9b}2J".as_bytes(), "\\u{9b}2J"),
            (b"\x9b2J \xe2\x88", "\\x9b2J \\xe2\\x88"),
        ] {
            assert_eq!(printable(bytes), expected);
        }
    }
}
