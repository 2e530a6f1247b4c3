//! An exporter of what a file describes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use narthex_core::Registry;

use super::FileSources;
use crate::exporter::Exporter;
use crate::reload::Sources;
use crate::settings::{Input, Settings, SettingsError};
use crate::web_args::{WebArgs, seconds};

/// The options that a file may set.
#[derive(clap::Parser)]
struct FileArgs {
    #[command(flatten)]
    web: WebArgs,
    #[arg(long, default_value = DEFAULT_CACHE_LIFE, value_parser = seconds)]
    cache_life: Duration,
}

/// How many seconds answers live where nothing else is said, as in prometheus_exporter.
const DEFAULT_CACHE_LIFE: &str = "60";
const DEFAULT_PORT: u16 = 9999;

impl Exporter {
    /// An exporter of what a TOML file describes, to which sources of your own can be added.
    ///
    /// The file is that of `narthex run`, described in `docs/config.md`: options of
    /// [`WebArgs`], `[labels]`, `[metrics.NAME]` and `[json.NAME]`. What needs the program, such as
    /// `[host]`, is an unknown key here. Neither the command line nor environment variables set
    /// options; the file may refer to variables by `${NAME}`.
    ///
    /// When the file changes, and on SIGHUP, the sources are made anew as
    /// [`reloadable`](Self::reloadable) tells.
    ///
    /// # Errors
    /// Returns a [`SettingsError`] that tells all that is wrong with the file, with lines and keys.
    ///
    /// ```no_run
    /// use narthex_exporter::{BoxError, Exporter, ScrapeContext};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), BoxError> {
    ///     let exporter = Exporter::from_config("config.toml")?
    ///         .name("thermo-exporter")
    ///         .source("sensor", |scrape: ScrapeContext| async move {
    ///             scrape.gauge("temperature_celsius", "Temperature.").set(21.5);
    ///         });
    ///     Ok(exporter.run().await?)
    /// }
    /// ```
    pub fn from_config(path: impl Into<PathBuf>) -> Result<Self, SettingsError> {
        let path = path.into();
        let files = Arc::new(FileSources::default());
        let (web, sources) = read(&path, &files)?;
        let exporter = Self::new("narthex", Registry::new(), web);
        Ok(exporter.reloadable(sources, move || Ok(read(&path, &files)?.1)))
    }
}

fn read(path: &Path, files: &FileSources) -> Result<(WebArgs, Sources), SettingsError> {
    let settings = FileSources::sections(Settings::of_file().default_port(DEFAULT_PORT));
    let mut config = std::ffi::OsString::from("--config=");
    config.push(path);
    let input = Input::new(["narthex".into(), config], std::env::vars_os(), Path::new(""));
    let args: FileArgs = settings.load(&input)?.cli;
    let sources = match &args.web.config {
        Some(file) => files.load(file, args.cache_life)?,
        None => Sources::new(),
    };
    Ok((args.web, sources))
}
