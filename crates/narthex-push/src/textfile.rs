//! Pages for node_exporter's textfile collector.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
#[cfg(unix)]
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use narthex_format::Format;
use narthex_model::Scrape;

/// Writes metrics to a file that node_exporter's textfile collector reads.
///
/// Whoever reads the file sees a whole page, the old or the new one: it is written beside, put on
/// the disk, and then takes the old one's place.
///
/// ```
/// use narthex_core::{Gauge, Registry};
/// use narthex_push::Textfile;
///
/// # let folder = std::env::temp_dir().join(format!("narthex-textfile-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let registry = Registry::new();
/// Gauge::builder("backup_saved_bytes", "Bytes saved.").register(&registry)?.set(1_500_000.0);
/// Textfile::new(folder.join("backup.prom")).write(&registry.gather())?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Textfile {
    path: PathBuf,
    #[cfg(unix)]
    mode: u32,
}

/// Metrics that are not in their file; an older page there is untouched, unless it says otherwise.
#[derive(Debug)]
pub struct TextfileError {
    path: Box<Path>,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Name,
    Timestamps { family: Box<str> },
    Incomplete { problem: Box<str> },
    Io { what: &'static str, error: io::Error },
}

impl Textfile {
    /// A file in the folder of the collector; its name has to end with `.prom`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            #[cfg(unix)]
            mode: 0o644,
        }
    }

    /// The file's mode, whatever the umask; by default 0o644, for node_exporter runs as a user of
    /// its own.
    #[cfg(unix)]
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Puts these metrics in place of those in the file.
    ///
    /// # Errors
    ///
    /// Fails where the collector would not read the file: its name does not end with `.prom`, or a
    /// metric has a timestamp; where the scrape says that a family was left out of it; and where
    /// the file cannot be written.
    pub fn write(&self, scrape: &Scrape) -> Result<(), TextfileError> {
        let name = self.file_name().ok_or_else(|| self.error(Fault::Name))?;
        let timed = |family: &&narthex_model::MetricFamily| {
            family.timestamps().is_some_and(|timestamps| timestamps.iter().any(Option::is_some))
        };
        if let Some(family) = scrape.families().iter().find(timed) {
            let family = family.name().as_str().into();
            return Err(self.error(Fault::Timestamps { family }));
        }
        if let Some(problem) = scrape.problems().first() {
            let problem = problem.to_string().into();
            return Err(self.error(Fault::Incomplete { problem }));
        }
        self.replace(name, scrape).map_err(|(what, error)| self.error(Fault::Io { what, error }))
    }

    /// The name, if the collector reads files called so.
    fn file_name(&self) -> Option<&OsStr> {
        self.path.file_name().filter(|_| self.path.extension() == Some(OsStr::new("prom")))
    }

    fn replace(&self, name: &OsStr, scrape: &Scrape) -> Result<(), (&'static str, io::Error)> {
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // A rename is atomic within a file system, so that the new page begins in the same folder.
        // Its name does not end with `.prom`, or the collector would read it.
        let prefix: OsString = [OsStr::new("."), name, OsStr::new(".")].into_iter().collect();
        let mut file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".tmp")
            .tempfile_in(folder)
            .map_err(|error| ("cannot make a file beside it", error))?;
        Format::TEXT
            .write(scrape, file.as_file_mut())
            .map_err(|error| ("cannot write the metrics", error))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::Permissions::from_mode(self.mode);
            file.as_file().set_permissions(mode).map_err(|error| ("cannot set the mode", error))?;
        }
        // Else a crash could leave the new name with nothing behind it.
        file.as_file().sync_all().map_err(|error| ("cannot put the metrics on the disk", error))?;
        file.persist(&self.path)
            .map_err(|error| ("cannot put the new file in its place", error.error))?;
        sync_folder(folder).map_err(|error| ("cannot put its new name on the disk", error))
    }

    fn error(&self, fault: Fault) -> TextfileError {
        TextfileError { path: self.path.as_path().into(), fault }
    }
}

/// Makes a rename outlive a crash.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl TextfileError {
    /// The file that was to be written.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for TextfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: ", self.path.display())?;
        match &self.fault {
            Fault::Name => f.write_str("its name has to end with `.prom`"),
            Fault::Timestamps { family } => {
                write!(f, "`{family}` has timestamps, for which node_exporter skips the whole file")
            }
            Fault::Incomplete { problem } => write!(f, "the metrics are incomplete: {problem}"),
            Fault::Io { what, .. } => f.write_str(what),
        }
    }
}

impl Error for TextfileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            Fault::Io { error, .. } => Some(error),
            Fault::Name | Fault::Timestamps { .. } | Fault::Incomplete { .. } => None,
        }
    }
}
