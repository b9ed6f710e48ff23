//! `tryout list`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use tryout::prelude::*;

use super::labels::Labels;
use super::open::{Run, runs};
use super::status::Told;
use super::table::{Table, number, time};
use super::{Problem, json_line};

/// Lists the runs below a directory, the newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Below which directory; at most two levels down.
    #[arg(default_value = "runs")]
    dir: PathBuf,
    /// Only those with this tag; all that are given must be there.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Those that were archived, too.
    #[arg(long)]
    archived: bool,
    /// Writes a JSON object a line.
    #[arg(long)]
    json: bool,
}

/// With `--json`: a run.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Listed<'r> {
    Run {
        #[serde(flatten)]
        run: Told<'r>,
        /// What a person says of it.
        labels: Labels,
    },
    Unreadable {
        /// The run's directory.
        dir: String,
        state: Unreadable,
        /// Why it can't be read.
        why: String,
    },
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unreadable {
    /// It is a run, and can't be read.
    Unreadable,
}

impl List {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        if !self.dir.is_dir() {
            return Err(Problem::Given(format!("there is no directory `{}`", self.dir.display())));
        }
        let mut out = std::io::stdout().lock();
        let mut table = Table::new(["run", "state", "trials", "failed", "best", "took", "tags"]);
        for dir in runs(&self.dir) {
            let shown = dir.display().to_string();
            let (labels, unlabelled) = match Labels::read(&dir) {
                Ok(labels) => (labels, None),
                Err(why) => (Labels::default(), Some(why.to_string())),
            };
            if labels.archived && !self.archived || self.tags.iter().any(|tag| !labels.tags.contains(tag)) {
                continue;
            }
            match Run::open(dir) {
                Ok(run) if self.json => {
                    json_line(&mut out, &Listed::Run { run: Told::of(&run), labels })?;
                }
                Ok(run) => {
                    let results = &run.results;
                    let best = results.best().ok().and_then(|best| results.value(best)).map(number).unwrap_or_default();
                    let (trials, failed) = (results.trials().len(), results.count(Status::Error));
                    let took = time(results.took().as_secs_f64());
                    let tags = unlabelled.unwrap_or_else(|| labels.tags.into_iter().collect::<Vec<_>>().join(", "));
                    table.row([
                        shown,
                        run.word().to_string(),
                        trials.to_string(),
                        failed.to_string(),
                        best,
                        took,
                        tags,
                    ]);
                }
                // One that can't be read doesn't hide the others.
                Err(why) if self.json => {
                    json_line(
                        &mut out,
                        &Listed::Unreadable { dir: shown, state: Unreadable::Unreadable, why: why.to_string() },
                    )?;
                }
                Err(why) => table.row([shown, format!("unreadable: {why}")]),
            }
        }
        if !self.json {
            table.write(&mut out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
