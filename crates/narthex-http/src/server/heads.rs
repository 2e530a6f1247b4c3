//! What hyper repairs in the heads of requests without telling.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::Watch;

/// A connection whose requests are looked at byte by byte, as far as their heads go.
///
/// Hyper takes a line that ends without a carriage return (RFC 9112, section 2.2), and drops a
/// length where there is a transfer encoding as well (section 6.3). Both are one thing to us and
/// maybe another to a proxy before us. The [`Watch`] is told, and the requests of that connection
/// are refused.
pub(super) struct Heads<I> {
    io: I,
    scan: Scan,
    watch: Arc<Watch>,
}

impl<I> Heads<I> {
    pub(super) fn new(io: I, watch: Arc<Watch>) -> Self {
        Self { io, scan: Scan::default(), watch }
    }
}

/// How far the requests of a connection were read.
#[derive(Debug)]
enum Scan {
    Head {
        /// The beginning of the line being read, as much as the name of a header takes.
        line: [u8; LONGEST_NAME],
        length: usize,
        is_after_return: bool,
        /// Whether a line of this head has been read, for empty ones may come before it.
        has_begun: bool,
        length_of_body: Option<u64>,
        is_encoded: bool,
    },
    /// So many bytes of a body follow.
    Body(u64),
    /// A body whose end only its decoder knows; it is the last on its connection.
    LastBody,
}

const CONTENT_LENGTH: &[u8] = b"content-length:";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding:";
/// Enough for either name and a length.
const LONGEST_NAME: usize = 48;

/// Why a head could be read in two ways.
#[derive(Debug, PartialEq, Eq)]
struct Ambiguity(&'static str);

const LINE_FEED: Ambiguity = Ambiguity("a line does not end in CR LF\n");
const LENGTHS: Ambiguity = Ambiguity("the length of the body is told more than once\n");

impl Default for Scan {
    fn default() -> Self {
        Self::Head {
            line: [0; LONGEST_NAME],
            length: 0,
            is_after_return: false,
            has_begun: false,
            length_of_body: None,
            is_encoded: false,
        }
    }
}

impl Scan {
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), Ambiguity> {
        while let Some(&byte) = bytes.first() {
            match self {
                Self::LastBody => return Ok(()),
                Self::Body(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= here as u64;
                    bytes = &bytes[here..];
                    if *left == 0 {
                        *self = Self::default();
                    }
                }
                Self::Head { .. } => {
                    self.read_in_head(byte)?;
                    bytes = &bytes[1..];
                }
            }
        }
        Ok(())
    }

    fn read_in_head(&mut self, byte: u8) -> Result<(), Ambiguity> {
        let Self::Head { line, length, is_after_return, has_begun, length_of_body, is_encoded } =
            self
        else {
            return Ok(());
        };
        if byte != b'\n' {
            if *is_after_return || byte != b'\r' {
                // One byte beyond what is kept says that there are more.
                if let Some(kept) = line.get_mut(*length) {
                    *kept = byte.to_ascii_lowercase();
                }
                *length = (*length + 1).min(LONGEST_NAME + 1);
            }
            *is_after_return = byte == b'\r';
            return Ok(());
        }
        if !*is_after_return {
            return Err(LINE_FEED);
        }
        let read = &line[..(*length).min(LONGEST_NAME)];
        if read.is_empty() && *has_begun {
            *self = match (*is_encoded, *length_of_body) {
                (true, _) => Self::LastBody,
                (false, None | Some(0)) => Self::default(),
                (false, Some(length)) => Self::Body(length),
            };
            return Ok(());
        }
        if read.starts_with(TRANSFER_ENCODING) {
            *is_encoded = true;
        } else if let Some(value) = read.strip_prefix(CONTENT_LENGTH) {
            let value = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse().ok());
            // What cannot be read as a length is refused by hyper, or is more than will ever come.
            if length_of_body.replace(value.unwrap_or(u64::MAX)).is_some() {
                return Err(LENGTHS);
            }
        }
        if *is_encoded && length_of_body.is_some() {
            return Err(LENGTHS);
        }
        *has_begun = *has_begun || !read.is_empty();
        (*length, *is_after_return) = (0, false);
        Ok(())
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Heads<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if let Err(Ambiguity(reason)) = self.scan.read(&buffer.filled()[before..]) {
            self.watch.is_ambiguous(reason);
            self.scan = Scan::LastBody;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Heads<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::{LENGTHS, LINE_FEED, Scan};

    #[test]
    fn ambiguities_are_found_in_heads_and_nowhere_else() {
        for (bytes, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(())),
            ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(())),
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", Err(LINE_FEED)),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", Err(LINE_FEED)),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", Err(LINE_FEED)),
            ("\nGET / HTTP/1.1\r\n\r\n", Err(LINE_FEED)),
            ("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\na\nb\nGET / HTTP/1.1\r\n\r\n", Ok(())),
            ("POST / HTTP/1.1\r\ncontent-length:2\r\n\r\na\nGET / HTTP/1.1\n", Err(LINE_FEED)),
            ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET /\n", Err(LINE_FEED)),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n\n", Ok(())),
            ("GET / HTTP/1.1\r\nX: content-length: 9\r\n\r\nGET /\n", Err(LINE_FEED)),
            ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", Err(LENGTHS)),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTRANSFER-ENCODING: chunked\r\n\r\n",
                Err(LENGTHS),
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                Err(LENGTHS),
            ),
        ] {
            let mut whole = Scan::default();
            assert_eq!(whole.read(bytes.as_bytes()), expected, "{bytes:?}");
            let mut piecewise = Scan::default();
            let outcome = bytes.bytes().try_for_each(|byte| piecewise.read(&[byte]));
            assert_eq!(outcome, expected, "{bytes:?}, byte by byte");
        }
    }
}
