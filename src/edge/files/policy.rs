//! `policy.jsonl`: what a trial became, each time it became a copy of another.

use std::path::Path;

use serde::Serialize;

use super::disk;
use super::error::FileError;
use crate::logic::config::Config;
use crate::logic::event::Exploit;
use crate::logic::ids::TrialId;

const NAME: &str = "policy.jsonl";

/// One line of it.
#[derive(Serialize)]
struct Line<'e> {
    trial: TrialId,
    /// How far the trial itself had come.
    iteration: u64,
    donor: TrialId,
    /// Where it goes on.
    donor_iteration: u64,
    before: &'e Config,
    config: &'e Config,
    reason: Option<&'e str>,
}

/// Adds a line, unless an earlier session has done so. Copies are rare: it is written at once.
pub(super) fn add(directory: &Path, trial: TrialId, exploit: &Exploit) -> Result<(), FileError> {
    let line = Line {
        trial,
        iteration: exploit.iteration,
        donor: exploit.donor,
        donor_iteration: exploit.checkpoint.report.iteration(),
        before: &exploit.before,
        config: &exploit.config,
        reason: exploit.reason.as_deref(),
    };
    let path = directory.join(NAME);
    let Ok(mut text) = serde_json::to_vec(&line) else { return Ok(()) };
    text.push(b'\n');
    let bytes = disk::read(&path)?.unwrap_or_default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        // What is torn.
        disk::cut(&path, whole as u64)?;
    }
    let known = bytes.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n').any(|line| line == text);
    if known { Ok(()) } else { disk::append(&path, &text) }
}

/// Takes away what a killed process left of a trial that the journal never heard of.
pub(super) fn remove(directory: &Path) -> Result<(), FileError> {
    disk::remove(&directory.join(NAME))
}
