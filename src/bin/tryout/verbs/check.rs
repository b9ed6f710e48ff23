//! `tryout check`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tryout::failure::error_chain;
use tryout::prelude::{Config, Objective};
use tryout::{ExperimentFile, Preview, Previewed};

use super::table::{Table, flattened};
use super::{Problem, json_line};

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

/// With `--json`: what would run.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Checked<'r> {
    /// The program of its trials.
    program: String,
    /// How many trials there will be, if that is known.
    trials: Option<u64>,
    /// What counts.
    objective: Option<&'r Objective>,
    /// What there is to run on.
    machine: String,
    /// The first trials.
    first: Vec<First<'r>>,
    /// All settings, by the names that they have in the program.
    settings: Map<String, Value>,
}

/// One of the first trials.
#[derive(Serialize, JsonSchema)]
struct First<'r> {
    config: &'r Config,
    /// What it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<String>,
    /// Why it could never run.
    #[serde(skip_serializing_if = "Option::is_none")]
    infeasible: Option<&'r str>,
    /// Its command line; none of a worker.
    command: Option<Vec<String>>,
}

impl<'r> First<'r> {
    fn of(file: &ExperimentFile, trial: &'r Previewed) -> Self {
        let words = file.line(&trial.config).ok().flatten();
        let command = words.map(|words| words.iter().map(|word| word.to_string_lossy().into_owned()).collect());
        let (resources, infeasible) = match &trial.request {
            Ok(request) => (Some(request.to_string()), None),
            Err(why) => (None, Some(why.as_str())),
        };
        Self { config: &trial.config, resources, infeasible, command }
    }
}

impl Check {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let file = ExperimentFile::read(&self.file, &self.set).map_err(|error| Problem::given(&error))?;
        let in_file = |why: String| Problem::Given(format!("{}: {why}", self.file.display()));
        let preview =
            file.clone().experiment().preview(self.first.max(1)).map_err(|error| in_file(error_chain(&error)))?;
        let mut out = std::io::stdout().lock();
        if self.json {
            let first = preview.first.iter().map(|trial| First::of(&file, trial)).collect();
            let found = Checked {
                program: file.program(),
                trials: preview.trials,
                objective: preview.objective.as_ref(),
                machine: preview.machine.to_string(),
                first,
                settings: file.settings().to_map(),
            };
            json_line(&mut out, &found)?;
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
