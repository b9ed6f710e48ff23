//! `tryout check`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tryout::failure::error_chain;
use tryout::{ExperimentFile, Preview, Previewed};

use super::Problem;
use super::table::{Table, flattened};

/// Says what an experiment file would run, and what can't work in it. Nothing runs, and nothing is written.
///
/// Exit codes: 0 it would run, 2 it wouldn't.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The experiment file.
    file: PathBuf,
    /// Sets something in the file, as `run` has it.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How many of the first configurations are shown.
    #[arg(long, default_value_t = 5)]
    first: usize,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let file = ExperimentFile::read(&self.file, &self.set).map_err(|error| Problem::given(&error))?;
        let in_file = |why: String| Problem::Given(format!("{}: {why}", self.file.display()));
        let preview =
            file.clone().experiment().preview(self.first.max(1)).map_err(|error| in_file(error_chain(&error)))?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let first: Vec<_> = preview.first.iter().map(|trial| shown(&file, trial)).collect();
            let found = json!({ "program": file.program(), "trials": preview.trials,
                "objective": preview.objective, "machine": preview.machine.to_string(), "first": first,
                "settings": file.settings().to_map() });
            writeln!(out, "{found}")?;
        } else {
            tell(&mut out, &file.settings().name, &preview)?;
        }
        for trial in &preview.first {
            trial.request.as_ref().map_err(|why| in_file(format!("a trial could never run: {why}")))?;
            file.line(&trial.config).map_err(|error| in_file(format!("`command`: {}", error_chain(&error))))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn shown(file: &ExperimentFile, trial: &Previewed) -> serde_json::Value {
    let words = file.line(&trial.config).ok().flatten();
    let words: Option<Vec<_>> =
        words.map(|words| words.iter().map(|word| word.to_string_lossy().into_owned()).collect());
    match &trial.request {
        Ok(request) => json!({ "config": trial.config, "resources": request.to_string(), "command": words }),
        Err(why) => json!({ "config": trial.config, "infeasible": why, "command": words }),
    }
}

fn tell(out: &mut impl Write, name: &str, preview: &Preview) -> Result<(), Problem> {
    let Preview { trials, objective, machine, first } = preview;
    let trials = trials.map_or("as many trials as it takes".to_owned(), |trials| format!("{trials} trials"));
    let goal = objective.as_ref().map_or("no objective: no trial is the best".to_owned(), |objective| {
        format!("{} of `{}`", if objective.score(1.0) > 0.0 { "most" } else { "least" }, objective.metric)
    });
    writeln!(out, "{name}: {trials}, {goal}")?;
    writeln!(out, "machine: {machine}")?;
    if first.is_empty() {
        writeln!(out, "the first configurations aren't known before it runs")?;
        return Ok(());
    }
    let rows: Vec<_> = first.iter().map(|trial| flattened(&trial.config)).collect();
    let mut names: Vec<&str> = rows.iter().flat_map(|row| row.iter().map(|(name, _)| name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    let mut table = Table::new(["trial"].into_iter().chain(names.iter().copied()).chain(["resources"]));
    for (number, (trial, row)) in first.iter().zip(&rows).enumerate() {
        let value = |name: &&str| {
            row.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let needs = trial.request.as_ref().map_or_else(|_| "infeasible".to_owned(), |request| request.to_string());
        table.row([number.to_string()].into_iter().chain(names.iter().map(value)).chain([needs]));
    }
    table.write(out)?;
    Ok(())
}
