//! `tryout compare`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tryout::prelude::*;

use super::labels::Labels;
use super::open::{Run, RunState, run_at};
use super::table::{Table, shown, time};
use super::{Problem, json_line};

/// Compares runs: what came of them, and the settings in which they differ.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Their directories.
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// Writes a JSON object a run.
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let runs: Vec<PathBuf> = self.runs.into_iter().map(run_at).collect::<Result<_, _>>()?;
        let runs: Vec<(Run, Labels)> = runs
            .into_iter()
            .map(|dir| Ok((Run::open(dir.clone())?, Labels::read(&dir)?)))
            .collect::<Result<_, Problem>>()?;
        let outcomes: Vec<Came> = runs.iter().map(|(run, labels)| Came::of(run, labels)).collect();
        let settings: Vec<BTreeMap<String, Value>> =
            runs.iter().map(|(run, _)| settings(&run.results)).collect::<Result<_, Problem>>()?;
        let mut names: Vec<&String> = settings.iter().flat_map(BTreeMap::keys).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| {
            settings.iter().any(|each| each.get(*name) != settings.first().and_then(|first| first.get(*name)))
        });

        let mut out = std::io::stdout().lock();
        if self.json {
            for ((run, _), (outcome, settings)) in runs.iter().zip(outcomes.iter().zip(&settings)) {
                let differing: Map<String, Value> =
                    names.iter().filter_map(|name| Some(((*name).clone(), settings.get(*name)?.clone()))).collect();
                json_line(&mut out, &Compared { dir: &run.dir, outcome, differing })?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let heads = runs.iter().map(|(run, _)| run.dir.display().to_string());
        let mut table = Table::new(std::iter::once(String::new()).chain(heads));
        let outcomes: Vec<Value> = outcomes.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        for name in Came::NAMES {
            let cells = outcomes.iter().map(|each| shown(each.get(name)));
            table.row(std::iter::once(name.to_owned()).chain(cells));
        }
        for name in names {
            table.row(std::iter::once(name.clone()).chain(settings.iter().map(|each| shown(each.get(name)))));
        }
        table.write(&mut out)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// With `--json`: a run beside others.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Compared<'r> {
    /// Its directory.
    dir: &'r Path,
    outcome: &'r Came,
    /// The settings in which the runs differ, as this one has them.
    differing: Map<String, Value>,
}

/// What came of a run.
#[derive(Serialize, JsonSchema)]
struct Came {
    state: RunState,
    /// How many trials there are.
    trials: usize,
    /// How many of them failed.
    failed: usize,
    /// How many reports were taken.
    iterations: u64,
    /// How long it took, for people.
    took: String,
    /// The best value of the objective.
    #[serde(rename = "best value")]
    best_value: Option<f64>,
    /// The number of the trial that has it.
    #[serde(rename = "best trial")]
    best_trial: Option<u32>,
    /// What a person calls it.
    tags: String,
    /// What a person noted.
    note: String,
}

impl Came {
    /// In the order of the table.
    const NAMES: [&str; 9] =
        ["state", "trials", "failed", "iterations", "took", "best value", "best trial", "tags", "note"];

    fn of(run: &Run, labels: &Labels) -> Self {
        let results = &run.results;
        let best = results.best().ok();
        let tags: Vec<&str> = labels.tags.iter().map(String::as_str).collect();
        Self {
            state: run.word(),
            trials: results.trials().len(),
            failed: results.count(Status::Error),
            iterations: results.iterations(),
            took: time(results.took().as_secs_f64()),
            best_value: best.and_then(|best| results.value(best)),
            best_trial: best.map(|best| best.id.number()),
            tags: tags.join(", "),
            note: labels.note.clone(),
        }
    }
}

/// All settings as a flat list: names within names are joined with dots.
fn settings(results: &Results) -> Result<BTreeMap<String, Value>, Problem> {
    let mut found = BTreeMap::new();
    flatten(serde_json::to_value(results.settings())?, String::new(), &mut found);
    Ok(found)
}

fn flatten(value: Value, name: String, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
            map.into_iter().for_each(|(key, value)| flatten(value, inner(&key), found));
        }
        value => {
            found.insert(name, value);
        }
    }
}
