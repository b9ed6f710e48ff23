//! `progress.csv`: the results of a trial as a table.

use std::path::Path;
use std::sync::Arc;

use super::csv::{Columns, Line};
use super::error::FileError;
use super::row::{Host, Subject};
use super::table::{Rewrite, Table};
use crate::logic::metrics::Report;

pub(super) const NAME: &str = "progress.csv";

/// A file that isn't there yet.
pub(super) fn fresh(directory: &Path, likely: &Arc<Columns>) -> Table {
    Table::fresh(directory.join(NAME), Rewrite::AtOnce, likely)
}

/// A file that may be there, and the last iteration in it.
pub(super) fn found(directory: &Path) -> Result<(Table, u64), FileError> {
    Table::found(directory.join(NAME), Rewrite::AtOnce, u64::MAX)
}

/// Adds a row; answers the columns if they have changed.
pub(super) fn add(
    table: &mut Table,
    report: &Report,
    subject: &Subject,
    host: &mut Host,
    line: &mut Line,
) -> Result<Option<Arc<Columns>>, FileError> {
    table.add(line, |columns, line| host.cells(report, subject, |name, cell| line.set(columns, name, cell)))
}
