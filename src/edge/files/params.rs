//! `params.json`: the configuration of a trial, as it was given.

use std::path::Path;

use super::disk;
use super::error::FileError;
use crate::logic::config::Config;

pub(super) const NAME: &str = "params.json";

/// Writes it.
pub(super) fn write(directory: &Path, config: &Config) -> Result<(), FileError> {
    disk::write(&directory.join(NAME), format!("{config}\n").as_bytes())
}

/// Reads what an earlier session wrote; the empty configuration if it isn't there, or torn.
pub(super) fn read(directory: &Path) -> Result<Config, FileError> {
    let bytes = disk::read(&directory.join(NAME))?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}
