//! What a process is started with.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where settings come from.
#[derive(Debug)]
pub(crate) struct Input {
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: HashMap<String, OsString>,
    pub(super) directory: PathBuf,
}

impl Input {
    pub(crate) fn of_process() -> Self {
        Self::new(std::env::args_os(), std::env::vars_os(), Path::new(""))
    }

    pub(crate) fn new(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        environment: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
        directory: &Path,
    ) -> Self {
        let environment = environment.into_iter().filter_map(|(name, value)| {
            // No option has a name that is not text.
            Some((name.into().into_string().ok()?, value.into()))
        });
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: environment.collect(),
            directory: directory.to_owned(),
        }
    }
}
