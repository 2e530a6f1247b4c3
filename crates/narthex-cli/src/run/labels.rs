//! The table `[labels]` beside what the program itself exports.

use narthex_exporter::{ConfigFile, FileSources, SettingsError};
use narthex_model::MetricFamily;

/// Refuses a label of the file that `family` has already, with another meaning.
pub(super) fn check(file: &ConfigFile, family: &MetricFamily) -> Result<(), SettingsError> {
    let metadata = family.metadata();
    let constant = metadata.const_labels().iter().map(|label| &label.name);
    for taken in metadata.label_names().iter().chain(constant) {
        if let Some(label) = FileSources::labels(file).find(|label| label.name == taken) {
            let message = format!("`{}` has a label of this name already", family.name());
            return Err(label.error(message));
        }
    }
    Ok(())
}
