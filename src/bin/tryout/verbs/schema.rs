//! `tryout schema`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::Problem;

/// Prints the JSON Schema of experiment files, for editors.
///
/// In an editor that knows TOML schemas, a first line `#:schema tryout.schema.json` then completes and checks the file.
#[derive(Debug, Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        writeln!(std::io::stdout().lock(), "{:#}", tryout::schema())?;
        Ok(ExitCode::SUCCESS)
    }
}
