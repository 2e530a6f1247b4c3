//! A page from a file, from standard input or from a server.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use flate2::read::MultiGzDecoder;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::client::access::UsageError;
use crate::client::args::{RequestArgs, Url};
use crate::client::{Client, FetchError, Most};
use crate::format::{ACCEPT_ANY, PageFormat};
use crate::terminal::printable;

/// A page, and how it is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct InputArgs {
    #[command(flatten)]
    pub(crate) page: PageArgs,

    #[command(flatten)]
    request: RequestArgs,
}

/// Where the page is, and how much of it is read.
#[derive(Debug, clap::Args)]
pub(crate) struct PageArgs {
    /// File or address (http://HOST:PORT/PATH or https://...) of the page, plain or gzip; standard
    /// input where it is - or missing.
    #[arg(
        value_name = "FILE|URL|-",
        value_parser = OsStringValueParser::new().try_map(|text| Source::new(&text))
    )]
    source: Option<Source>,

    /// Mebibytes that a page may have; a larger one is an error.
    #[arg(
        long,
        value_name = "MIB",
        default_value = "256",
        value_parser = clap::value_parser!(u32).range(1..=1 << 20)
    )]
    max_size: u32,
}

#[derive(Clone, Debug)]
enum Source {
    Standard,
    File(PathBuf),
    Url(Url),
}

/// A page as it was read.
#[derive(Debug)]
pub(crate) struct Input {
    /// Where it is from, for messages.
    pub(crate) name: String,
    pub(crate) page: Vec<u8>,
    pub(crate) format: PageFormat,
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum InputError {
    Open(io::Error),
    Read(io::Error),
    TooLarge(Most),
    Gzip(io::Error),
    Usage(UsageError),
    Fetch(FetchError),
    Status(StatusCode),
}

impl InputArgs {
    /// Reads the page; `told` is the format where the command line says so.
    pub(crate) fn read(&self, told: Option<PageFormat>) -> Result<Input, InputError> {
        let accept = told.map_or(ACCEPT_ANY, PageFormat::accept);
        self.page.read(told, accept, |url| self.request.client(url))
    }
}

impl PageArgs {
    /// Whether the command line says where the page is.
    pub(crate) fn is_given(&self) -> bool {
        self.source.is_some()
    }

    /// Bytes that a page may have.
    pub(crate) fn most_bytes(&self) -> usize {
        self.most().bytes()
    }

    /// Where the page is from, for messages.
    pub(crate) fn name(&self) -> String {
        match &self.source {
            None | Some(Source::Standard) => "<stdin>".to_owned(),
            Some(Source::File(path)) => printable(path.as_os_str().as_encoded_bytes()),
            Some(Source::Url(url)) => url.to_string(),
        }
    }

    /// Reads the page, from a server by what `client` gives, in one of the formats that `accept`
    /// names; `told` is the format where the command line says so.
    pub(crate) fn read(
        &self,
        told: Option<PageFormat>,
        accept: &'static str,
        client: impl FnOnce(&Url) -> Result<Client, UsageError>,
    ) -> Result<Input, InputError> {
        let (bytes, content_type) = match &self.source {
            None | Some(Source::Standard) => (self.read_standard_input()?, None),
            Some(Source::File(path)) => {
                let file = File::open(path).map_err(InputError::Open)?;
                (self.read_file(file)?, None)
            }
            Some(Source::Url(url)) => {
                self.fetch(&client(url).map_err(InputError::Usage)?, accept)?
            }
        };
        let page = self.unpacked(bytes)?;
        let name = self.name();
        let format = format_of(&name, &page, told, content_type.as_deref());
        Ok(Input { name, page, format })
    }

    fn read_standard_input(&self) -> Result<Vec<u8>, InputError> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let hint = "reading the page from the terminal; Ctrl-D at the start of a line ends it";
            let _ = writeln!(io::stderr(), "{hint}");
        }
        read_up_to(stdin.lock(), self.most(), InputError::Read)
    }

    fn read_file(&self, file: File) -> Result<Vec<u8>, InputError> {
        // Told at once where it can be, and not after so much was read.
        let is_large = |file: &File| {
            let metadata = file.metadata().ok()?;
            Some(metadata.is_file() && metadata.len() > self.most_bytes() as u64)
        };
        if is_large(&file) == Some(true) {
            return Err(InputError::TooLarge(self.most()));
        }
        read_up_to(file, self.most(), InputError::Read)
    }

    fn fetch(
        &self,
        client: &Client,
        accept: &'static str,
    ) -> Result<(Vec<u8>, Option<String>), InputError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(InputError::Read)?;
        let answer = runtime.block_on(client.fetch(accept, self.most()));
        // A name that is still being looked up must not keep the process.
        runtime.shutdown_background();
        let answer = answer.map_err(InputError::Fetch)?;
        if answer.status != StatusCode::OK {
            return Err(InputError::Status(answer.status));
        }
        let content_type = answer.headers.get(CONTENT_TYPE);
        let content_type = content_type.map(|value| printable(value.as_bytes()));
        Ok((answer.body, content_type))
    }

    /// The page without its compression, if it has one: no page starts as gzip does.
    fn unpacked(&self, bytes: Vec<u8>) -> Result<Vec<u8>, InputError> {
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        if !bytes.starts_with(&GZIP) {
            return Ok(bytes);
        }
        read_up_to(MultiGzDecoder::new(&*bytes), self.most(), InputError::Gzip)
    }

    fn most(&self) -> Most {
        Most { mebibytes: self.max_size as usize }
    }
}

impl Source {
    fn new(text: &OsStr) -> Result<Self, String> {
        match text.to_str() {
            Some("") => Err("expected a file, an address or -".to_owned()),
            Some("-") => Ok(Self::Standard),
            Some(text) if text.contains("://") => text.parse().map(Self::Url),
            _ => Ok(Self::File(text.into())),
        }
    }
}

/// What the command line says, or else the content type, or else the look of the page.
fn format_of(
    name: &str,
    page: &[u8],
    told: Option<PageFormat>,
    content_type: Option<&str>,
) -> PageFormat {
    let announced = content_type.and_then(PageFormat::announced);
    let format = told.or(announced).unwrap_or_else(|| PageFormat::of(page));
    if let Some(content_type) = content_type.filter(|_| announced != Some(format)) {
        let warning =
            format!("the content type is `{content_type}`, but the page is read as {format}");
        let _ = writeln!(io::stderr(), "warning: {name}: {warning}");
    }
    format
}

/// Reads to the end, and gives up where that is too far.
fn read_up_to(
    source: impl Read,
    most: Most,
    failed: fn(io::Error) -> InputError,
) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    // One byte more, to see whether there is one.
    let mut source = source.take(most.bytes() as u64 + 1);
    source.read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() <= most.bytes() {
        true => Ok(bytes),
        false => Err(InputError::TooLarge(most)),
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "cannot be opened: {error}"),
            Self::Read(error) => write!(f, "cannot be read: {error}"),
            Self::TooLarge(most) | Self::Fetch(FetchError::TooLarge(most)) => {
                let mebibytes = most.mebibytes;
                write!(f, "the page is larger than {mebibytes} MiB; --max-size allows for more")
            }
            Self::Gzip(error) => write!(f, "starts as gzip does, but cannot be unpacked: {error}"),
            Self::Usage(error) => error.fmt(f),
            Self::Fetch(error) => error.fmt(f),
            Self::Status(status) => write!(f, "the status is {}, not 200", status.as_u16()),
        }
    }
}
