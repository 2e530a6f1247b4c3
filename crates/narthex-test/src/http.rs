//! A small, strict HTTP/1.1 client over a plain socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers as they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, with the transfer encoding taken off and nothing else.
    pub body: Vec<u8>,
}

impl Response {
    /// Reads what a server answered to a request of this method.
    ///
    /// # Errors
    ///
    /// Fails when the answer breaks HTTP or ends before the body is whole.
    pub fn read(method: &str, stream: &mut impl BufRead) -> io::Result<Self> {
        let status_line = read_line(stream)?;
        let status =
            status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status =
            status.ok_or_else(|| invalid(format!("not a status line: `{status_line}`")))?;

        let mut headers = Vec::new();
        loop {
            let line = read_line(stream)?;
            if line.is_empty() {
                break;
            }
            let header =
                line.split_once(':').ok_or_else(|| invalid(format!("no header: `{line}`")))?;
            headers.push((header.0.to_ascii_lowercase(), header.1.trim().to_owned()));
        }

        let mut response = Self { status, headers, body: Vec::new() };
        if method != "HEAD" && status != 204 && status != 304 {
            response.body = read_body(&response, stream)?;
        }
        Ok(response)
    }

    /// The value of the first header called `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    ///
    /// Panics when the body is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

/// Gets `url`, which has to start with `http://`.
///
/// # Errors
///
/// Fails when the server cannot be reached, does not answer within 10 s, breaks HTTP or ends the
/// connection before the body is whole.
pub fn get(url: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    request("GET", url, headers)
}

/// Sends a request without a body to `url`.
///
/// # Errors
///
/// As [`get`].
pub fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    let (authority, path) = split(url).ok_or_else(|| invalid(format!("not a URL: `{url}`")))?;
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;

    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {authority}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    stream.write_all(head.as_bytes())?;
    Response::read(method, &mut BufReader::new(stream))
}

const TIMEOUT: Duration = Duration::from_secs(10);

fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    Some(rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)))
}

fn read_body(response: &Response, stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if response.header("transfer-encoding") == Some("chunked") {
        loop {
            let line = read_line(stream)?;
            let size = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| invalid(format!("not a chunk size: `{line}`")))?;
            read_exactly(stream, size, &mut body)?;
            let end = read_line(stream)?;
            if !end.is_empty() {
                return Err(invalid(format!("`{end}` after a chunk")));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }
    if let Some(length) = response.header("content-length") {
        let length =
            length.parse().map_err(|_| invalid(format!("not a content length: `{length}`")))?;
        read_exactly(stream, length, &mut body)?;
    } else {
        stream.read_to_end(&mut body)?;
    }
    Ok(body)
}

fn read_exactly(stream: &mut impl BufRead, length: usize, body: &mut Vec<u8>) -> io::Result<()> {
    let read = stream.take(length as u64).read_to_end(body)?;
    if read < length {
        let text = format!("the connection ended after {read} of {length} bytes");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
    }
    Ok(())
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("half a line: `{line}`"))),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::{Response, split};

    #[track_caller]
    fn check(method: &str, answer: &str, expected: Result<&str, &str>) {
        let read = Response::read(method, &mut answer.as_bytes());
        let body = read.as_ref().map(Response::text).map_err(ToString::to_string);
        assert_eq!(body.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        check("GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcX", Ok("abc"));
        check("GET", "HTTP/1.1 200 OK\r\n\r\nabc", Ok("abc"));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check("GET", &format!("{chunked}2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\nX"), Ok("abc"));
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        check("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Ok(""));
        check("GET", "HTTP/1.1 204 No Content\r\n\r\n", Ok(""));
    }

    #[test]
    fn half_an_answer_is_an_error() {
        let short = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab";
        check("GET", short, Err("the connection ended after 2 of 3 bytes"));
        check("GET", "HTTP/1.1 200 OK\r\nContent-Le", Err("half a line: `Content-Le`"));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
        check("GET", chunked, Err("half a line: ``"));
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        check("GET", "SSH-2.0-x\r\n", Err("not a status line: `SSH-2.0-x`"));
        check("GET", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", Err("no header: `nonsense`"));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n";
        check("GET", chunked, Err("`bc` after a chunk"));
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let answer = "HTTP/1.1 404 Not Found\r\nX-One:  1 \r\n\r\n";
        let response = Response::read("GET", &mut answer.as_bytes()).unwrap();
        assert_eq!((response.status, response.header("x-ONE")), (404, Some("1")));
        assert_eq!(response.header("x-two"), None);
    }

    #[test]
    fn a_url_falls_into_authority_and_path() {
        assert_eq!(split("http://127.0.0.1:1/a?b=c"), Some(("127.0.0.1:1", "/a?b=c")));
        assert_eq!(split("http://localhost:1"), Some(("localhost:1", "/")));
        assert_eq!(split("https://localhost/"), None);
    }
}
