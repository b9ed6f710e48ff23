//! `tryout list`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tryout::prelude::*;

use super::Problem;
use super::labels::Labels;
use super::open::{Run, runs};
use super::status::as_json;
use super::table::{Table, number, time};

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
                    let mut object = as_json(&run);
                    object["labels"] = json!(labels);
                    writeln!(out, "{object}")?
                }
                Ok(run) => {
                    let results = &run.results;
                    let best = results.best().ok().and_then(|best| results.value(best)).map(number).unwrap_or_default();
                    let (trials, failed) = (results.trials().len(), results.count(Status::Error));
                    let took = time(results.took().as_secs_f64());
                    let tags = unlabelled.unwrap_or_else(|| labels.tags.into_iter().collect::<Vec<_>>().join(", "));
                    table.row([shown, run.word().to_owned(), trials.to_string(), failed.to_string(), best, took, tags]);
                }
                // One that can't be read doesn't hide the others.
                Err(why) if self.json => {
                    writeln!(out, "{}", json!({ "dir": shown, "state": "unreadable", "why": why.to_string() }))?
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
