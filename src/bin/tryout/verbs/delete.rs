//! `tryout delete`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use tryout::edge::journal::LOCK;
use tryout::edge::log::LogLock;

use super::open::{Run, owner, run_at};
use super::table::bytes;
use super::{Problem, json_line};

/// Deletes runs with all that is in their directories. Without `--yes` it only shows what would go.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Their directories.
    #[arg(required = true, value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// Deletes them.
    #[arg(long)]
    yes: bool,
    /// Writes a JSON object a run.
    #[arg(long)]
    json: bool,
}

/// With `--json`: a run.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted<'r> {
    /// Its directory.
    dir: &'r Path,
    /// How many files are in it.
    files: u64,
    /// What they take.
    bytes: u64,
    /// Whether it was deleted; else it would be.
    deleted: bool,
}

impl Delete {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let runs: Vec<PathBuf> = self.runs.iter().cloned().map(run_at).collect::<Result<_, _>>()?;
        // One that can't be read any more can be deleted all the same.
        let what: Vec<String> = runs
            .iter()
            .map(|dir| Run::open(dir.clone()).map_or("a run that can't be read".to_owned(), |run| what(&run)))
            .collect();
        // Nothing goes if one of them can't. Who only looks takes no lock: that would make the run the newest.
        let locks: Vec<Option<LogLock>> = runs.iter().map(|dir| free(dir, self.yes)).collect::<Result<_, _>>()?;
        let mut out = std::io::stdout().lock();
        for ((dir, what), lock) in runs.into_iter().zip(what).zip(locks) {
            let (files, size) = measure(&dir).map_err(|error| failed(&dir, &error))?;
            if self.yes {
                remove(&dir).map_err(|error| failed(&dir, &error))?;
            }
            drop(lock);
            if self.json {
                json_line(&mut out, &Deleted { dir: &dir, files, bytes: size, deleted: self.yes })?;
            } else {
                let verb = if self.yes { "deleted" } else { "would delete" };
                writeln!(out, "{verb} {}: {what}; {files} files, {}", dir.display(), bytes(size))?;
            }
        }
        if !self.yes && !self.json {
            writeln!(out, "nothing is deleted yet: say `--yes`")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn what(run: &Run) -> String {
    format!("{}, {} trials, {}", run.results.name(), run.results.trials().len(), run.state())
}

/// Nobody runs it; if its lock is taken, nobody begins to.
fn free(dir: &Path, take: bool) -> Result<Option<LogLock>, Problem> {
    let refused = |why: String| Problem::Given(format!("`{}` isn't deleted: {why}", dir.display()));
    match owner(dir) {
        Some(owner) => Err(refused(format!("it goes on in process {} on {}", owner.pid, owner.host))),
        None if !take => Ok(None),
        None => LogLock::take(&dir.join(LOCK)).map(Some).map_err(|error| refused(error.to_string())),
    }
}

fn failed(dir: &Path, error: &std::io::Error) -> Problem {
    Problem::Failed(format!("`{}`: {error}", dir.display()))
}

/// It is no run any more from the first moment, also if this process is killed in between.
fn remove(dir: &Path) -> std::io::Result<()> {
    // The directory itself, and not a link to it.
    let dir = dir.canonicalize()?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let aside = dir.with_file_name(format!(".deleted-{}-{name}", std::process::id()));
    fs::rename(&dir, &aside)?;
    fs::remove_dir_all(aside)
}

/// How many files there are, and what they take; links count as themselves.
fn measure(dir: &Path) -> std::io::Result<(u64, u64)> {
    let mut found = (0, 0);
    for entry in dir.read_dir()? {
        let entry = entry?;
        let about = entry.metadata()?;
        let (files, size) = if about.is_dir() { measure(&entry.path())? } else { (1, about.len()) };
        found = (found.0 + files, found.1 + size);
    }
    Ok(found)
}
