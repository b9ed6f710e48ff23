//! `tryout gc`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use tryout::prelude::*;
use tryout::store::CheckpointId;

use super::open::{Which, owner};
use super::table::bytes;
use super::{Problem, json_line};

/// Deletes checkpoints of a run that doesn't go on. Without `--yes` it only shows what would go.
///
/// The latest checkpoint of each trial stays, and so does one that a copy goes on from: the run can be gone on with afterwards.
#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// How many of each trial stay: the last ones, or with `--best` the best ones.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    keep: usize,
    /// The best by the objective stay, instead of the last.
    #[arg(long)]
    best: bool,
    #[command(flatten)]
    which: Which,
    /// Deletes them.
    #[arg(long)]
    yes: bool,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

/// With `--json`: what goes.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Collected<'r> {
    /// The run's directory.
    dir: &'r Path,
    /// The checkpoints, by their places below it.
    checkpoints: Vec<String>,
    /// What they take.
    bytes: u64,
    /// Whether they were deleted; else they would be.
    deleted: bool,
}

impl Gc {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        if self.keep == 0 {
            return Err(Problem::Given(
                "`--keep 0`: the latest checkpoint of a trial always stays; give at least 1".to_owned(),
            ));
        }
        let run = self.which.open()?;
        if let Some(owner) = owner(&run.dir) {
            let dir = run.dir.display();
            return Err(Problem::Given(format!(
                "the run in `{dir}` goes on in process {}: what it keeps is for its `checkpoints` settings to say",
                owner.pid
            )));
        }
        let retention = match (self.best, run.results.objective()) {
            (false, _) => Retention::last(self.keep),
            (true, Some(objective)) => Retention::best(self.keep, objective.clone()),
            (true, None) => return Err(Problem::Given("`--best`: the run has no objective".to_owned())),
        };
        let collect = if self.yes { Experiment::collect } else { Experiment::collectable };
        let found = collect(run.dir.clone(), &retention).map_err(|error| Problem::failed(&error))?;
        let mut out = std::io::stdout().lock();
        let (count, size) = (found.checkpoints.len(), found.bytes);
        if self.json {
            let ids: Vec<String> = found.checkpoints.iter().map(CheckpointId::path).collect();
            json_line(&mut out, &Collected { dir: &run.dir, checkpoints: ids, bytes: size, deleted: self.yes })?;
        } else {
            let verb = if self.yes { "deleted" } else { "would delete" };
            writeln!(out, "{verb} {count} checkpoints of {}, {}", run.dir.display(), bytes(size))?;
            if !self.yes && count > 0 {
                writeln!(out, "nothing is deleted yet: say `--yes`")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
